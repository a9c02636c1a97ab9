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
    is_known,
    text_table,
)
from ingestion.readers.count import closed_spans, quoted_cells
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


class _Layout:
    """Which cell holds which column of the contract, settled once from the header."""

    def __init__(self, contract: Contract, headers: list[str], notes: Notes, raw: str) -> None:
        self.width = len(headers)
        self.cells: dict[str, int] = {}
        folded: dict[str, list[int]] = {}
        for position, header in enumerate(headers):
            folded.setdefault(header.casefold(), []).append(position)
        for column in contract.columns:
            found = [(name, folded[name.casefold()]) for name in column.sources if name.casefold() in folded]
            if not found:
                if column.required != "no" and column.sources:
                    raise FileRefused(
                        "header.missing_column",
                        f"the header has no column {' or '.join(repr(name) for name in column.sources)}, which "
                        f"{contract.name} requires; the {len(headers)} names it has are kept in quarantine",
                        line=1,
                        column=column.source,
                        raw=raw,
                    )
                if column.sources:
                    notes.dropped.add(column.sources[0])
                continue
            name, positions = found[0]
            if len(positions) > 1:
                raise FileRefused(
                    "header.duplicate",
                    f"the header names {name!r} {len(positions)} times; which one holds {column.name} cannot be told",
                    line=1,
                    column=name,
                    raw=raw,
                )
            if name != column.source:
                notes.renamed[str(column.source)] = name
            self.cells[column.name] = positions[0]
        used = set(self.cells.values())
        spare = [(header, position) for position, header in enumerate(headers) if position not in used]
        self.extra = _unlike_names(spare)
        notes.header = tuple(headers)
        notes.added.update(header for header, _ in spare if not is_known(contract, header))


def _unlike_names(columns: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The second `Note` becomes `Note (2)`: under one name only one of the two values would be kept."""
    met: dict[str, int] = {}
    named = []
    for header, position in columns:
        met[header] = met.get(header, 0) + 1
        named.append((header if met[header] == 1 else f"{header} ({met[header]})", position))
    return named


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

    def __init__(self, contract: Contract, layout: _Layout) -> None:
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


def _read_header(records: Iterator[_Record], contract: Contract, notes: Notes) -> _Layout:
    if contract.dialect.header_rows == 0:
        return _Layout(contract, list(contract.dialect.columns), notes, "")
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
    return _Layout(contract, [cell.strip() for cell in first.cells or []], notes, first.raw.rstrip("\r\n"))


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
