"""How many records a file holds, counted without the parser that reads it.

Delimited text: line ends with an even number of quotes before them end a record, where all quotes stand at the edges of
cells. Elsewhere properly closed quoted cells are blanked by one regular expression, then the lines that are not empty
are counted; a quote that is never closed, or is followed by more text, protects nothing: its line counts as one record.
JSON pages: the engine's JSON parser, while Python's reads the records. Parquet: the footer.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ingestion.contract import WHITESPACE, Contract, Dialect, Format
from ingestion.limits import limits
from ingestion.readers.base import FileRefused
from ingestion.readers.text import open_bytes, open_text

#: Small enough to lie in memory that is used again for the next.
_BLOCK = 4 << 20

_NEWLINE, _RETURN, _BLANK = b"\n\r "

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
    """Blocks are counted up to the last line end before a cell that the block's end cuts off.

    A block whose quotes all stand at the edges of cells is counted from its bytes; any other one by the expression.
    """
    cells = quoted_cells(dialect)
    by_blanks = dialect.delimiter == WHITESPACE
    rows = lines = wanted = 0
    carry = before = b""
    for block in _utf8(path, encoding, dialect):
        lines += int(np.count_nonzero(np.frombuffer(block, np.uint8) == _NEWLINE))
        if b"\r" in block or before == b"\r":
            lines += block.count(b"\r") - (before + block).count(b"\r\n")
        before = block[-1:] or before
        carry += block
        if len(carry) < wanted:
            continue
        found, end = _count_block(carry, dialect, cells, by_blanks=by_blanks, last=False)
        rows += found
        # A record that does not end is looked at again only when much more of it is there.
        wanted = 0 if end else min(2 * len(carry), limits().line_bytes)
        carry = carry[end:]
        limits().check_line(carry)
    rows += _count_block(carry, dialect, cells, by_blanks=by_blanks, last=True)[0]
    return Count(max(rows - dialect.header_rows, 0), lines + (before not in (b"", b"\n", b"\r")))


def _utf8(path: Path, encoding: str, dialect: Dialect) -> Iterator[bytes]:
    """The file's bytes in an encoding where line ends, quotes and delimiters are bytes of their own, without a mark."""
    signs = f"{dialect.delimiter if dialect.delimiter != WHITESPACE else ''}{dialect.quote or ''}{dialect.escape or ''}"
    # From 0x40 on a byte may be the second half of a CP932 character.
    plain = {"utf-8", "utf-8-sig", "latin-1", "cp1252", "euc_jp"} | ({"cp932"} if max(signs or ",") < "@" else set())
    if encoding in plain and signs.isascii():
        with open_bytes(path) as stream:
            first = stream.read(_BLOCK)
            yield first.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8-sig" else first
            while block := stream.read(_BLOCK):
                yield block
        return
    with open_text(path, encoding) as text:
        while piece := text.read(_BLOCK):
            yield piece.encode("utf-8", "surrogatepass")


def _count_block(
    data: bytes, dialect: Dialect, cells: re.Pattern[str] | None, *, by_blanks: bool, last: bool
) -> tuple[int, int]:
    """(records that end in `data`, where the last of them ends)."""
    found = None if by_blanks else _count_in_order(data, dialect, last=last)
    if found is not None:
        return found
    text = data.decode("utf-8", "surrogateescape")
    end = len(text) if last else _safe_end(text, cells, dialect.quote or "")
    if end == 0 and len(text) > _LONGEST_RECORD:
        end = text.rfind("\n") + 1
    size = len(text[:end].encode("utf-8", "surrogateescape"))
    return _filled_lines(text[:end], cells, by_blanks=by_blanks), size


