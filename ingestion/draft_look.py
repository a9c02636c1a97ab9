"""Looking at an unknown file: format, encoding, delimiter, header, first rows. Guesses, each for a person to check."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ingestion.contract import WHITESPACE, Contract, Dialect, Format, Times, XlsxShape
from ingestion.readers.base import FileRefused
from ingestion.readers.encodings import EUC_JP, decoded, likelier, utf16_without_mark
from ingestion.readers.json import _to_text
from ingestion.readers.text import open_bytes
from ingestion.sample import SAMPLE_BYTES, SAMPLE_ROWS, Sample, sample_delimited
from kizuna.errors import InputError

_DELIMITERS = (",", "\t", ";", "|")
_DEPTH = 3


@dataclass(frozen=True)
class Look:
    """What a file seems to be. `notes` are for the person who checks the draft."""

    format: Format
    sample: Sample
    dialect: Dialect = field(default_factory=Dialect)
    xlsx: XlsxShape = field(default_factory=XlsxShape)
    records: str | None = None
    notes: tuple[str, ...] = ()
    #: Names of the whole records' keys where the header has paths into them, and those that hold objects or lists.
    keys: tuple[str, ...] = ()
    nested: frozenset[str] = frozenset()


def look_at(path: Path) -> Look:
    """The file's likely shape. Raises `InputError` when nothing can be made of it."""
    try:
        with open_bytes(path) as stream:
            head = stream.read(SAMPLE_BYTES)
        if not head.strip():
            raise InputError(f"{path} is empty; there is nothing to draft from.")
        if head.startswith(b"PK\x03\x04"):
            return _workbook(path)
        if head.startswith(b"PAR1"):
            return _parquet(path)
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"{", b"[")):
            return _json(path, head)
        return _delimited(path, head)
    except FileRefused as refusal:
        raise InputError(f"{path}: {refusal.reason}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None


def _delimited(path: Path, head: bytes) -> Look:
    encoding, declared = _encoding(head)
    text = head.decode(encoding, "replace")
    delimiter = _delimiter(text)
    quote = None if delimiter == WHITESPACE else '"'
    notes = [] if delimiter != WHITESPACE else ["no usual delimiter was found; cells seem parted by blanks"]
    with_header = Dialect(delimiter=delimiter, quote=quote, encodings=(declared,))
    sample = sample_delimited(path, encoding, with_header)
    if not _is_header(sample.header):
        names = tuple(f"column_{n}" for n in range(1, len(sample.header) + 1))
        dialect = Dialect(delimiter=delimiter, quote=quote, encodings=(declared,), header_rows=0, columns=names)
        notes.append("the first line looks like a row, not like a header: give the columns names")
        return Look("csv", sample_delimited(path, encoding, dialect), dialect, notes=tuple(notes))
    return Look("csv", sample, with_header, notes=tuple(notes))


def _encoding(head: bytes) -> tuple[str, str]:
    """(codec to read with, name to declare)."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", "utf-16"
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig", "utf-8"
    bare = utf16_without_mark(head)
    if bare is not None:
        return bare, bare
    if decoded(head, "utf-8") is not None:
        return "utf-8", "utf-8"
    other = likelier(head, "utf-8") or "cp1252"
    return other, "euc_jp" if other == EUC_JP else other


def _delimiter(text: str) -> str:
    """The character that parts the first lines most evenly."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    best, found = 0.0, WHITESPACE
    for delimiter in _DELIMITERS:
        counts = Counter(line.count(delimiter) for line in lines)
        width, times = max(counts.items(), key=lambda entry: (entry[0] > 0, entry[1]))
        score = times / len(lines) * (1 + width / 1000) if width else 0.0
        # The header is whole whatever quotes and line ends the rows hold.
        score += 0.5 if lines[0].count(delimiter) else 0.0
        if width and score > best:
            best, found = score, delimiter
    return found


def _is_header(cells: Iterable[str]) -> bool:
    """Names are different, not empty, and neither numbers nor dates nor addresses."""
    names = list(cells)
    values = sum(not name or name[0].isdigit() or "@" in name for name in names)
    return len(names) == len(set(names)) and values <= len(names) // 4


def _json(path: Path, head: bytes) -> Look:
    first = head.lstrip(b"\xef\xbb\xbf \r\n\t").split(b"\n", 1)[0]
    try:
        json.loads(first)
        is_lines = first.startswith(b"{")
    except ValueError:
        is_lines = False
    if is_lines and b"\n" in head.strip():
        with open_bytes(path) as stream:
            lines = list(islice(stream, SAMPLE_ROWS))
        return _records("ndjson", _objects(lines))
    with open_bytes(path) as stream:
        content = stream.read(64 << 20)
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{path}: neither JSON lines nor one JSON document up to 64 MB ({error}).") from None
    lists = (
        {key: value for key, value in document.items() if isinstance(value, list) and value}
        if isinstance(document, dict)
        else {}
    )
    if not lists:
        if isinstance(document, dict):
            return _records("ndjson", [document])
        raise InputError(f"{path}: a bare JSON array; write one object per line, or put it under a key.")
    records = max(lists, key=lambda key: len(lists[key]))
    rows = [row for row in lists[records][:SAMPLE_ROWS] if isinstance(row, dict)]
    return replace(_records("json_pages", rows), records=records)


def _records(kind: Format, rows: list[dict[str, Any]]) -> Look:
    keys = tuple(dict.fromkeys(key for row in rows for key in row))
    nested = frozenset(key for row in rows for key, value in row.items() if isinstance(value, dict | list))
    return Look(kind, _flat(rows), keys=keys, nested=nested)


def _objects(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        try:
            value = json.loads(line.decode("utf-8-sig", "replace"))
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _flat(records: list[dict[str, Any]]) -> Sample:
    """Records as rows; nested objects become dotted columns, lists are left out."""
    rows = [dict(_leaves(record, ())) for record in records]
    header = tuple(dict.fromkeys(name for row in rows for name in row))
    return Sample(header, tuple(tuple(row.get(name, "") for name in header) for row in rows))


def _leaves(value: dict[str, Any], path: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    for key, inner in value.items():
        here = (*path, key)
        if isinstance(inner, dict) and len(here) < _DEPTH:
            yield from _leaves(inner, here)
        elif not isinstance(inner, dict | list):
            yield ".".join(here), _to_text(inner) or ""


def _parquet(path: Path) -> Look:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=SAMPLE_ROWS), None)
            rows = batch.to_pylist() if batch is not None else []
            names = tuple(file.schema_arrow.names)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]}).") from None
    return _records("parquet", rows) if rows else Look("parquet", Sample(names, ()), keys=names)


