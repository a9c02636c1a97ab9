"""Times of a whole column at once, for the ways nearly every export writes them.

`2026-01-02 03:04:05`, with `T`, and with `Z`, `+09:00` or ` +0900` behind it, and patterns of fixed width. Whatever
else is valid, and whatever is not, is left to the exact rule in `typing_sql`, which gives the same instant for these
(there is a test for that).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Years whose offsets are looked up; times outside are left to the exact rule.
_FROM, _TO = 1970, 2037
_FIRST_DAY = np.datetime64(f"{_FROM}-01-01", "D").astype(np.int64)
_UNSURE = np.iinfo(np.int32).min

#: Positions of digits, and what stands between them.
_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])
_SEPARATORS = {4: "-", 7: "-", 13: ":", 16: ":"}
#: Characters behind the seconds: number of them -> (where the sign stands, where the digits stand, a colon)
_OFFSETS = {6: (0, (1, 2, 4, 5), 3), 5: (0, (1, 2, 3, 4), None)}

#: What may stand behind the seconds where all texts have the same there.
_TAIL = re.compile(r"|Z|[+-](0\d|1[0-4]):?[0-5]\d")

#: Microseconds of the first and the last day whose offset is known.
_EARLIEST, _LATEST = 86_400_000_000, 2_145_744_000_000_000

#: Digits of the numbers in a strptime pattern.
_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}

Numbers = np.ndarray[Any, Any]


def usual_times(texts: pa.ChunkedArray, zone: str) -> pa.Array:
    """Naive UTC (microseconds) of each text that is written in one of the usual ways, else null."""
    array = as_array(texts)
    count = len(array)
    seconds, known = np.zeros(count, np.int64), np.zeros(count, bool)
    _, offset_buffer, data_buffer = array.buffers()
    if count and data_buffer is not None:
        offsets = np.frombuffer(offset_buffer, np.int32)[array.offset : array.offset + count + 1]
        data = np.frombuffer(data_buffer, np.uint8)
        lengths = np.diff(offsets)
        for length in (19, 20, 24, 25):
            rows = np.flatnonzero(lengths == length)
            if len(rows):
                text = _matrix(data, offsets, rows, length)
                seconds[rows], known[rows] = _read(text, zone)
    return pa.array(seconds * 1_000_000, pa.int64(), mask=~known).cast(pa.timestamp("us"))


def iso_times(texts: pa.Array, zone: str) -> pa.Array | None:
    """`usual_times` where it tells every text; None elsewhere."""
    values = _times_alike(texts, zone)
    if values is None:
        values = usual_times(texts, zone)
    return values if values.null_count == texts.null_count else None


def _times_alike(texts: pa.Array, zone: str) -> pa.Array | None:
    """The same by one cast, where all texts are equally long and have the same offset or none."""
    _, offset_buffer, data_buffer = texts.buffers()
    if texts.null_count or not len(texts) or data_buffer is None:
        return None
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    length = int(offsets[1] - offsets[0])
    if length not in (19, 20, 24, 25) or (np.diff(offsets) != length).any():
        return None
    data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]].reshape(-1, length)
    tail = data[0, 19:].tobytes().decode("latin-1")
    if (data[:, 19:] != data[0, 19:]).any() or not _TAIL.fullmatch(tail):
        return None
    try:
        values = pc.cast(texts, pa.timestamp("us", "UTC" if tail else None)).cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    found = pc.min_max(values)
    if found["min"].as_py() < _EARLIEST or found["max"].as_py() > _LATEST:
        return None
    return values.cast(pa.timestamp("us")) if tail else local_times(values.to_numpy() // 1_000_000, None, zone)


def local_times(seconds: Numbers, nulls: Numbers | None, zone: str) -> pa.Array | None:
    """Naive UTC of local seconds since 1970; None where a clock change is near one of them."""
    if zone != "UTC":
        table = _calendar(zone)
        behind = table[np.clip(seconds // 86_400 - _FIRST_DAY, 0, len(table) - 1)].astype(np.int64)
        if ((behind == _UNSURE) if nulls is None else (behind == _UNSURE) & ~nulls).any():
            return None
        seconds = seconds - behind
    return pa.array(seconds * 1_000_000, pa.int64(), mask=nulls).cast(pa.timestamp("us"))


def laid_out(texts: pa.Array, entry: str) -> Numbers | None:
    """Seconds since 1970 of texts in a strptime pattern, every number at its full width; 0 where there is no text.

    None where one text is written otherwise, or the pattern has other parts than numbers from year to second.
    """
    layout = _layout(entry)
    _, offset_buffer, data_buffer = texts.buffers()
    if layout is None or data_buffer is None:
        return None
    length, parts, signs = layout
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.diff(offsets)
    is_there = np.ones(len(texts), bool) if not texts.null_count else pc.is_valid(texts).to_numpy(zero_copy_only=False)
    if (lengths[is_there] != length).any():
        return None
    text = _matrix(np.frombuffer(data_buffer, np.uint8), offsets, np.flatnonzero(is_there), length)
    if any((text[:, place] != sign).any() for place, sign in signs.items()):
        return None
    numbers = {}
    for part, (start, stop) in parts.items():
        digits = text[:, start:stop] - ord("0")
        if (digits > 9).any():
            return None
        numbers[part] = digits @ 10 ** np.arange(stop - start - 1, -1, -1)
    year, month, day = (numbers[part] for part in "Ymd")
    nought = np.zeros(len(text), np.int64)
    hour, minute, second = (numbers.get(part, nought) for part in "HMS")
    if not ((year >= _FROM) & (year <= _TO) & (month >= 1) & (month <= 12) & (day >= 1)).all():
        return None
    if not ((hour <= 23) & (minute <= 59) & (second <= 59)).all():
        return None
    first, months = _first_days(), (year - _FROM) * 12 + month - 1
    if (day > first[months + 1] - first[months]).any():
        return None
    seconds = np.zeros(len(texts), np.int64)
    seconds[is_there] = (first[months] + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second
    return seconds


@lru_cache(maxsize=64)
def _layout(entry: str) -> tuple[int, dict[str, tuple[int, int]], dict[int, int]] | None:
    """(length of a text, where each number begins and ends, the signs between them by their place)."""
    parts: dict[str, tuple[int, int]] = {}
    signs: dict[int, int] = {}
    place = position = 0
    while position < len(entry):
        if entry[position] == "%":
            part = entry[position + 1 : position + 2]
            if part not in _WIDTHS or part in parts:
                return None
            parts[part] = (place, place + _WIDTHS[part])
            place, position = place + _WIDTHS[part], position + 2
        else:
            if not entry[position].isascii():
                return None
            signs[place] = ord(entry[position])
            place, position = place + 1, position + 1
    return (place, parts, signs) if {"Y", "m", "d"} <= set(parts) else None


def as_array(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One array of what may come in chunks."""
    if not isinstance(texts, pa.ChunkedArray):
        return texts
    if texts.num_chunks == 1:
        # Combining copies even then.
        return texts.chunk(0)
    return pa.concat_arrays(texts.chunks) if texts.num_chunks else pa.array([], texts.type)


