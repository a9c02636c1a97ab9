"""Small conversions between pyarrow columns and numpy: days since 1970-01-01, exact hundredths, customer codes."""

from __future__ import annotations

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
    codes[_numpy(pc.is_null(column)).astype(bool)] = -1
    return codes


def _numpy(column: Any) -> npt.NDArray[Any]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    array: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return array