def _count_in_order(data: bytes, dialect: Dialect, *, last: bool) -> tuple[int, int] | None:
    """The same from the bytes alone; None where a quote, an escape or a carriage return stands out of order."""
    has_returns = b"\r" in data
    if has_returns and data.count(b"\r") != data.count(b"\r\n") + (not last and data.endswith(b"\r")):
        return None
    if dialect.escape is not None and dialect.escape.encode() in data:
        return None
    array = np.frombuffer(data, np.uint8)
    is_end = array == _NEWLINE
    quote = None if dialect.quote is None else dialect.quote.encode()
    quotes = np.zeros(0, np.int64)
    if quote is None or quote not in data:
        if not has_returns:
            stop = len(data) if last else data.rfind(b"\n") + 1
            is_end = is_end[:stop]
            filled = np.count_nonzero(is_end[:-1] & ~is_end[1:]) + (stop > 0 and not is_end[0])
            return (int(filled), stop) if stop else None
        ends = np.flatnonzero(is_end)
    else:
        if len(quote) > 1 or not dialect.delimiter.isascii():
            return None
        is_quote = array == quote[0]
        signs = np.flatnonzero(is_end | is_quote)
        quoting = is_quote[signs]
        quotes = signs[quoting]
        ends = signs[~quoting & (np.cumsum(quoting, dtype=np.int32) % 2 == 0)]
    stop = len(data) if last else (int(ends[-1]) + 1 if len(ends) else 0)
    if not stop or not _in_order(array[:stop], quotes[: np.searchsorted(quotes, stop)], ord(dialect.delimiter)):
        return None
    starts = np.concatenate([[0], ends + 1])
    stops = np.append(ends, stop if last else starts[-1])
    size = stops - starts
    is_filled = size > 0
    if has_returns:
        is_filled &= (size > 1) | (array[np.minimum(starts, len(array) - 1)] != _RETURN)
    return int(np.count_nonzero(is_filled)), stop


def _in_order(array: np.ndarray[Any, Any], quotes: np.ndarray[Any, Any], delimiter: int) -> bool:
    """True when every run of quotes opens a cell, closes one, or is doubled inside of one."""
    if not len(quotes):
        return True
    first = np.flatnonzero(np.diff(quotes, prepend=-2) > 1)
    begins = quotes[first]
    lengths = np.diff(np.append(first, len(quotes)))
    odd = lengths % 2 == 1
    inside = (np.cumsum(odd) - odd) % 2 == 1
    stops = begins + lengths
    edges = (delimiter, _NEWLINE)
    opens = (begins == 0) | np.isin(array[begins - 1], edges)
    closes = (stops == len(array)) | np.isin(array[np.minimum(stops, len(array) - 1)], (*edges, _RETURN))
    fine = np.where(inside, ~odd | closes, opens & (odd | closes))
    return bool(fine.all()) and int(odd.sum()) % 2 == 0


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
        block = stream.read(_BLOCK).removeprefix(codecs.BOM_UTF8)
        while block:
            end = block.rfind(b"\n") + 1
            if end:
                whole, carry = b"".join((carry, memoryview(block)[:end])), block[end:]
                found, filled = _filled(whole)
                lines += found
                rows += filled
            else:
                carry += block
                limits().check_line(carry)
            block = stream.read(_BLOCK)
    rows += bool(carry.strip())
    return Count(rows, lines + bool(carry))


def _filled(data: bytes) -> tuple[int, int]:
    """(lines of `data`, which ends with one, how many of them hold anything but blanks)."""
    array = np.frombuffer(data, np.uint8)
    is_end = array == _NEWLINE
    if array[0] <= _BLANK or (is_end[:-1] & (array[1:] <= _BLANK)).any():
        # A line that begins with a blank may hold something yet.
        ends = np.flatnonzero(np.frombuffer(data.translate(None, b" \t\r\v\f"), np.uint8) == _NEWLINE)
        return len(ends), int(np.count_nonzero(np.diff(ends, prepend=-1) > 1))
    count = int(np.count_nonzero(is_end))
    return count, count


def _page(path: Path, records: str) -> Count:
    import duckdb

    with open_bytes(path) as stream:
        text = stream.read().decode("utf-8-sig", "replace")
    pointer = "" if records == "$" else "/" + "/".join(records.split("."))
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
        reason = f"not a readable Parquet file ({str(error).splitlines()[0]}); fetch or export it again"
        raise FileRefused("parquet.invalid", reason) from error
