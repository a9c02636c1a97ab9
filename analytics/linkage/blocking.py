"""Which pairs are worth comparing: records that share some key, the rarest keys first, up to a budget of pairs.

No single key may be relied on, since any attribute can be missing, mistyped or stand in the wrong column. So there are
many, from whole attributes to beginnings and endings of names beside parts of a birth date. A key held by many records
says little and costs most: blocks are taken from the smallest up until the budget is spent, larger ones are counted and
left out. With a few thousand records nearly all keys fit, with millions only the telling ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]

#: Distinct pairs formed per record at most; at least `_AT_LEAST` in all.
PAIRS_PER_RECORD = 12
_AT_LEAST = 50_000
#: Most records of one block, whatever the budget: a value that hundreds share finds nobody.
LARGEST_BLOCK = 400


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of row numbers, left below right, ordered. `skipped` blocks were too large, the smallest with that many."""

    left: Ints
    right: Ints
    blocks: int
    skipped: int
    smallest_skipped: int | None

    def __len__(self) -> int:
        return len(self.left)


def candidates(prepared: pa.Table) -> Candidates:
    """Candidate pairs of the rows of a table of `forms.prepare`."""
    rows, codes = _keys(prepared)
    records = prepared.num_rows
    order = np.lexsort((rows, codes))
    rows, codes = rows[order], codes[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    sizes = np.diff(np.append(starts, len(codes)))
    several = np.flatnonzero(sizes > 1)
    starts, sizes = starts[several], sizes[several]
    # Blocks of one size are taken or left together, so that no order among equals decides.
    budget, code, largest = max(_AT_LEAST, PAIRS_PER_RECORD * records), np.empty(0, np.int64), 1
    for size in np.unique(sizes[sizes <= LARGEST_BLOCK]).tolist():
        left, right = _pairs(rows, starts[sizes == size], size)
        grown = np.union1d(code, left * records + right)
        if len(grown) > budget:
            break
        code, largest = grown, size
    skipped = sizes[sizes > largest]
    return Candidates(
        code // max(records, 1),
        code % max(records, 1),
        len(sizes) - len(skipped),
        len(skipped),
        int(skipped.min()) if len(skipped) else None,
    )


def random_pairs(records: int, wanted: int, seed: int = 20) -> tuple[Ints, Ints]:
    """Distinct pairs of row numbers: all of them where there are at most `wanted`, else a seeded draw."""
    if records * (records - 1) // 2 <= wanted:
        left, right = np.triu_indices(records, k=1)
        return left.astype(np.int64), right.astype(np.int64)
    draw = np.random.default_rng(seed)
    one, other = draw.integers(0, records, size=(2, wanted))
    low, high = np.minimum(one, other), np.maximum(one, other)
    code = np.unique((low * records + high)[low < high])
    return code // records, code % records


def _pairs(rows: Ints, starts: Ints, size: int) -> tuple[Ints, Ints]:
    """All pairs within blocks of one size that begin at `starts`; rows of a block are in order."""
    members = rows[starts[:, None] + np.arange(size)]
    one, other = np.triu_indices(size, k=1)
    return members[:, one].ravel(), members[:, other].ravel()


def _keys(prepared: pa.Table) -> tuple[Ints, Ints]:
    """Row numbers and codes of their keys, each pair of row and key once."""
    rows, codes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    offset = 0
    for columns in _key_columns(prepared):
        # Values of several columns under one key: a name counts the same as given and as family name.
        texts = pa.chunked_array(columns)
        at = np.tile(np.arange(prepared.num_rows), len(columns))
        known = pc.is_valid(texts).to_numpy(zero_copy_only=False)
        encoded = texts.combine_chunks().dictionary_encode()
        code = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)[known] + offset
        offset += len(encoded.dictionary)
        both = np.unique(np.stack([code, at[known]]), axis=1) if len(columns) > 1 else np.stack([code, at[known]])
        codes.append(both[0])
        rows.append(both[1])
    return np.concatenate(rows), np.concatenate(codes)


def _key_columns(prepared: pa.Table) -> Iterator[list[pa.Array]]:
    """Each key as one or more text arrays parallel to the rows, null where the row has no such key."""
    get = {name: prepared[name].combine_chunks() for name in prepared.column_names}
    birth = get["birth"]
    year, month_day = _cut(birth, 0, 4), _cut(birth, 4, 8)
    month, day = _cut(birth, 4, 6), _cut(birth, 6, 8)
    names = [get["given"], get["family"]]
    places = [get["street"], get["locality"]]
    ends = [part for name in names for part in (_cut(name, 0, 3), _end(name, 3))]

    for name in ("email", "mailbox", "phone", "birth", "full", "reading", "postcode", "city"):
        yield [get[name]]
    yield [_after_at(get["email"])]
    yield [_cut(get["reading"], 0, 4), _end(get["reading"], 4)]
    yield [year]
    yield [month_day]
    yield [
        _and(year, pc.min_element_wise(month, day, skip_nulls=False), pc.max_element_wise(month, day, skip_nulls=False))
    ]
    yield [_and(_cut(birth, 0, place), _cut(birth, place + 1, 8), pa.scalar(str(place))) for place in range(8)]
    yield names
    yield [_and(_smaller(*names), _larger(*names))]
    yield [_and(*(_cut(pick(*names), 0, 3) for pick in (_smaller, _larger)))]
    for part in (year, month_day, get["postcode"], get["city"]):
        yield [_and(name, part) for name in names]
    yield [_and(name, place) for name in names for place in places]
    for part in (
        year,
        month_day,
        get["postcode"],
        get["city"],
        get["house"],
        _and(_cut(year, 3, 4), day),
        month,
        day,
    ):
        yield [_and(end, part) for end in ends]
    yield ends
    yield places
    yield [_and(place, get["house"]) for place in places]
    yield [_and(_cut(place, 0, 6), get["house"]) for place in places]
    for part in (get["postcode"], get["city"]):
        yield [_and(place, part) for place in places]
    for one, other in (
        (get["house"], get["postcode"]),
        (get["house"], get["city"]),
        (get["house"], year),
        (year, get["postcode"]),
        (month_day, get["city"]),
        (year, get["city"]),
    ):
        yield [_and(one, other)]


def _smaller(one: pa.Array, other: pa.Array) -> pa.Array:
    return pc.min_element_wise(one, other, skip_nulls=False)


def _larger(one: pa.Array, other: pa.Array) -> pa.Array:
    return pc.max_element_wise(one, other, skip_nulls=False)


def _and(*parts: pa.Array) -> pa.Array:
    """Texts joined; null where any part is."""
    return pc.binary_join_element_wise(*parts, "|", null_handling="emit_null")


def _cut(texts: pa.Array, start: int, stop: int) -> pa.Array:
    return pc.utf8_slice_codeunits(texts, start, stop)


def _end(texts: pa.Array, length: int) -> pa.Array:
    return pc.utf8_slice_codeunits(texts, -length)


def _after_at(emails: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(emails, "^.*@", "")
