"""What a file is by its first bytes, where its name says something else.

An export saved from a spreadsheet under the wrong name, a log-in page instead of a download: each would otherwise end
as thousands of rows with strange problems.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from ingestion.contract import Format
from ingestion.readers.base import FileRefused
from ingestion.readers.text import json_in_utf16, open_bytes

_KINDS = (
    (b"PK\x03\x04", "an XLSX workbook or a ZIP archive", "xlsx"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind (.xls) or one with a password", "xls"),
    (b"PAR1", "a Parquet file", "parquet"),
    (b"\x1f\x8b", "gzip data", "gzip"),
    (b"%PDF", "a PDF document", "pdf"),
    (b"SQLite format 3", "an SQLite database", "sqlite"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z"),
    (b"BZh", "bzip2 data", "bzip2"),
)
_TO_DO = {
    "xlsx": "Export it as the contract says, or give workbooks a contract of `format: xlsx`; a ZIP is named .zip.",
    "xls": "Save it as XLSX without a password, with a contract of `format: xlsx`.",
    "parquet": "Name it .parquet where a contract reads that.",
    "gzip": "Name it .gz and it is unpacked.",
    "html": "The download gave a page, perhaps a log-in; export again.",
}


def refuse_foreign(path: Path, kind: Format) -> None:
    """Raise `FileRefused` when the content is of another kind than declared, or JSON in UTF-16.

    Codes: `format.foreign`, `archive.corrupt`, `encoding.wrong`.
    """
    if path.suffix.casefold() == ".gz" and (found := _kind_of(_head(path, plain=True))) != "gzip":
        what = _words(found) if found else "plain text or something unknown"
        raise FileRefused(
            "archive.corrupt", f"the name ends in .gz, but the content is {what} and not gzip. Rename it.", line=1
        )
    head = _head(path)
    if kind in ("ndjson", "json_pages") and (wrong := json_in_utf16(head)) is not None:
        raise wrong
    found = _kind_of(head)
    expected = {"parquet": "parquet", "xlsx": "xlsx"}.get(kind)
    if found is None and kind == "xlsx":
        raise FileRefused(
            "format.foreign", "declared as xlsx, but it is no workbook. Is it a CSV named .xlsx? Rename it.", line=1
        )
    if found is None or found == expected or kind == "parquet":
        return
    to_do = _TO_DO.get(found, "Export it again in the declared format.")
    raise FileRefused("format.foreign", f"declared as {kind}, but the content is {_words(found)}. {to_do}", line=1)


def _head(path: Path, *, plain: bool = False) -> bytes:
    if plain:
        with path.open("rb") as stream:
            return stream.read(64)
    try:
        with open_bytes(path) as stream:
            return stream.read(512)
    except (FileRefused, EOFError, zlib.error, gzip.BadGzipFile):
        return b""


def _kind_of(head: bytes) -> str | None:
    for magic, _, kind in _KINDS:
        if head.startswith(magic):
            return kind
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower()
    return "html" if start.startswith((b"<!doctype html", b"<html")) else None


def _words(kind: str) -> str:
    return next((words for _, words, name in _KINDS if name == kind), "an HTML page")
