"""Whole blocks of NDJSON through Arrow's JSON parser, as long as every line has the types met before.

Arrow's parser is as strict as Python's about what JSON is (numbers beside), refuses a key that is written twice, and
gives every key there is. Its types are learnt from the file: a text stays a text, whatever it looks like. Lines with a
number that is not a plain integer are left to the other readers, and so is a block that does not fit
(`ndjson.py`): each of them writes the same rows (`tests/unit/ingestion/test_ndjson_reader.py`).
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import Column, Contract
from ingestion.readers.base import Notes, is_known
from ingestion.readers.cells_json import escaped, has_controls, in_braces
from ingestion.readers.json_types import is_read_as_text, merged, readable, size
from ingestion.readers.paths import VALUE_KINDS, parse_path, used_keys
from ingestion.readers.seen import HASHES, stacked
from ingestion.times import as_array
from ingestion.typing_sql import literal

if TYPE_CHECKING:
    import duckdb

#: A key that can be written into a JSON path of the engine between quotes.
_SIMPLE = re.compile(r'[^"\\*\x00-\x1f]+')
#: Characters that only Python reads and stores as they are meant.
_ESCAPE = re.compile(rb"\\u(?:0000|00[01]|[dD][89a-fA-F])")

_MOST_FIELDS, _DEEPEST = 300, 20
_OPEN, _CLOSE = b"{}"

#: So many different texts are quoted one by one.
_FEW = 200

#: Blocks that may fail more often than they succeed before no more are tried.
_PATIENCE = 5

Array = np.ndarray[Any, Any]
Steps = tuple[str, ...]


class Lines:
    """What the engine makes of the lines of a block: their hashes, and the JSON of values.

    `paths` are those that were asked for in earlier blocks: they are read in one go with the hashes.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, texts: pa.Array, paths: list[str], *, hashed: bool) -> None:
        self._con, self._texts, self._paths, self._hashed = con, texts, paths, hashed
        self._found: dict[str, pa.Array] = {}
        self._hashes: Array | None = None

    def extract(self, path: str) -> pa.Array:
        """JSON of what stands at a path of the engine."""
        if path not in self._found:
            if path not in self._paths:
                self._paths.append(path)
            self._ask([path for path in self._paths if path not in self._found])
        return self._found[path]

    def hashes(self) -> Array | None:
        """Hashes of the lines (see `row_hashes`), where they are wanted. The lines need not be JSON."""
        if self._hashed and self._hashes is None:
            self._ask([])
        return self._hashes

    def _ask(self, paths: list[str]) -> None:
        hashed = self._hashed and self._hashes is None
        values = [f"json_extract(t, {literal(path)}) AS v{n}" for n, path in enumerate(paths)]
        self._con.register("_lines", pa.table({"t": self._texts}))
        try:
            query = f"SELECT {', '.join([*([HASHES] if hashed else []), *values])} FROM _lines"
            found = self._con.execute(query).to_arrow_table()
        finally:
            self._con.unregister("_lines")
        self._found |= {path: as_array(found[f"v{n}"]) for n, path in enumerate(paths)}
        if hashed:
            self._hashes = stacked(found)


class Misfit(Exception):
    """The block is not for this reader."""


