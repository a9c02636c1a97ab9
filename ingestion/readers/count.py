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

#: A record longer than this is taken for one whose closing quote was forgotten.
_LONGEST_RECORD = 32 << 20


@dataclass(frozen=True)
class Count:
    """Records (without header rows) and, for text, physical lines."""

    rows: int
    lines: int | None = None


def count_records(path: Path, contract: Contract, kind: Format, encoding: str | None) -> Count:
    """Records of the file. Raises `FileRefused` where they cannot be told."""
    match kind:
        case "csv":
            return _delimited(path, contract.dialect, encoding or "utf-8")
        case "ndjson":
            return _lines(path)
        case "json_pages":
            return _page(path, contract.json_shape.records or "")
        case "parquet":
            return _parquet(path)
        case "xlsx":
            from ingestion.readers.xlsx import count_xlsx

            return Count(count_xlsx(path, contract))


def quoted_cells(dialect: Dialect) -> re.Pattern[str] | None:
    """Matches a properly closed quoted cell, or (group `open`) one that the end of the text cuts off.

    A quote that opens neither is a character like any other. None where the dialect has no quotes.
    """
    if dialect.quote is None or dialect.delimiter == WHITESPACE:
        return None
    quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
    escape = "" if dialect.escape is None else re.escape(dialect.escape)
    escaped = f"|{escape}." if escape else ""
    # Possessive, so that a cell that is never closed costs one pass and not all ways to divide it.
    inside = f"(?:[^{quote}{escape}]++|{quote}{quote}{escaped})*+"
    end = f"(?:{quote}(?=[{delimiter}\r\n]|\\Z)|(?P<open>\\Z))"
    return re.compile(f"(?<![^{delimiter}\r\n]){quote}{inside}{end}", re.DOTALL)


def closed_spans(cells: re.Pattern[str], text: str) -> tuple[list[tuple[int, int]], int | None]:
    """Where the closed cells of `text` lie, and where the one starts that its end cuts off."""
    spans: list[tuple[int, int]] = []
    for match in cells.finditer(text):
        if match["open"] is not None:
            return spans, match.start()
        spans.append(match.span())
    return spans, None


def _delimited(path: Path, dialect: Dialect, encoding: str) -> Count:
    """Blocks are counted up to the last line end before a cell that the block's end cuts off."""
    cells = quoted_cells(dialect)
    by_blanks = dialect.delimiter == WHITESPACE
    rows = lines = 0
    carry = before = ""
    with open_text(path, encoding) as stream:
        while True:
            block = stream.read(_BLOCK)
            lines += block.count("\n") + block.count("\r") - (before + block).count("\r\n")
            text = carry + block
            if not block:
                break
            before = block[-1]
            end = _safe_end(text, cells, dialect.quote or "")
            if end == 0 and len(text) > _LONGEST_RECORD:
                end = text.rfind("\n") + 1
            rows += _filled_lines(text[:end], cells, by_blanks=by_blanks)
            carry = text[end:]
    rows += _filled_lines(text, cells, by_blanks=by_blanks)
    return Count(max(rows - dialect.header_rows, 0), lines + (before not in ("", "\n", "\r")))


def _safe_end(text: str, cells: re.Pattern[str] | None, quote: str) -> int:
    """Just behind the last line end of `text` that is outside of every cell, whatever the next block brings.

    A cell that seems to end with the block may go on (its quote is the first of a doubled one): the line end before it
    is the one found then, too.
    """
    if cells is None or quote not in text:
        return max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
    spans, cut_off = closed_spans(cells, text)
    stop = len(text) if cut_off is None else cut_off
    for start, end in [*reversed([span for span in spans if span[1] <= stop]), (0, 0)]:
        line_end = max(text.rfind("\n", end, stop), text.rfind("\r", end, min(stop, len(text) - 1)))
        if line_end >= 0:
            return line_end + 1
        stop = start
    return 0


def _filled_lines(text: str, cells: re.Pattern[str] | None, *, by_blanks: bool) -> int:
    if cells is not None:
        parts, position = [], 0
        for start, end in closed_spans(cells, text)[0]:
            parts.append(text[position:start])
            position = end
        text = "x".join([*parts, text[position:]])
    lines = text.replace("\r", "\n").split("\n")
    return sum(1 for line in lines if line.strip()) if by_blanks else sum(map(bool, lines))


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
