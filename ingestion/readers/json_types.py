"""Arrow's types of JSON as they are learnt from one block to the next: how two fit together, and what stays a text."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa


def readable(schema: pa.Schema) -> pa.Schema:
    """A schema that was found, to read by: what looks like a time is a text, what was always null is left open."""
    return pa.schema([one for one in map(_readable, schema) if one is not None])


def _readable(one: pa.Field) -> pa.Field | None:
    kind = _kept(one.type)
    return None if kind is None else pa.field(one.name, kind)


def _kept(kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_null(kind):
        return None
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([inner for inner in map(_readable, kind) if inner is not None])
    if pa.types.is_list(kind):
        value = _kept(kind.value_type)
        return None if value is None else pa.list_(value)
    return kind


def is_read_as_text(kind: pa.DataType) -> bool:
    """Whether a type that a block was read with holds no text that was taken for a time."""
    if pa.types.is_struct(kind):
        return all(is_read_as_text(inner.type) for inner in kind)
    return is_read_as_text(kind.value_type) if pa.types.is_list(kind) else not pa.types.is_timestamp(kind)


def merged(one: pa.Schema | None, other: pa.Schema | None) -> pa.Schema | None:
    """What fits both; None where nothing does."""
    if one is None or other is None:
        return other if one is None else one
    both = _merged(pa.struct(list(one)), pa.struct(list(other)))
    return None if both is None else pa.schema(list(both))


def _merged(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if one == other:
        return one
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = {inner.name: inner for inner in one}
        for inner in other:
            kind = inner.type if inner.name not in fields else _merged(fields[inner.name].type, inner.type)
            if kind is None:
                return None
            fields[inner.name] = pa.field(inner.name, kind)
        return pa.struct(list(fields.values()))
    if pa.types.is_list(one) and pa.types.is_list(other):
        value = _merged(one.value_type, other.value_type)
        return None if value is None else pa.list_(value)
    numbers = {pa.int64(), pa.float64()}
    return pa.float64() if one in numbers and other in numbers else None


def size(schema: pa.Schema) -> tuple[int, int]:
    """(fields, levels)."""
    levels = [level for one in schema for level in _levels(one.type, 1)]
    return len(levels), max(levels, default=0)


def _levels(kind: pa.DataType, level: int) -> Iterator[int]:
    yield level
    if pa.types.is_struct(kind):
        for inner in kind:
            yield from _levels(inner.type, level + 1)
    elif pa.types.is_list(kind):
        yield from _levels(kind.value_type, level + 1)
