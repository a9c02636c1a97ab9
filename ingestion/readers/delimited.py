"""Delimited files: blocks in order are read as a whole by several threads, damaged places record by record.

Both ways give the same chunks, rejects, lines and duplicates (`tests/unit/ingestion/test_block_reader.py`). Blocks are
read ahead on the hope that they are in order. Where one is not, its good beginning is kept, the rest is given back, and
the exact reader goes on until it has passed the damage.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa

from ingestion.contract import Contract
from ingestion.readers.base import Chunk, Notes, TextBlock
from ingestion.readers.blocks import Blocks, Feed, Source
from ingestion.readers.clean import Records as BlockRecords
from ingestion.readers.clean import find_records, is_plain, read_cells, record_texts
from ingestion.readers.csv import MAX_CELL, Records, extra_text, ragged, read_header, read_rows
from ingestion.readers.seen import SeenRows, row_hashes
from ingestion.typing_sql import identifier, literal

if TYPE_CHECKING:
    import duckdb

#: Blocks read at the same time, and how many wait beyond them.
THREADS = 2
_AHEAD = 1

#: Lines read exactly around a damaged place; more while the damage goes on.
_FEW_LINES = 200
_MANY_LINES = 50_000

_CONTROL = bytes(code for code in range(32) if code not in (9, 10, 13))


@dataclass(frozen=True)
class Block:
    """Bytes that begin with a record, and the physical line of its first."""

    data: bytes
    line: int


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
                    block = Block(data, line)
                    line += data.count(b"\n")
                    waiting.append((block, pool.submit(self._work, block, type_block)))
                if not waiting:
                    return
                block, future = waiting.popleft()
                done, end = future.result()
                if done is not None:
                    self.line = block.line + block.data.count(b"\n", 0, end)
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
        columns = {f"c{name}": table[name] for name in table.column_names}
        columns["_pos"] = pa.array(np.arange(len(records)))
        columns["_line"] = pa.array(lines[records])
        extra = _extra_sql(layout.extra)
        if extra and len(block.data) != len(block.data.translate(None, _CONTROL)):
            # Python and DuckDB write control characters differently.
            rows = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
            columns["_extra"] = pa.array([extra_text(layout.extra, row) for row in rows], pa.string())
            extra = "_extra"
        cells = {name: f"c{position}" for name, position in layout.cells.items()}
        return TextBlock(pa.table(columns), self._select(extra), cells, texts, records, rejects, keys)

    def _select(self, extra: str) -> str:
        cells = self.layout.cells
        named = [
            f"c{cells[column.name]} AS {identifier(column.name)}"
            if column.name in cells
            else f"NULL::VARCHAR AS {identifier(column.name)}"
            for column in self.contract.columns
        ]
        others = f"_pos, _line, {extra or 'NULL::VARCHAR'} AS _extra, NULL AS _found"
        return f"{', '.join(named)}, {others}"

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
    return Block(block.data[:end], block.line), BlockRecords(found.ends[:count], found.lines[:count])


def _not_utf8(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _extra_sql(extra: list[tuple[str, int]]) -> str:
    """JSON of the cells without a place in the contract, written as `json.dumps` does."""
    if not extra:
        return ""
    entries = ", ".join(
        f"CASE WHEN c{position} <> '' THEN {literal(json.dumps(header, ensure_ascii=False) + ': ')} "
        f"|| to_json(c{position})::VARCHAR END"
        for header, position in extra
    )
    return f"nullif('{{' || concat_ws(', ', {entries}) || '}}', '{{}}')"