@dataclass
class WholeBlocks:
    """Reads blocks of one file. Used by several threads; the types are theirs together."""

    contract: Contract
    notes: Notes
    _types: pa.Schema | None = None
    _failures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        paths = [(column, parse_path(source)) for column in self.contract.columns for source in column.sources]
        self._used = used_keys(path for _, path in paths)
        keys = {step for _, path in paths for step in path.steps}
        odd = any(column.type == "json" and path.parameter is not None for column, path in paths)
        self._is_possible = not odd and all(_SIMPLE.fullmatch(key) for key in keys)

    def read(self, data: bytes, texts: pa.Array, lines: Lines) -> tuple[pa.Table, Array] | None:
        """(columns of the contract and `_extra` as text, which lines they are) of the filled lines of a block.

        None where another reader is needed for all of them.
        """
        if not self._is_possible or not len(texts) or self._failures > _PATIENCE:
            return None
        try:
            block = _Block(self._parse(data, texts), data, texts, lines)
            table = self._columns(block)
        except (Misfit, pa.ArrowInvalid, UnicodeDecodeError):
            self._failures += 1
            return None
        self._failures = max(self._failures - 1, -_PATIENCE)
        return table, block.plain

    def _parse(self, data: bytes, texts: pa.Array) -> pa.Table:
        """One row per filled line. Raises `Misfit` or `ArrowInvalid`."""
        _, offsets, held = texts.buffers()
        places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        signs = np.frombuffer(held, np.uint8)
        # No record can go over such line ends, so one record per line is told from their number.
        if (signs[places[:-1]] != _OPEN).any() or (signs[places[1:] - 1] != _CLOSE).any():
            raise Misfit
        types = self._types
        for _ in range(3):
            try:
                table = _parsed(data, types)
            except pa.ArrowInvalid:
                if types is None:
                    raise
                table = _parsed(data, None)
            found = merged(types, readable(table.schema))
            if found is None:
                raise Misfit
            fields, levels = size(found)
            if fields > _MOST_FIELDS or levels > _DEEPEST:
                raise Misfit
            if all(is_read_as_text(one.type) for one in table.schema):
                if table.num_rows != len(texts):
                    raise Misfit
                return table
            with self._lock:
                self._types = types = merged(self._types, found)
            if types is None:
                raise Misfit
        raise Misfit

    def _columns(self, block: _Block) -> pa.Table:
        made: dict[str, pa.Array] = {}
        for column in self.contract.columns:
            if column.sources:
                made[column.name] = self._column(block, column)
        extra = self._extra(block, (), self._used, block.fields)
        made["_extra"] = block.nothing if extra is None else extra
        return block.finish(made)

    def _column(self, block: _Block, column: Column) -> pa.Array:
        found = []
        for path in map(parse_path, column.sources):
            if path.parameter is not None:
                found.append(block.parameter(path.steps, path.parameter))
            elif column.type == "json":
                found.append(block.json(path.steps))
            else:
                found.append(block.text(path.steps))
        return found[0] if len(found) == 1 else pc.coalesce(*found)

    def _extra(self, block: _Block, steps: Steps, used: dict[str, Any], fields: dict[str, pa.Array]) -> pa.Array | None:
        """JSON of what the contract does not read of an object, as `json.py` writes it; None where that is nothing."""
        entries = []
        for key in sorted(fields):
            branch = used.get(key)
            if branch is None:
                value = block.json((*steps, key))
            elif branch and "*" not in branch and pa.types.is_struct(fields[key].type):
                value = self._extra(block, (*steps, key), branch, _fields(fields[key]))
            elif branch and not pa.types.is_null(fields[key].type) and not pa.types.is_list(fields[key].type):
                raise Misfit
            else:
                value = None
            if value is None or value.null_count == len(value):
                continue
            if not steps and key not in self.notes.added and not is_known(self.contract, key):
                self.notes.added.add(key)
            entries.append(pc.binary_join_element_wise(json.dumps(key, ensure_ascii=False) + ":", value, ""))
        return in_braces(entries, ",") if entries else None


