"""ISO timestamps of a whole column at once, for the ways nearly every export writes them.

`2026-01-02 03:04:05`, with `T`, and with `Z`, `+09:00` or ` +0900` behind it. Whatever else is valid, and whatever is
not, is left to the exact rule in `typing_sql`, which gives the same instant for these (there is a test for that).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

#: Years whose offsets are looked up; times outside are left to the exact rule.
_FROM, _TO = 1970, 2037
_FIRST_DAY = np.datetime64(f"{_FROM}-01-01", "D").astype(np.int64)
_UNSURE = np.iinfo(np.int32).min

#: Positions of digits, and what stands between them.
_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])
_SEPARATORS = {4: "-", 7: "-", 13: ":", 16: ":"}
#: Characters behind the seconds: number of them -> (where the sign stands, where the digits stand, a colon)
_OFFSETS = {6: (0, (1, 2, 4, 5), 3), 5: (0, (1, 2, 3, 4), None)}

Numbers = np.ndarray[Any, Any]


def usual_times(texts: pa.ChunkedArray, zone: str) -> pa.Array:
    """Naive UTC (microseconds) of each text that is written in one of the usual ways, else null."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
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
