"""NDJSON in blocks: whole blocks of lines through the engine's JSON parser, doubtful lines one by one through Python's.

Both ways give the same rows, rejects, lines and duplicates (`tests/unit/ingestion/test_ndjson_reader.py`). A line is
doubtful where the engine is more lenient than JSON is (a comma too many, NaN), where the two write a number or a
character differently, or where its keys are not those of the plan (`json_plan.py`).
"""

from __future__ import annotations

import codecs
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import Contract
from ingestion.limits import limits
from ingestion.readers.base import Notes, Reject, TextBlock, is_known
from ingestion.readers.blocks import count_of
from ingestion.readers.json import Records
from ingestion.readers.json_bytes import doubtful_places
from ingestion.readers.json_plan import Plan
from ingestion.readers.json_whole import Lines, WholeBlocks
from ingestion.readers.seen import SeenRows

if TYPE_CHECKING:
    import duckdb

#: Bytes of a block, and how many blocks are read at a time.
BLOCK = 4 << 20
THREADS = 2
_AHEAD = 1

_NEWLINE = 10
_BLANKS = " \t\n\r\v\f"
#: What stands for a line that is not UTF-8 where only its identity counts.
_NOT_UTF8 = "\x00not UTF-8\x00"
_MANY_SHAPES = 100_000
_MANY_BRACKETS = 400

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Lines:
    """The lines of a block that hold anything: `texts` without blanks around them and their `numbers` in the file.

    All lines end at `ends`, and `filled` says which of them these are. `broken` are the bytes of those that are not
    UTF-8."""

    texts: pa.Array
    numbers: Array
    ends: Array
    filled: Array
    broken: dict[int, bytes]


def read_file(
    stream: BinaryIO,
    contract: Contract,
    notes: Notes,
    con: duckdb.DuckDBPyConnection,
    size: int,
    type_block: Callable[[TextBlock], Any],
) -> Iterator[tuple[Any, Array | None]]:
    """What `type_block` made of each block, with the lines that repeat earlier ones. It is called in threads."""
    reader = _Reader(contract, notes, con)
    seen = SeenRows(size) if contract.identical_rows == "duplicate" else None
    notes.encoding = "utf-8"
    waiting: deque[Future[tuple[Any, Array | None]]] = deque()

    def finished() -> tuple[Any, Array | None]:
        made, keys = waiting.popleft().result()
        again = None if seen is None or keys is None else seen.repeats(keys)
        count = 0 if again is None else int(again.sum())
        notes.duplicates += count
        return made, again if count else None

    with ThreadPoolExecutor(THREADS) as pool:
        line = 1
        for data in _blocks(stream):
            waiting.append(pool.submit(reader.read, data, line, type_block))
            line += count_of(data, b"\n") + (not data.endswith(b"\n"))
            if len(waiting) > THREADS + _AHEAD:
                yield finished()
        while waiting:
            yield finished()
        notes.lines = line - 1


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The file in pieces that end with a line's end, without the mark at its start."""
    carry = b""
    # Fewer blocks cost less, while they stay below the size from which the allocator asks the system each time.
    size = BLOCK if limits().is_tight else BLOCK * 7 // 4
    more = stream.read(size).removeprefix(codecs.BOM_UTF8)
    while more:
        end = more.rfind(b"\n") + 1
        if end:
            # Joined, so that the bytes are copied once.
            yield b"".join((carry, memoryview(more)[:end]))
            carry = more[end:]
        else:
            carry += more
            limits().check_line(carry)
        more = stream.read(size)
    if carry:
        yield carry