def _matrix(data: Numbers, offsets: Numbers, rows: Numbers, length: int) -> Numbers:
    """The texts of these rows side by side, one column per character."""
    if len(rows) == len(offsets) - 1:
        return data[offsets[0] : offsets[-1]].reshape(-1, length)
    return data[offsets[rows][:, None] + np.arange(length)]


def _read(text: Numbers, zone: str) -> tuple[Numbers, Numbers]:
    """(seconds since 1970 in UTC, which of them can be relied on)."""
    digits = text[:, _DIGITS] - ord("0")
    fine = (digits <= 9).all(axis=1)
    for position, sign in _SEPARATORS.items():
        fine &= text[:, position] == ord(sign)
    fine &= (text[:, 10] == ord(" ")) | (text[:, 10] == ord("T"))
    wide = digits.astype(np.int64)
    year = wide[:, 0] * 1000 + wide[:, 1] * 100 + wide[:, 2] * 10 + wide[:, 3]
    month, day, hour, minute, second = (wide[:, n] * 10 + wide[:, n + 1] for n in (4, 6, 8, 10, 12))
    fine &= (year >= _FROM) & (year <= _TO) & (month >= 1) & (month <= 12) & (day >= 1)
    fine &= (hour <= 23) & (minute <= 59) & (second <= 59)
    months = np.where(fine, (year - 1970) * 12 + month - 1, 0)
    first = _first_days()
    fine &= day <= (first[months + 1] - first[months])
    days = first[months] + day - 1
    local = days * 86_400 + hour * 3_600 + minute * 60 + second
    behind, sure = _offset(text[:, 19:], days, zone)
    return local - behind, fine & sure


def _offset(tail: Numbers, days: Numbers, zone: str) -> tuple[Numbers, Numbers]:
    """(seconds ahead of UTC, which of them are known): by what stands behind the seconds, else by the calendar."""
    width = tail.shape[1]
    if width == 0:
        table = _calendar(zone)
        found = table[np.clip(days - _FIRST_DAY, 0, len(table) - 1)].astype(np.int64)
        return found, found != _UNSURE
    if width == 1:
        return np.zeros(len(tail), np.int64), tail[:, 0] == ord("Z")
    blank = width == 6 and bool(len(tail)) and tail[0, 0] == ord(" ")
    sign, places, colon = (1, (2, 3, 4, 5), None) if blank else _OFFSETS[width]
    digits = tail[:, places] - ord("0")
    fine = (digits <= 9).all(axis=1) & ((tail[:, sign] == ord("+")) | (tail[:, sign] == ord("-")))
    if colon is not None:
        fine &= tail[:, colon] == ord(":")
    if blank:
        fine &= tail[:, 0] == ord(" ")
    wide = digits.astype(np.int64)
    hours, minutes = wide[:, 0] * 10 + wide[:, 1], wide[:, 2] * 10 + wide[:, 3]
    fine &= (hours <= 14) & (minutes <= 59)
    return np.where(tail[:, sign] == ord("-"), -1, 1) * (hours * 3_600 + minutes * 60), fine


@lru_cache(maxsize=1)
def _first_days() -> Numbers:
    """Day number of the first of each month since January 1970."""
    months = np.arange((_TO - 1970 + 1) * 12 + 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64)


@lru_cache(maxsize=64)
def _calendar(zone: str) -> Numbers:
    """Seconds ahead of UTC for each day of the years looked up; `_UNSURE` near a day on which the clocks change."""
    info, start = ZoneInfo(zone), datetime(_FROM, 1, 1)
    count = (datetime(_TO + 1, 1, 1) - start).days + 1
    offsets = [(start + timedelta(days=day)).replace(tzinfo=info).utcoffset() for day in range(count + 1)]
    seconds = np.array([0 if offset is None else int(offset.total_seconds()) for offset in offsets], np.int32)
    table = seconds[:count].copy()
    change = np.flatnonzero(seconds[1:] != seconds[:-1])
    for near in (-1, 0, 1):
        table[np.clip(change + near, 0, count - 1)] = _UNSURE
    table[[0, -1]] = _UNSURE
    return table