def _workbook(path: Path) -> Look:
    from ingestion.readers.xlsx import _letters, _open, _rows, _text, area_of

    sheet, _ = _open(path, XlsxShape())
    filled = islice(_rows(sheet, area_of(XlsxShape()), {}), SAMPLE_ROWS + 20)
    rows = [(number, [_text(cell) for cell in cells]) for number, cells in filled]
    at = next((n for n, (_, cells) in enumerate(rows) if sum(map(bool, cells)) >= 2), None)
    if at is None:
        raise InputError(f"{path}: the first sheet holds no table.")
    number, cells = rows[at]
    first = next(position for position, cell in enumerate(cells) if cell)
    header = tuple(cell.strip() for cell in cells[first:])
    while header and not header[-1]:
        header = header[:-1]
    width = len(header)
    body = [(texts[first:] + [""] * width)[:width] for _, texts in rows[at + 1 :]]
    notes = [f"the first sheet is {sheet.name!r}; name another one with `xlsx: {{sheet: …}}`"]
    shape = XlsxShape()
    if number > 1 or first:
        shape = XlsxShape(range=f"{_letters(first + 1)}{number}")
        notes.append("the table does not start in the first cell; does anything stand below or beside it?")
    return Look("xlsx", Sample(header, tuple(tuple(row) for row in body)), xlsx=shape, notes=tuple(notes))


def scratch(look: Look) -> Contract:
    """A contract without columns, to ask the type checks about values of the sample."""
    return Contract(
        name="draft", source="draft", entity="draft", files=(), format=look.format, dialect=look.dialect, columns=(),
        times=Times(timezone="UTC"),
    )  # fmt: skip