class _Reader:
    def __init__(self, contract: Contract, notes: Notes, con: duckdb.DuckDBPyConnection) -> None:
        self.contract, self.notes, self.con = contract, notes, con
        self._lock = threading.Lock()
        self._plan = Plan.of(contract)
        self._whole = WholeBlocks(contract, notes)
        self._paths: list[str] = []
        self._shapes: dict[int, bool] = {}
        self._names = [column.name for column in contract.columns if column.sources]
        self._scalars = [column.name for column in contract.columns if column.sources and column.type != "json"]

    def read(self, data: bytes, line: int, type_block: Callable[[TextBlock], Any]) -> tuple[Any, Array | None]:
        """(what `type_block` makes of the block, the hashes of its lines)."""
        lines = _find_lines(data, line)
        parts: list[pa.Table] = []
        left = np.arange(len(lines.texts))
        with self.con.cursor() as con:
            asked = Lines(con, lines.texts, self._paths, hashed=self.contract.identical_rows == "duplicate")
            whole = None if lines.broken else self._whole.read(data, lines.texts, asked)
            keys = asked.hashes()
            if whole is not None:
                taken = np.flatnonzero(whole[1])
                left = np.flatnonzero(~whole[1])
                parts.append(_placed(whole[0], taken, lines.numbers[taken]))
            if len(left):
                doubtful = _doubtful(data, lines) if whole is None else _doubtful_of(lines, left)
                table = self._read_by_engine(con, lines, left[~doubtful])
                if table is not None:
                    parts.append(table)
                    left = np.setdiff1d(left, table["_pos"].to_numpy(), assume_unique=True)
        rejects: dict[int, Reject] = {}
        is_json = not len(left)
        if len(left) or not parts:
            other, rejects = self._read_one_by_one(lines, left)
            parts.append(other)
        table = parts[0] if len(parts) == 1 else pa.concat_tables(parts).sort_by("_pos")
        records = table["_pos"].to_numpy()
        position = table.schema.get_field_index("_pos")
        table = table.set_column(position, "_pos", pa.array(np.arange(table.num_rows)))
        cells = {name: name for name in self._names}
        # What Python writes of a number beyond all numbers is not JSON.
        return type_block(TextBlock(table, cells, lines.texts, records, rejects, keys, is_json)), keys

    def _read_by_engine(self, con: duckdb.DuckDBPyConnection, lines: _Lines, fine: Array) -> pa.Table | None:
        """Text columns of those of the lines that the engine and Python read alike; None where there are none."""
        if self._plan is None or not len(fine):
            return None
        source = pa.table({"t": lines.texts, "_pos": np.arange(len(lines.texts)), "_line": lines.numbers})
        if len(fine) < len(lines.texts):
            source = source.take(pa.array(fine))
        plan, table = self._run(con, source)
        while self._judge(con, source, table, plan):
            plan, table = self._run(con, source)
        odd = table["_odd"].to_numpy(zero_copy_only=False) | ~self._known(table)
        for name in self._scalars:
            odd |= _starts_like_a_list(table[name])
        if odd.any():
            table = table.filter(pa.array(~odd))
        for n, key in enumerate(plan.extra_keys()):
            if key not in self.notes.added and not is_known(self.contract, key) and pc.any(table[f"_x{n}"]).as_py():
                self.notes.added.add(key)
        columns = [*self._names, "_extra", "_pos", "_line"]
        return table.select(columns).append_column("_found", pa.nulls(table.num_rows, pa.string()))

    def _run(self, con: duckdb.DuckDBPyConnection, source: pa.Table) -> tuple[Plan, pa.Table]:
        import duckdb

        with self._lock:
            plan = self._plan
        assert plan is not None
        con.register("_lines", source)
        try:
            return plan, con.execute(plan.query("_lines")).to_arrow_table()
        except (duckdb.InvalidInputException, UnicodeDecodeError):
            # The message quotes the line, and may cut a character in two.
            valid = "SELECT *, json_valid(t) AS _valid FROM _lines"
            con.register("_lines", con.execute(valid).to_arrow_table().filter(pc.field("_valid")))
            return plan, con.execute(plan.query("_lines")).to_arrow_table()
        finally:
            con.unregister("_lines")

    def _judge(self, con: duckdb.DuckDBPyConnection, source: pa.Table, table: pa.Table, plan: Plan) -> bool:
        """Judge the shapes not met before; whether the plan has grown, so that the block must be read again.

        Another block may have made it grow, and may have judged the shapes of this one.
        """
        shapes, first = np.unique(table["_shape"].to_numpy(), return_index=True)
        with self._lock:
            assert self._plan is not None
            new = [n for n, shape in enumerate(shapes.tolist()) if shape not in self._shapes]
            if new:
                picked = table["_pos"].take(pa.array(first[new]))
                con.register("_some", source.filter(pc.is_in(source["_pos"], picked.combine_chunks())))
                keys_of = f"SELECT k, hash(k) FROM (SELECT {plan.keys_sql()} AS k FROM _some)"
                found = con.execute(keys_of).fetchall()
                con.unregister("_some")
                if len(self._shapes) > _MANY_SHAPES:
                    self._shapes.clear()
                for keys, shape in found:
                    self._shapes[shape], more = self._plan.judge(keys)
                    self._plan = self._plan.with_extra(more)
            return self._plan.extra != plan.extra

    def _known(self, table: pa.Table) -> Array:
        """Rows whose shape a plan can read."""
        shapes, place = np.unique(table["_shape"].to_numpy(), return_inverse=True)
        with self._lock:
            fine = np.array([self._shapes.get(shape, False) for shape in shapes.tolist()], bool)
        found: Array = fine[place]
        return found

    def _read_one_by_one(self, lines: _Lines, positions: Array) -> tuple[pa.Table, dict[int, Reject]]:
        rows = Records(self.contract, self.notes, bytes.decode)
        kept: list[int] = []
        rejects: dict[int, Reject] = {}
        for position in positions.tolist():
            content = lines.broken.get(position)
            if content is None:
                content = lines.texts[position].as_py().encode()
            rows.add_line(content, int(lines.numbers[position]))
            if len(rows.lines) > len(kept):
                kept.append(position)
            else:
                rejects[position] = rows.rejects[-1]
        table = rows.finish().table.select([*self._names, "_extra", "_pos", "_line", "_found"])
        return table.set_column(table.schema.get_field_index("_pos"), "_pos", pa.array(kept, pa.int64())), rejects


