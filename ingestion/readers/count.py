"""How many records a file holds, counted without the parser that reads it.

Delimited text: properly closed quoted cells are blanked by one regular expression, then the lines that are not empty
are counted. A quote that is never closed, or is followed by more text, protects nothing: its line counts as one record.
JSON pages: the engine's JSON parser, while Python's reads the records. Parquet: the footer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ingestion.contract import WHITESPACE, Contract, Dialect, Format
from ingestion.readers.base import FileRefused
from ingestion.readers.text import open_bytes, open_text

_BLOCK = 8 << 20
_LONGEST_CARRY = 32 << 20
_WHOLE_FILE = 256 << 20


@dataclass(frozen=True)
class Count:
    """Records (without header rows) and, for text, physical lines."""

    rows: int
    lines: int | None = None


def count_records(path: Path, contract: Contract, kind: Format, encoding: str | None, *, exact: bool = False) -> Count:
    """Records of the file. `exact` takes delimited text as one piece, for files whose quoting is damaged."""
    match kind:
        case "csv":
            return _delimited(path, contract.dialect, encoding or "utf-8", _WHOLE_FILE if exact else _BLOCK)
        case "ndjson":
            return _lines(path)
        case "json_pages":
            return _page(path, contract.json_shape.records or "")
        case "parquet":
            return _parquet(path)


def quoted_cells(dialect: Dialect) -> re.Pattern[str] | None:
    """Matches a properly closed quoted cell; None where the dialect has no quotes."""
    if dialect.quote is None or dialect.delimiter == WHITESPACE:
        return None
    quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
    escaped = "" if dialect.escape is None else rf"|{re.escape(dialect.escape)}."
    plain = rf"[^{quote}{'' if dialect.escape is None else re.escape(dialect.escape)}]++"
    body = rf"(?:{plain}|{quote}{quote}{escaped})*+"
    return re.compile(rf"(?<![^{delimiter}\r\n]){quote}{body}{quote}(?=[{delimiter}\r\n]|\Z)", re.DOTALL)


def _delimited(path: Path, dialect: Dialect, encoding: str, block_size: int) -> Count:
    cells = quoted_cells(dialect)
    rows = lines = 0
    carry, last = "", ""
    with open_text(path, encoding) as stream:
        while True:
            block = stream.read(block_size)
            if block:
                last = block[-1]
            text = carry + block
            cut = _safe_cut(text, dialect.quote if cells else None) if block else len(text)
            piece, carry = text[:cut], text[cut:]
            lines += piece.count("\n") + piece.count("\r") - piece.count("\r\n")
            if cells is not None and dialect.quote in piece:  # type: ignore[operator]
                piece = cells.sub("x", piece)
            rows += _filled_lines(piece, blank_is_space=dialect.delimiter == WHITESPACE)
            if not block:
                break
    lines += last not in ("", "\n", "\r")
    return Count(max(rows - dialect.header_rows, 0), lines)


def _filled_lines(piece: str, *, blank_is_space: bool) -> int:
    lines = piece.replace("\r", "\n").split("\n")
    return sum(1 for line in lines if line.strip()) if blank_is_space else sum(map(bool, lines))


def _safe_cut(text: str, quote: str | None) -> int:
    """End of the last line before which quotes are balanced, so that no quoted cell is cut in two; 0 without one."""
    balance = text.count(quote) % 2 if quote else 0
    end = len(text)
    while (cut := text.rfind("\n", 0, end) + 1) > 0:
        if quote:
            balance = (balance + text.count(quote, cut, end)) % 2
        if balance == 0:
            return cut
        end = cut - 1
    return 0 if len(text) < _LONGEST_CARRY else text.rfind("\n") + 1


def _lines(path: Path) -> Count:
    rows = lines = 0
    carry = b""
    with open_bytes(path) as stream:
        while block := stream.read(_BLOCK):
            *whole, carry = (carry + block).split(b"\n")
            lines += len(whole)
            rows += sum(1 for line in whole if not line.isspace() and line)
    rows += bool(carry.strip())
    return Count(rows, lines + bool(carry))


def _page(path: Path, records: str) -> Count:
    import duckdb

    with open_bytes(path) as stream:
        text = stream.read().decode("utf-8-sig", "replace")
    pointer = "/" + "/".join(records.split("."))
    try:
        row = duckdb.execute("SELECT json_array_length(?, ?)", [text, pointer]).fetchone()
    except duckdb.Error as error:
        raise _invalid_page(text, str(error)) from None
    return Count(int(row[0]) if row and row[0] is not None else 0)


def _invalid_page(text: str, message: str) -> FileRefused:
    try:
        json.loads(text)
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raw = text[max(error.pos - 60, 0) : error.pos + 60]
            where = f"line {error.lineno}, character {error.colno}"
            return FileRefused("json.invalid", f"not valid JSON at {where}: {error.msg}", line=error.lineno, raw=raw)
    return FileRefused("json.invalid", f"not valid JSON: {message.splitlines()[0]}", line=1)


def _parquet(path: Path) -> Count:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return Count(int(pq.ParquetFile(path).metadata.num_rows))
    except (pa.ArrowInvalid, OSError) as error:
        raise FileRefused("parquet.invalid", f"not a readable Parquet file ({str(error).splitlines()[0]})") from error
