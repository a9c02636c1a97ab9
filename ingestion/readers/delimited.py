"""Delimited files: blocks in order are read as a whole by several threads, damaged places record by record.

Both ways give the same chunks, rejects, lines and duplicates (`tests/unit/ingestion/test_block_reader.py`). Blocks are
read ahead on the hope that they are in order. Where one is not, its good beginning is kept, the rest is given back, and
the exact reader goes on until it has passed the damage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa

from ingestion.contract import Contract
from ingestion.readers.base import Chunk, Notes, TextBlock
from ingestion.readers.blocks import Blocks, Feed, Source, count_of
from ingestion.readers.cells_json import extra_json, has_controls
from ingestion.readers.clean import Records as BlockRecords
from ingestion.readers.clean import find_records, is_plain, read_cells, record_texts
from ingestion.readers.csv import MAX_CELL, Records, extra_text, ragged, read_header, read_rows
from ingestion.readers.seen import SeenRows, row_hashes
from ingestion.times import as_array

if TYPE_CHECKING:
    import duckdb

#: Blocks read at the same time, and how many wait beyond them.
THREADS = 2
_AHEAD = 1

#: Lines read exactly around a damaged place; more while the damage goes on.
_FEW_LINES = 200
_MANY_LINES = 50_000


@dataclass(frozen=True)
class Block:
    """Bytes that begin with a record, the physical line of its first, and how many line ends they hold."""

    data: bytes
    line: int
    lines: int


#: Types a block or a chunk: (what was read) -> what the caller makes of it. Called in threads for blocks.
TypeBlock = Callable[[TextBlock], Any]


def read_file(
    stream: BinaryIO, contract: Contract, notes: Notes, con: duckdb.DuckDBPyConnection, size: int, type_block: TypeBlock
) -> Iterator[tuple[Any, np.ndarray[Any, Any] | None] | Chunk]:
    """What `type_block` made of each block, with the rows that repeat earlier ones; or chunks of damaged places."""
    reader = _Reader(stream, contract, notes, con, size)
    if not is_plain(contract.dialect):
        yield from reader.exactly(None)
        notes.lines = reader.line - 1
        return
    yield from reader.all(type_block)
    notes.lines = reader.line - 1


class _Reader:
    def __init__(
        self, stream: BinaryIO, contract: Contract, notes: Notes, con: duckdb.DuckDBPyConnection, size: int
    ) -> None:
        self.contract, self.notes, self.con = contract, notes, con
        self.source = Source(stream, notes.encoding or "utf-8")
        self.seen = SeenRows(size) if contract.identical_rows == "duplicate" else None
        feed = Feed(self.source)
        records = Records(feed, contract)
        self.layout = read_header(records, contract, notes)
        self.line = records.line
        self._give_back(feed, records)

    def exactly(self, until: int | None) -> Iterator[Chunk]:
        """Chunks of the records that begin before the line `until`."""
        feed = Feed(self.source)
        records = Records(feed, self.contract, self.line)
        yield from read_rows(records, self.contract, self.notes, self.layout, self._repeats, until)
        self.line = records.line
        self._give_back(feed, records)

    def all(self, type_block: TypeBlock) -> Iterator[tuple[Any, np.ndarray[Any, Any] | None] | Chunk]:
        with ThreadPoolExecutor(THREADS) as pool:
            exact_lines = _FEW_LINES
            waiting: deque[tuple[Block, Future[Any]]] = deque()
            blocks = Blocks(self.source, self.contract.dialect)
            line = self.line
            while True:
                while len(waiting) < THREADS + _AHEAD and (data := blocks.next()):
                    block = Block(data, line, count_of(data, b"\n"))
                    line += block.lines
                    waiting.append((block, pool.submit(self._work, block, type_block)))
                if not waiting:
                    return
                block, future = waiting.popleft()
                done, end = future.result()
                if done is not None:
                    whole = end == len(block.data)
                    self.line = block.line + (block.lines if whole else count_of(block.data, b"\n", end))
                    yield done[0], self._again(done[1])
                if end == len(block.data):
                    exact_lines = _FEW_LINES
                    self.line += not block.data.endswith(b"\n")
                    continue
                for _, other in waiting:
                    other.cancel()
                self.source.give_back(block.data[end:] + b"".join(late.data for late, _ in waiting))
                waiting.clear()
                exact_lines = _FEW_LINES if end > 0 else min(exact_lines * 4, _MANY_LINES)
                yield from self.exactly(self.line + exact_lines)
                line = self.line

    def _work(self, block: Block, type_block: TypeBlock) -> tuple[tuple[Any, Any] | None, int]:
        """(what came of the block and its row hashes, how many of its bytes that covers)."""
        found = find_records(block.data, self.contract.dialect, encoding=self.notes.encoding, longest=MAX_CELL)
        for _ in range(2):
            if found.offence is not None:
                block, found = _beginning(block, found, found.offence)
                if not block.data:
                    return None, 0
            try:
                text = self._read(block, found)
            except pa.ArrowInvalid:
                found = replace(found, offence=_not_utf8(block.data))
                continue
            if text is None:
                return None, 0
            return (type_block(text), text.keys), len(block.data)
        return None, 0

    def _read(self, block: Block, found: BlockRecords) -> TextBlock | None:
        layout = self.layout
        texts = record_texts(block.data, found)
        table, odd = read_cells(block.data, self.contract.dialect, layout.width)
        lengths = np.diff(np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1])
        filled = np.flatnonzero(lengths)
        if len(filled) != len(texts):
            texts = texts.take(pa.array(filled))
        lines = block.line + found.lines[filled]
        if table.num_rows + len(odd) != len(texts):
            return None
        rejects = {n: ragged(int(lines[n]), cells, layout.width, texts[n].as_py()) for n, cells in odd}
        records = np.delete(np.arange(len(texts)), list(rejects))
        keys = None
        if self.seen is not None:
            with self.con.cursor() as con:
                keys = row_hashes(con, texts)
        count = len(records)
        columns = {f"c{name}": table[name] for name in table.column_names}
        columns["_pos"] = pa.array(np.arange(count))
        columns["_line"] = pa.array(lines[records])
        columns["_extra"] = self._extra(table)
        columns["_found"] = pa.nulls(count, pa.string())
        cells = {name: f"c{position}" for name, position in layout.cells.items()}
        return TextBlock(pa.table(columns), cells, texts, records, rejects, keys)

    def _extra(self, table: pa.Table) -> pa.Array:
        """JSON of the cells without a place in the contract, as `extra_text` writes it."""
        extra = self.layout.extra
        if not extra:
            return pa.nulls(table.num_rows, pa.string())
        cells = [(header, as_array(table[str(position)])) for header, position in extra]
        if any(has_controls(texts) for _, texts in cells):
            rows = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
            return pa.array([extra_text(extra, row) for row in rows], pa.string())
        return extra_json(cells)

    def _again(self, keys: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any] | None:
        if self.seen is None or keys is None:
            return None
        again = self.seen.repeats(keys)
        count = int(again.sum())
        self.notes.duplicates += count
        return again if count else None

    def _repeats(self, texts: list[str]) -> Sequence[bool]:
        """The same for rows of a damaged place."""
        assert self.seen is not None
        result = np.zeros(len(texts), bool)
        plain = []
        for n, text in enumerate(texts):
            try:
                text.encode()
            except UnicodeEncodeError:
                result[n] = self.seen.repeats_odd(text.encode("utf-8", "surrogatepass"))
            else:
                plain.append(n)
        if plain:
            result[plain] = self.seen.repeats(row_hashes(self.con, pa.array([texts[n] for n in plain], pa.string())))
        return [bool(again) for again in result]

    def _give_back(self, feed: Feed, records: Records) -> None:
        feed.give_back()
        self.source.give_back(self.source.to_bytes("".join(records.rest)))


def _beginning(block: Block, found: BlockRecords, offence: int) -> tuple[Block, BlockRecords]:
    """The records before the one that holds the offence."""
    count = int(np.searchsorted(found.ends, offence, "right"))
    end = int(found.ends[count - 1]) if count else 0
    data = block.data[:end]
    return Block(data, block.line, count_of(data, b"\n")), BlockRecords(found.ends[:count], found.lines[:count])


def _not_utf8(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0