def _find_lines(data: bytes, line: int) -> _Lines:
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array == _NEWLINE) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    whole = pa.Array.from_buffers(pa.string(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    broken: dict[int, bytes] = {}
    if not data.isascii():
        try:
            whole.validate(full=True)
        except pa.ArrowInvalid:
            whole, broken = _without_broken(data)
    texts = pc.ascii_trim(whole, characters=_BLANKS)
    numbers = line + np.arange(len(ends))
    filled = np.flatnonzero(pc.binary_length(texts).to_numpy())
    if len(filled) < len(texts):
        place = {int(old): new for new, old in enumerate(filled)} if broken else {}
        broken = {place[old]: content for old, content in broken.items()}
        texts, numbers = texts.take(pa.array(filled)), numbers[filled]
    return _Lines(texts, numbers, ends, filled, broken)


def _placed(table: pa.Table, positions: Array, numbers: Array) -> pa.Table:
    """A table of whole lines with the columns that the other readers give."""
    table = table.append_column("_pos", pa.array(positions, pa.int64()))
    table = table.append_column("_line", pa.array(numbers, pa.int64()))
    return table.append_column("_found", pa.nulls(table.num_rows, pa.string()))


def _doubtful(data: bytes, lines: _Lines) -> Array:
    """Which of the lines of a block the engine might read otherwise than Python."""
    array = np.frombuffer(data, np.uint8)
    found = np.zeros(len(lines.ends), bool)
    found[np.searchsorted(lines.ends, doubtful_places(data, array), "right")] = True
    found |= _deep(array, lines.ends)
    found = found[lines.filled]
    found[list(lines.broken)] = True
    return found


def _doubtful_of(lines: _Lines, positions: Array) -> Array:
    """The same for some of the lines."""
    data = "\n".join([*lines.texts.take(pa.array(positions)).to_pylist(), ""]).encode()
    return _doubtful(data, _find_lines(data, 1))


def _deep(array: Array, ends: Array) -> Array:
    """Lines with so many brackets that they may be nested deeper than Python reads."""
    lengths = np.diff(ends, prepend=0)
    if lengths.max(initial=0) < 2 * _MANY_BRACKETS:
        return np.zeros(len(ends), bool)
    # Both opening brackets, told by the bit in which they differ.
    places = np.flatnonzero((array | 32) == ord("{"))
    found: Array = np.diff(np.searchsorted(places, ends), prepend=0) > _MANY_BRACKETS
    return found


def _without_broken(data: bytes) -> tuple[pa.Array, dict[int, bytes]]:
    """The lines with a stand-in for each that is not UTF-8, and those by their number."""
    texts, broken = [], {}
    for number, content in enumerate(data.split(b"\n")[: None if data[-1:] != b"\n" else -1]):
        try:
            texts.append(content.decode())
        except UnicodeDecodeError:
            broken[number] = content.strip()
            texts.append(_NOT_UTF8 + broken[number].decode("utf-8", "backslashreplace"))
    return pa.array(texts, pa.string()), broken


def _starts_like_a_list(column: pa.ChunkedArray) -> Array:
    """Values that begin as an object or a list does; a text may, too, and is then read by itself."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.string())
    found = np.zeros(len(array), bool)
    _, offset_buffer, data_buffer = array.buffers()
    if len(array) and data_buffer is not None and data_buffer.size:
        offsets = np.frombuffer(offset_buffer, np.int32)[array.offset : array.offset + len(array) + 1]
        data = np.frombuffer(data_buffer, np.uint8)
        first = data[np.minimum(offsets[:-1], len(data) - 1)]
        found = ((first == ord("{")) | (first == ord("["))) & (np.diff(offsets) > 0)
    return found
