"""Whole columns of a block at once, where every text is written in the usual way and every check holds.

What is given here is what the query of `typing_sql` would give, without a problem in any row (a test compares them).
Where a single text is odd nothing is given, and the query looks at the column row by row.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import Column, Contract
from ingestion.currencies import WITHOUT_DECIMALS, codes
from ingestion.times import Numbers, as_array, iso_times, laid_out, local_times, usual_times

#: Spellings of yes and no that need no change of case.
_TRUE, _FALSE = ("true", "1", "yes", "y", "t"), ("false", "0", "no", "n", "f")

#: Digits of a number of seconds, milliseconds or microseconds since 1970, and how many microseconds one is.
_EPOCHS = {"epoch_s": (11, 1_000_000), "epoch_ms": (14, 1_000), "epoch_us": (17, 1)}

_MOST_DIGITS = 18
_FIRST_DATE, _LAST_DATE = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31 in days since 1970

_TYPES = {
    "string": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


def arrow_type(column: Column) -> pa.DataType:
    """What the query gives for a column, as Arrow's type."""
    return pa.decimal128(18, column.scale) if column.type == "decimal" else _TYPES[column.type]


class UsualColumns:
    """Columns of one block of `count` rows. `texts` are the cells by the name of the column.

    `checked_json` are columns whose texts are known to be JSON.
    """

    def __init__(
        self, contract: Contract, texts: dict[str, pa.ChunkedArray], count: int, checked_json: Iterable[str] = ()
    ) -> None:
        self._contract, self._texts, self._count = contract, texts, count
        self._json = frozenset(checked_json)
        self._by_name = {column.name: column for column in contract.columns}
        self._clean: dict[str, pa.Array | None] = {}
        #: `_t<number of a column>`: the times that could be told, of columns that the query must look at.
        self.some_times: dict[str, pa.Array] = {}

    def all(self) -> dict[str, pa.Array]:
        """Typed values by name, of the columns in which nothing is odd."""
        found = {}
        for number, column in enumerate(self._contract.columns):
            values = self._values(column)
            if values is not None:
                found[column.name] = values
                continue
            as_is = column.type == "timestamp" and not column.values and column.strip_prefix is None
            if as_is and column.name in self._texts and self._time_formats(column)[0] == "iso":
                self.some_times[f"_t{number}"] = usual_times(self._texts[column.name], self._zone(column))
        return found

    def _values(self, column: Column) -> pa.Array | None:
        texts = self._cleaned(column)
        if texts is None or (column.required == "value" and texts.null_count):
            return None
        if texts.null_count == len(texts):
            return pa.nulls(len(texts), arrow_type(column))
        try:
            values = self._typed(column, texts)
        except pa.ArrowInvalid:
            return None
        if values is None or not self._holds(column, texts, values):
            return None
        return values

    def _cleaned(self, column: Column) -> pa.Array | None:
        """The texts with nothing for what stands for nothing; None where that takes the query."""
        if column.name not in self._clean:
            self._clean[column.name] = self._to_clean(column)
        return self._clean[column.name]

    def _to_clean(self, column: Column) -> pa.Array | None:
        if column.generated or column.strip_prefix is not None:
            return None
        if column.value is not None:
            return pa.repeat(pa.scalar(column.value, pa.string()), self._count)
        if column.name not in self._texts:
            return pa.nulls(self._count, pa.string())
        texts = as_array(self._texts[column.name])
        markers = self._contract.null_markers if column.null_markers is None else column.null_markers
        if column.type not in ("string", "json") and "" not in markers:
            markers = ("", *markers)
        texts = without(texts, markers)
        if column.values:
            place = pc.index_in(texts, pa.array(list(column.values), pa.string()))
            texts = pc.coalesce(pa.array(list(column.values.values()), pa.string()).take(place), texts)
        return texts

    def _typed(self, column: Column, texts: pa.Array) -> pa.Array | None:
        match column.type:
            case "string":
                return texts
            case "json":
                return texts if column.name in self._json else None
            case "integer":
                return pc.cast(texts, pa.int64()) if _is_made_of(texts, b"0123456789-", _MOST_DIGITS) else None
            case "decimal":
                return self._decimals(column, texts)
            case "boolean":
                yes, no = (pc.is_in(texts, pa.array(words)) for words in (_TRUE, _FALSE))
                known = pc.all(pc.or_(pc.or_(yes, no), pc.is_null(texts))).as_py()
                return pc.if_else(pc.is_null(texts), None, yes) if known else None
            case "date":
                return self._dates(column, texts)
            case "timestamp":
                return self._times(column, texts)

    def _decimals(self, column: Column, texts: pa.Array) -> pa.Array | None:
        comma = self._contract.numbers.decimal_separator == ","
        point = b"," if comma else b"."
        if self._contract.numbers.thousands_separator == point.decode():
            return None
        if not _is_made_of(texts, b"0123456789-" + point, _MOST_DIGITS - column.scale):
            return None
        plain = pc.replace_substring(texts, ",", ".") if comma else texts
        return pc.cast(plain, arrow_type(column))

    def _dates(self, column: Column, texts: pa.Array) -> pa.Array | None:
        first = (column.formats or self._contract.times.date_formats)[0]
        if first == "iso":
            dates = pc.cast(texts, pa.date32())
        else:
            seconds = laid_out(texts, first)
            if seconds is None:
                return None
            dates = pa.array((seconds // 86_400).astype(np.int32), pa.int32(), mask=_nulls(texts)).cast(pa.date32())
        days = pc.min_max(dates.cast(pa.int32()))
        return dates if days["min"].as_py() >= _FIRST_DATE and days["max"].as_py() <= _LAST_DATE else None

    def _times(self, column: Column, texts: pa.Array) -> pa.Array | None:
        first, zone = self._time_formats(column)[0], self._zone(column)
        if first == "iso":
            return iso_times(texts, zone)
        if first in _EPOCHS:
            digits, factor = _EPOCHS[first]
            if not _is_made_of(texts, b"0123456789-", digits):
                return None
            return pc.multiply(pc.cast(texts, pa.int64()), factor).cast(pa.timestamp("us"))
        seconds = None if "%z" in first else laid_out(texts, first)
        return None if seconds is None else local_times(seconds, _nulls(texts), zone)

    def _time_formats(self, column: Column) -> tuple[str, ...]:
        return column.formats or self._contract.times.formats

    def _zone(self, column: Column) -> str:
        return column.timezone or self._contract.times.timezone

    def _holds(self, column: Column, texts: pa.Array, values: pa.Array) -> bool:
        """Whether every check of the column is simple and holds for all its values."""
        if not _is_within(column, values):
            return False
        if column.pattern is not None:
            # Both engines use the same library of expressions.
            fits = pc.match_substring_regex(texts, rf"\A(?:{column.pattern})\z")
            if pc.all(fits).as_py() is False:
                return False
        if column.allowed and not _are_among(texts, column.allowed):
            return False
        if column.iso4217 and not _are_among(texts, codes()):
            return False
        return column.currency is None or self._are_whole(column, values)

    def _are_whole(self, column: Column, values: pa.Array) -> bool:
        """No amount has decimals that its currency does not have. A code in small letters is left to the query."""
        currency = self._cleaned(self._by_name[str(column.currency)])
        if currency is None or column.type != "decimal":
            return False
        kinds = [code for code in pc.unique(currency).to_pylist() if code is not None]
        if not any(code.upper() in WITHOUT_DECIMALS for code in kinds):
            return True
        amounts = values.filter(pc.is_in(currency, pa.array([c for c in kinds if c.upper() in WITHOUT_DECIMALS])))
        return bool(pc.all(pc.equal(pc.trunc(amounts), amounts)).as_py() is not False)


def without(texts: pa.Array, markers: Iterable[str]) -> pa.Array:
    """The texts, null where they are one of the markers."""
    markers = tuple(markers)
    if not markers or (markers == ("",) and not _has_empty(texts)):
        return texts
    met = pc.equal(texts, markers[0]) if len(markers) == 1 else pc.is_in(texts, pa.array(markers, pa.string()))
    return pc.if_else(met, None, texts) if pc.any(met).as_py() else texts


def _has_empty(texts: pa.Array) -> bool:
    offsets, _ = _buffers(texts)
    return bool(len(texts)) and bool((offsets[1:] == offsets[:-1]).any())


def _is_made_of(texts: pa.Array, characters: bytes, longest: int) -> bool:
    """True when no text has another character or is longer. Casts take more than a contract does."""
    offsets, data = _buffers(texts)
    if int(np.diff(offsets).max(initial=0)) > longest:
        return False
    return not data[offsets[0] : offsets[-1]].tobytes().translate(None, characters)


def _buffers(texts: pa.Array) -> tuple[Numbers, Numbers]:
    """(where the texts begin, the last one's end behind them; the bytes they point to)."""
    _, offsets, data = texts.buffers()
    found = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return found, np.frombuffer(data if data is not None else b"", np.uint8)


def _nulls(texts: pa.Array) -> Numbers | None:
    return pc.is_null(texts).to_numpy(zero_copy_only=False) if texts.null_count else None


def _are_among(texts: pa.Array, words: Iterable[str]) -> bool:
    met = pc.is_in(texts, _word_list(tuple(words)))
    return bool(pc.sum(met).as_py() == len(texts) - texts.null_count)


@lru_cache(maxsize=64)
def _word_list(words: tuple[str, ...]) -> pa.Array:
    return pa.array(words, pa.string())


def _is_within(column: Column, values: pa.Array) -> bool:
    """Bounds of numbers; those of other types are left to the query."""
    if column.min is None and column.max is None:
        return True
    if column.type == "decimal":
        low, high = (None if bound is None else Decimal(str(bound)) for bound in (column.min, column.max))
    elif column.type == "integer" and all(bound is None or type(bound) is int for bound in (column.min, column.max)):
        low, high = column.min, column.max  # type: ignore[assignment]
    else:
        return False
    for bound in (low, high):
        # The query rounds a bound to the decimals of the column.
        if isinstance(bound, Decimal) and (not bound.is_finite() or bound != round(bound, column.scale)):
            return False
    found = pc.min_max(values)
    least, most = found["min"].as_py(), found["max"].as_py()
    return (low is None or least >= low) and (high is None or most <= high)
