"""Small conversions between pyarrow columns and numpy: days since 1970-01-01, exact hundredths, customer codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]

EPOCH = date(1970, 1, 1)
# "Still open": later than every day there is, small enough to add to.
NEVER = 2**30


def need_columns(name: str, table: pa.Table, columns: tuple[str, ...]) -> None:
    """ValueError that names the table and its missing columns."""
    missing = [c for c in columns if c not in table.column_names]
    if missing:
        raise ValueError(f"{name} lacks {', '.join(missing)}; it has {', '.join(table.column_names)}")


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(number: int) -> date:
    """Inverse of day_number."""
    return EPOCH + timedelta(days=int(number))


def days_of(column: Any, missing: int = NEVER) -> Ints:
    """DATE column as days since 1970-01-01, NULL as `missing`."""
    numbers = pc.fill_null(pc.cast(pc.cast(column, pa.date32()), pa.int32()), missing)
    return _numpy(numbers).astype(np.int64)


def hundredths_of(column: Any) -> Ints:
    """Money column as exact hundredths, NULL as 0. Decimals with more than two places raise ArrowInvalid."""
    money = pc.cast(pc.fill_null(pc.cast(column, pa.decimal128(38, 2)), Decimal("0.00")), pa.decimal128(18, 2))
    return _numpy(pc.cast(pc.multiply(money, pa.scalar(Decimal(100))), pa.int64())).astype(np.int64)


def decimals_from(hundredths: Ints, valid: npt.NDArray[np.bool_] | None = None) -> Any:
    """Exact hundredths as DECIMAL(18,2); where `valid` is false NULL."""
    low = np.ascontiguousarray(hundredths, dtype=np.int64)
    words = np.stack([low, low >> 63], axis=1)
    array = pa.Array.from_buffers(pa.decimal128(18, 2), len(low), [None, pa.py_buffer(words.tobytes())])
    return array if valid is None else pc.if_else(pa.array(valid), array, pa.scalar(None, pa.decimal128(18, 2)))


def money_hundredths(values: npt.NDArray[np.float64]) -> Ints:
    """Doubles rounded once to hundredths; what is summed afterwards are integers."""
    return np.rint(values * 100.0).astype(np.int64)


def flags_of(table: pa.Table, column: str, default: bool) -> npt.NDArray[np.bool_]:
    """BOOLEAN column with NULL (or the whole column missing) as `default`."""
    if column not in table.column_names:
        return np.full(table.num_rows, default)
    return _numpy(pc.fill_null(table[column], default)).astype(bool)


def numbers_of(table: pa.Table, column: str) -> npt.NDArray[np.float64]:
    """Numeric column as doubles with NULL (or the whole column missing) as NaN."""
    if column not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return _numpy(pc.fill_null(pc.cast(table[column], pa.float64()), float("nan"))).astype(np.float64)


def codes_in(column: Any, values: Any) -> Ints:
    """Position of each value in `values`, -1 where it is NULL or not among them."""
    found = pc.fill_null(pc.index_in(pc.cast(column, pa.string()), value_set=pc.cast(values, pa.string())), -1)
    codes = _numpy(found).astype(np.int64)
    if column.null_count:
        codes[_numpy(pc.is_null(column)).astype(bool)] = -1
    return codes


def ids_of(*columns: Any) -> tuple[pa.Array, list[Ints]]:
    """(distinct strings in the order in which they appear, per column the position of each value; -1 where NULL).

    One pass of hashing over all columns. Of values that stand together only the first is hashed.
    """
    runs = [pc.run_end_encode(pc.cast(chunk, pa.string())) for column in columns for chunk in _chunks(column)]
    encoded = pa.chunked_array([run.values for run in runs], pa.string()).dictionary_encode().combine_chunks()
    codes = _numpy(pc.fill_null(encoded.indices, -1)).astype(np.int64)
    found, begins, left = [], 0, iter(runs)
    for column in columns:
        parts = [np.zeros(0, dtype=np.int64)]
        for _ in _chunks(column):
            run = next(left)
            ends = run.run_ends.to_numpy()
            parts.append(np.repeat(codes[begins : begins + len(ends)], np.diff(ends, prepend=0)))
            begins += len(ends)
        found.append(np.concatenate(parts))
    return encoded.dictionary, found


def order_by(*keys: Ints) -> Ints:
    """Stable order by the first key, then the second, and so on."""
    packed = _packed(keys, len(keys[0]) - 1) if len(keys[0]) else None
    if packed is None:
        return np.lexsort(keys[::-1])
    # Sorted whole numbers that carry their place are several times as fast as an order by several keys.
    size = (len(keys[0]) - 1).bit_length()
    place = (packed[0] << size) | np.arange(len(keys[0]))
    place.sort()
    return place & ((1 << size) - 1)


def sorted_rows(*keys: Ints) -> list[Ints]:
    """The rows of these columns, by the first, then the second, and so on."""
    packed = _packed(keys, 0) if len(keys[0]) else None
    if packed is None:
        order = np.lexsort(keys[::-1])
        return [key[order] for key in keys]
    rows, lows, widths = packed
    rows.sort()
    found: list[Ints] = []
    for low, width in zip(lows[::-1], widths[::-1], strict=True):
        found.append((rows & ((1 << width) - 1)) + low)
        rows >>= width
    return found[::-1]


def _packed(keys: Sequence[Ints], beside: int) -> tuple[Ints, list[int], list[int]] | None:
    """Keys in one whole number each, their least values and widths in bits; None where 63 bits do not hold them."""
    lows = [int(key.min()) for key in keys]
    widths = [(int(key.max()) - low).bit_length() for key, low in zip(keys, lows, strict=True)]
    if sum(widths) + beside.bit_length() > 63:
        return None
    packed = keys[0] - lows[0]
    for key, low, width in zip(keys[1:], lows[1:], widths[1:], strict=True):
        packed <<= width
        packed |= key - low
    return packed, lows, widths


def _chunks(column: Any) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _numpy(column: Any) -> npt.NDArray[Any]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    array: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return array