class _Block:
    """A parsed block. `plain` are the lines that may be taken from it."""

    def __init__(self, table: pa.Table, data: bytes, texts: pa.Array, lines: Lines) -> None:
        self._lines, self._count = lines, table.num_rows
        self.nothing = pa.nulls(self._count, pa.string())
        self.fields = {name: as_array(table[name]) for name in table.column_names}
        self.plain = np.ones(self._count, bool)
        self._pairs: dict[Steps, tuple[Array, list[str], Array, pa.Array]] = {}
        rows = np.arange(self._count)
        for values in self.fields.values():
            self._leave_odd_numbers(values, rows)
        # One byte is looked for many times as fast as two.
        if b"\\" in data and _ESCAPE.search(data):
            odd = pc.match_substring_regex(texts, _ESCAPE.pattern.decode())
            self.plain &= ~odd.to_numpy(zero_copy_only=False)

    def _leave_odd_numbers(self, values: pa.Array, rows: Array) -> None:
        """Lines with a number that is no plain integer are not plain. `rows` are the lines of the values."""
        kind = values.type
        if not _has_floats(kind):
            return
        if pa.types.is_struct(kind):
            for inner in _fields(values).values():
                self._leave_odd_numbers(inner, rows)
        elif pa.types.is_list(kind):
            lengths = np.diff(values.offsets.to_numpy())
            self._leave_odd_numbers(values.values, np.repeat(rows, lengths))
        elif pa.types.is_floating(kind) and values.null_count < len(values):
            self.plain[rows[pc.is_valid(values).to_numpy(zero_copy_only=False)]] = False

    def _at(self, steps: Steps) -> pa.Array | None:
        """What stands there; None where no line has it."""
        fields, found = self.fields, None
        for depth, step in enumerate(steps, start=1):
            found = fields.get(step)
            if found is None or pa.types.is_null(found.type):
                return None
            if depth < len(steps):
                if not pa.types.is_struct(found.type):
                    raise Misfit
                fields = _fields(found)
        return found

    def text(self, steps: Steps) -> pa.Array:
        found = self._at(steps)
        return self.nothing if found is None else _as_text(found)

    def json(self, steps: Steps) -> pa.Array:
        """JSON of a value: written here where it is a plain one, else taken from the line by the engine."""
        found = self._at(steps)
        if found is None:
            return self.nothing
        kind = found.type
        if pa.types.is_string(kind):
            written = _quoted(found)
            if written is not None:
                return written
        if pa.types.is_floating(kind):
            return self.nothing
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            return _as_text(found)
        if not all(_SIMPLE.fullmatch(step) for step in steps):
            raise Misfit
        path = "$" + "".join(f'."{step}"' for step in steps)
        values = self._lines.extract(path)
        return pc.if_else(pc.is_valid(found), values, None) if found.null_count else values

    def parameter(self, steps: Steps, key: str) -> pa.Array:
        """The value of a key in a list of keys and values; of equal keys the first counts."""
        if steps not in self._pairs:
            self._pairs[steps] = self._read_pairs(steps)
        rows, keys, codes, values = self._pairs[steps]
        if key not in keys:
            return self.nothing
        met = np.flatnonzero(codes == keys.index(key))
        of = rows[met]
        place = np.zeros(self._count, np.int64)
        is_there = np.zeros(self._count, bool)
        # The last that is written stays: the first of equal keys.
        place[of[::-1]], is_there[of] = met[::-1], True
        return values.take(pa.array(place, mask=~is_there))

    def _read_pairs(self, steps: Steps) -> tuple[Array, list[str], Array, pa.Array]:
        """(line of each entry, the keys there are, which of them each entry has, its value as text)."""
        found = self._at(steps)
        if found is None:
            return np.zeros(0, np.int64), [], np.zeros(0, np.int64), self.nothing
        if not pa.types.is_list(found.type):
            raise Misfit
        rows = np.repeat(np.arange(self._count), np.diff(found.offsets.to_numpy()))
        entries = found.values
        if not len(entries):
            return np.zeros(0, np.int64), [], np.zeros(0, np.int64), self.nothing
        parts = _fields(entries) if pa.types.is_struct(entries.type) else {}
        if entries.null_count or "key" not in parts or not pa.types.is_string(parts["key"].type):
            raise Misfit
        if parts["key"].null_count:
            raise Misfit
        encoded = parts["key"].dictionary_encode()
        value = parts.get("value")
        if value is None or pa.types.is_null(value.type):
            values = pa.nulls(len(entries), pa.string())
        elif pa.types.is_struct(value.type):
            kinds = _fields(value)
            texts = [_as_text(kinds[kind]) for kind in VALUE_KINDS if kind in kinds]
            values = pc.coalesce(*texts) if texts else pa.nulls(len(entries), pa.string())
        else:
            values = _as_text(value)
        return rows, encoded.dictionary.to_pylist(), encoded.indices.to_numpy(), values

    def finish(self, columns: dict[str, pa.Array]) -> pa.Table:
        table = pa.table(columns)
        return table if self.plain.all() else table.filter(pa.array(self.plain))


def _quoted(texts: pa.Array) -> pa.Array | None:
    """Texts as JSON; None where a control character is in many different ones."""
    encoded = texts.dictionary_encode()
    if len(encoded.dictionary) <= _FEW:
        words = [json.dumps(text, ensure_ascii=False) for text in encoded.dictionary.to_pylist()]
        return pa.array(words, pa.string()).take(encoded.indices)
    return None if has_controls(texts) else pc.binary_join_element_wise('"', escaped(texts), '"', "")


def _has_floats(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_has_floats(inner.type) for inner in kind)
    return _has_floats(kind.value_type) if pa.types.is_list(kind) else pa.types.is_floating(kind)


def _parsed(data: bytes, types: pa.Schema | None) -> pa.Table:
    from pyarrow import json as arrow_json

    return arrow_json.read_json(
        pa.BufferReader(data),
        arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
        arrow_json.ParseOptions(explicit_schema=types, unexpected_field_behavior="infer", newlines_in_values=False),
    )


def _fields(values: pa.Array) -> dict[str, pa.Array]:
    return {values.type.field(n).name: values.field(n) for n in range(values.type.num_fields)}


def _as_text(values: pa.Array) -> pa.Array:
    """A text, a whole number or a yes or no as `json.py` writes it; nothing for numbers of lines that are left."""
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_null(kind) or pa.types.is_floating(kind):
        return pa.nulls(len(values), pa.string())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return values.cast(pa.string())
    raise Misfit
