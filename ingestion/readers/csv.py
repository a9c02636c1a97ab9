"""Delimited text with a declared dialect, read record by record with the physical line of each.

A record with broken quoting costs its own line and no other: it is rejected and reading goes on with the next line.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from ingestion.contract import WHITESPACE, Contract
from ingestion.readers.base import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    Chunk,
    FileRefused,
    Notes,
    Reject,
    SeenTexts,
    text_table,
)
from ingestion.readers.count import closed_spans, quoted_cells
from ingestion.readers.header import Layout, name_of
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


#: Says for each text of a list, in order, whether the file had it before.
Repeats = Callable[[list[str]], Sequence[bool]]


def read_delimited(stream: TextIO, contract: Contract, notes: Notes) -> Iterator[Chunk]:
    """Chunks of the file. Raises `FileRefused` when the header does not carry what the contract requires."""
    records = Records(stream, contract)
    layout = read_header(records, contract, notes)
    yield from read_rows(records, contract, notes, layout, seen_texts())
    notes.lines = records.line - 1


def seen_texts() -> Repeats:
    """A memory of texts, 16 bytes each."""
    seen = SeenTexts()
    return lambda texts: [seen.is_repeat(text.encode("utf-8", "surrogatepass")) for text in texts]


def read_rows(
    records: Records, contract: Contract, notes: Notes, layout: Layout, repeats: Repeats, until: int | None = None
) -> Iterator[Chunk]:
    """Chunks of the records to come; with `until`, of those that begin before that line."""
    chunk = _Rows(contract, layout)
    while (until is None or records.line < until) and (record := records.next()) is not None:
        if record.cells is None:
            chunk.rejects.append(_broken(record))
        elif record.cells:
            chunk.add(record, _rejected(record, layout.width, notes.encoding))
        if chunk.is_full():
            yield chunk.finish(repeats, notes)
            chunk = _Rows(contract, layout)
    yield chunk.finish(repeats, notes)


class _Rows:
    """Rows gathered for the next chunk."""

    def __init__(self, contract: Contract, layout: Layout) -> None:
        self.contract, self.layout = contract, layout
        self.records: list[tuple[_Record, Reject | None]] = []
        self.rejects: list[Reject] = []
        self.characters = 0

    def add(self, record: _Record, reject: Reject | None) -> None:
        self.records.append((record, reject))
        self.characters += len(record.raw)

    def is_full(self) -> bool:
        return len(self.records) >= CHUNK_ROWS or self.characters >= CHUNK_CHARACTERS or len(self.rejects) >= CHUNK_ROWS

    def finish(self, repeats: Repeats, notes: Notes) -> Chunk:
        layout, records = self.layout, self.records
        if self.contract.identical_rows == "duplicate":
            again = repeats([record.raw.rstrip("\r\n") for record, _ in records])
            notes.duplicates += sum(map(bool, again))
            records = [entry for entry, met in zip(records, again, strict=True) if not met]
        rejects = [*self.rejects, *(reject for _, reject in records if reject is not None)]
        good = [record for record, reject in records if reject is None]
        cells = [record.cells or [] for record in good]
        by_position: list[Any] = list(zip(*cells, strict=True)) if cells else [()] * layout.width
        columns = {name: list(by_position[position]) for name, position in layout.cells.items()}
        table = text_table(
            self.contract,
            columns,
            lines=[record.line for record in good],
            extra=[extra_text(layout.extra, row) for row in cells],
            found=[None] * len(good),
        )
        return Chunk(table, lambda position: good[position].raw, tuple(sorted(rejects, key=lambda one: one.line)))


def extra_text(extra: list[tuple[str, int]], cells: Sequence[str]) -> str | None:
    """Cells without a place in the contract as JSON, empty ones left out."""
    kept = {header: cells[position] for header, position in extra if cells[position]}
    return json.dumps(kept, ensure_ascii=False) if kept else None


def read_header(records: Records, contract: Contract, notes: Notes) -> Layout:
    """Take the header rows off and find the contract's columns in them."""
    if contract.dialect.header_rows == 0:
        return Layout(contract, list(contract.dialect.columns), notes, "")
    rows: list[_Record] = []
    while len(rows) < contract.dialect.header_rows:
        record = records.next()
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
    return Layout(contract, [name_of(cell) for cell in first.cells or []], notes, first.raw.rstrip("\r\n"))


def _broken(record: _Record) -> Reject:
    code = "csv.cell_too_large" if "field limit" in record.error else "csv.bad_quote"
    raw = printable(record.raw.rstrip("\r\n"))[:100_000]
    return Reject(record.line, code, f"the row's quoting is broken: {record.error}", raw)


def _rejected(record: _Record, width: int, encoding: str | None) -> Reject | None:
    raw = record.raw.rstrip("\r\n")
    if has_foreign_bytes(raw, encoding):
        return Reject(
            record.line,
            "encoding.invalid",
            f"holds bytes that {encoding} does not know; export it again, or declare its encoding in dialect.encodings",
            printable(raw),
        )
    if "\0" in raw:
        return Reject(record.line, "text.nul", "holds a NUL character", raw)
    if record.cells is not None and len(record.cells) != width:
        return ragged(record.line, len(record.cells), width, raw)
    return None


def ragged(line: int, cells: int, width: int, raw: str) -> Reject:
    """A row that has more or fewer cells than the header."""
    return Reject(line, "row.ragged", f"has {cells} cells where the header has {width}", raw)


class Lines(Protocol):
    """Text line by line, ends kept."""

    def readline(self) -> str:
        """The next line; empty at the end."""


class Records:
    """Records of a stream, each with its first physical line; broken ones stand for themselves.

    `line` is the physical line of the record to come. `rest` are lines already taken from the stream that belong to it
    and those after it.
    """

    def __init__(self, stream: Lines, contract: Contract, line: int = 1) -> None:
        self.line = line
        self.rest: deque[str] = deque()
        self._stream, self._contract = stream, contract
        self._taken: list[str] = []
        self._reader: Iterator[list[str]] | None = None
        csv.field_size_limit(MAX_CELL)

    def next(self) -> _Record | None:
        """The next record, cells [] for an empty line; None at the end."""
        if self._contract.dialect.delimiter == WHITESPACE:
            return self._split()
        if self._reader is None:
            self._reader = self._new_reader()
        try:
            cells = next(self._reader, None)
        except csv.Error as error:
            self._reader = None
            return self._damaged(str(error))
        if cells is None:
            return None
        taken = self._taken
        record = _Record(cells, self.line, taken[0] if len(taken) == 1 else "".join(taken))
        self.line += len(taken)
        taken.clear()
        return record

    def _split(self) -> _Record | None:
        line = self._stream.readline()
        if not line:
            return None
        self.line += 1
        return _Record(line.split(), self.line - 1, line)

    def _new_reader(self) -> Iterator[list[str]]:
        dialect = self._contract.dialect
        return csv.reader(
            self._lines(),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            escapechar=dialect.escape,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            strict=True,
        )

    def _lines(self) -> Iterator[str]:
        while line := self.rest.popleft() if self.rest else self._stream.readline():
            self._taken.append(line)
            yield line

    def _damaged(self, error: str) -> _Record:
        text = "".join(self._taken)
        while len(text) < _LOOK_AHEAD and (more := self.rest.popleft() if self.rest else self._stream.readline()):
            self._taken.append(more)
            text += more
        span = _damaged_lines(self._taken, text, self._contract)
        record = _Record(None, self.line, "".join(self._taken[:span]), error)
        self.line += span
        self.rest.extendleft(reversed(self._taken[span:]))
        self._taken.clear()
        return record


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
