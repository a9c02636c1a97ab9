"""Delimited text with a declared dialect, read record by record with the physical line of each.

A record with broken quoting costs its own line and no other: it is rejected and reading goes on with the next line.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from ingestion.contract import WHITESPACE, Contract
from ingestion.readers.base import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    Chunk,
    FileRefused,
    Notes,
    Reject,
    SeenRows,
    text_table,
)
from ingestion.readers.count import closed_spans, quoted_cells
from ingestion.readers.header import Layout
from ingestion.readers.text import has_foreign_bytes, printable

#: Largest cell, in characters. The csv module's own limit is 128 KiB.
MAX_CELL = 16 << 20

#: How far behind a broken quote the end of its record is looked for.
_LOOK_AHEAD = 1 << 20


@dataclass(frozen=True)
class _Record:
    """Cells of one record, or (cells None) the lines of one that could not be parsed."""

    cells: list[str] | None
    line: int
    raw: str
    error: str = ""


def read_delimited(stream: TextIO, contract: Contract, notes: Notes) -> Iterator[Chunk]:
    """Chunks of the file. Raises `FileRefused` when the header does not carry what the contract requires."""
    records = _split(stream, notes) if contract.dialect.delimiter == WHITESPACE else _parse(stream, contract, notes)
    layout = _read_header(records, contract, notes)
    seen = SeenRows(contract)
    chunk = _Rows(contract, layout)
    for record in records:
        if record.cells is not None and not record.cells:
            continue
        reject = _rejected(record, layout.width, notes.encoding)
        if reject is not None and record.cells is None:
            chunk.rejects.append(reject)
            continue
        if seen.is_repeat(record.raw.rstrip("\r\n").encode("utf-8", "surrogateescape")):
            notes.duplicates += 1
        elif reject is not None:
            chunk.rejects.append(reject)
        else:
            chunk.add(record)
        if chunk.is_full():
            yield chunk.finish()
            chunk = _Rows(contract, layout)
    yield chunk.finish()


class _Rows:
    """Rows gathered for the next chunk."""

    def __init__(self, contract: Contract, layout: Layout) -> None:
        self.contract, self.layout = contract, layout
        self.records: list[_Record] = []
        self.rejects: list[Reject] = []
        self.characters = 0

    def add(self, record: _Record) -> None:
        self.records.append(record)
        self.characters += len(record.raw)

    def is_full(self) -> bool:
        return len(self.records) >= CHUNK_ROWS or self.characters >= CHUNK_CHARACTERS or len(self.rejects) >= CHUNK_ROWS

    def finish(self) -> Chunk:
        records, layout = self.records, self.layout
        cells = [record.cells or [] for record in records]
        by_position: list[Any] = list(zip(*cells, strict=True)) if cells else [()] * layout.width
        columns = {name: list(by_position[position]) for name, position in layout.cells.items()}
        table = text_table(
            self.contract,
            columns,
            lines=[record.line for record in records],
            extra=[self._extra(row) for row in cells],
            found=[None] * len(records),
        )
        return Chunk(table, lambda position: records[position].raw, tuple(self.rejects))

    def _extra(self, cells: list[str]) -> str | None:
        kept = {header: cells[position] for header, position in self.layout.extra if cells[position]}
        return json.dumps(kept, ensure_ascii=False) if kept else None


def _read_header(records: Iterator[_Record], contract: Contract, notes: Notes) -> Layout:
    if contract.dialect.header_rows == 0:
        return Layout(contract, list(contract.dialect.columns), notes, "")
    rows: list[_Record] = []
    while len(rows) < contract.dialect.header_rows:
        record = next(records, None)
        if record is None:
            raise FileRefused("file.empty", "the file ends before its header does", line=1)
        if record.cells is None or has_foreign_bytes(record.raw, notes.encoding):
            raise FileRefused(
                "header.unreadable",
                f"the header cannot be read: {record.error or 'wrong encoding'}",
                line=record.line,
                raw=printable(record.raw),
            )
        if record.cells:
            rows.append(record)
    first = rows[0]
    return Layout(contract, [cell.strip() for cell in first.cells or []], notes, first.raw.rstrip("\r\n"))


def _rejected(record: _Record, width: int, encoding: str | None) -> Reject | None:
    raw = record.raw.rstrip("\r\n")
    if record.cells is None:
        code = "csv.cell_too_large" if "field limit" in record.error else "csv.bad_quote"
        return Reject(record.line, code, f"the row's quoting is broken: {record.error}", printable(raw)[:100_000])
    if has_foreign_bytes(raw, encoding):
        return Reject(
            record.line, "encoding.invalid", "holds bytes that the declared encoding does not know", printable(raw)
        )
    if "\0" in raw:
        return Reject(record.line, "text.nul", "holds a NUL character", raw)
    if len(record.cells) != width:
        reason = f"has {len(record.cells)} cells where the header has {width}"
        return Reject(record.line, "row.ragged", reason, raw)
    return None


def _split(stream: TextIO, notes: Notes) -> Iterator[_Record]:
    """Records of a file whose cells are parted by runs of blanks."""
    number = 0
    for number, line in enumerate(stream, start=1):
        yield _Record(line.split(), number, line)
    notes.lines = number


def _parse(stream: TextIO, contract: Contract, notes: Notes) -> Iterator[_Record]:
    """Records by the csv module, each with its first physical line; broken ones stand for themselves."""
    dialect = contract.dialect
    csv.field_size_limit(MAX_CELL)
    taken: list[str] = []
    pushed_back: deque[str] = deque()

    def feed() -> Iterator[str]:
        while True:
            line = pushed_back.popleft() if pushed_back else stream.readline()
            if not line:
                return
            taken.append(line)
            yield line

    line = 1
    while True:
        reader = csv.reader(
            feed(),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            escapechar=dialect.escape,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            for cells in reader:
                yield _Record(cells, line, taken[0] if len(taken) == 1 else "".join(taken))
                line += len(taken)
                taken.clear()
        except csv.Error as error:
            text = "".join(taken)
            while len(text) < _LOOK_AHEAD and (more := pushed_back.popleft() if pushed_back else stream.readline()):
                taken.append(more)
                text += more
            span = _damaged_lines(taken, text, contract)
            yield _Record(None, line, "".join(taken[:span]), str(error))
            line += span
            pushed_back.extendleft(reversed(taken[span:]))
            taken.clear()
            continue
        break
    notes.lines = line - 1


def _damaged_lines(lines: list[str], text: str, contract: Contract) -> int:
    """Physical lines of the record that starts `text`: up to the first line end outside of properly closed cells."""
    cells = quoted_cells(contract.dialect)
    closed = [] if cells is None else closed_spans(cells, text)[0]
    end = 0
    for count, line in enumerate(lines, start=1):
        end += len(line)
        if not any(start < end < stop for start, stop in closed):
            return count
    return len(lines)
