"""A block of delimited text whose quotes are in order, read as a whole.

Where its records end is told from the bytes; the cells come from Arrow's parser, which must find as many records. What
is accepted here is read by Python's csv module in exactly the same way; anything doubtful is an `offence`, and its
surroundings are read record by record (`csv.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import WHITESPACE, Dialect

_LONE_RETURN = re.compile(rb"\r(?!\n)")
_NEWLINE, _RETURN = 10, 13

#: UTF-8 of U+F8F0 to U+F8F3, which Python's codec makes of bytes that CP932 does not define.
_UNDEFINED_IN_CP932 = re.compile(b"\xef\xa3[\xb0-\xb3]")


@dataclass(frozen=True)
class Records:
    """Where the records of a block lie: each ends (line end included) at `ends`, and has begun `lines` lines down.

    `offence` is a byte in the first record that needs an exact reader; None where the whole block is in order.
    """

    ends: np.ndarray[Any, Any]
    lines: np.ndarray[Any, Any]
    offence: int | None = None


def is_plain(dialect: Dialect) -> bool:
    """True for dialects that can be read in blocks: one byte each for delimiter and quote."""
    signs = [sign for sign in (dialect.delimiter, dialect.quote, dialect.escape) if sign is not None]
    return (
        dialect.delimiter != WHITESPACE
        and all(sign.isascii() and sign not in "\r\n\0" for sign in signs)
        and len(set(signs)) == len(signs)
    )


def find_records(data: bytes, dialect: Dialect, *, encoding: str | None, longest: int) -> Records:
    """Records of a block that starts with one. `longest` is the length of a record from which on it is an offence."""
    array = np.frombuffer(data, np.uint8)
    offences = _odd_bytes(data, dialect, encoding)
    quote = None if dialect.quote is None else dialect.quote.encode()
    if quote is None or quote not in data:
        line_ends = np.flatnonzero(array == _NEWLINE)
        at = np.arange(len(line_ends))
    else:
        is_quote = array == quote[0]
        signs = np.flatnonzero(is_quote | (array == _NEWLINE))
        quoting = is_quote[signs]
        quotes, line_ends = signs[quoting], signs[~quoting]
        # Line ends with an even number of quotes before them end a record.
        at = np.flatnonzero((np.cumsum(quoting, dtype=np.int32)[~quoting] & 1) == 0)
        offences.extend(_odd_quotes(array, quotes, ord(dialect.delimiter)))
    ends = line_ends[at] + 1
    lines = np.concatenate([[0], at + 1])
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    else:
        lines = lines[:-1]
    starts = np.concatenate([[0], ends[:-1]])
    long = np.flatnonzero(ends - starts > longest)
    if len(long):
        offences.append(int(starts[long[0]]))
    return Records(ends, lines, min(offences, default=None))


def record_texts(data: bytes, records: Records) -> pa.Array:
    """Each record's own text without its line end. Raises `pa.ArrowInvalid` for bytes that are not UTF-8."""
    offsets = np.concatenate([[0], records.ends]).astype(np.int32)
    whole = pa.Array.from_buffers(pa.string(), len(records.ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    if not data.isascii():
        whole.validate(full=True)
    return pc.ascii_rtrim(whole, characters="\r\n")


def read_cells(data: bytes, dialect: Dialect, width: int) -> tuple[pa.Table, list[tuple[int, int]]]:
    """(text columns named "0", "1", …; number and cells of each record that has another width).

    Empty lines are no records. The bytes must be valid UTF-8.
    """
    from pyarrow import csv

    ragged: list[tuple[int, int]] = []

    def skip(row: Any) -> str:
        ragged.append((row.number - 1, row.actual_columns))
        return "skip"

    names = [str(position) for position in range(width)]
    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
        csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=dialect.quote is not None,
            newlines_in_values=dialect.quote is not None,
            invalid_row_handler=skip,
        ),
        csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False),
    )
    return table, ragged


def _odd_bytes(data: bytes, dialect: Dialect, encoding: str | None) -> list[int]:
    """First places of what a plain block does not hold: NUL, escapes, lone carriage returns, undefined bytes."""
    found = [data.find(b"\0")]
    if dialect.escape is not None:
        found.append(data.find(dialect.escape.encode()))
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        match = _LONE_RETURN.search(data)
        found.append(match.start() if match else 0)
    if encoding == "cp932" and (match := _UNDEFINED_IN_CP932.search(data)):
        found.append(match.start())
    return [place for place in found if place >= 0]


def _odd_quotes(array: np.ndarray[Any, Any], quotes: np.ndarray[Any, Any], delimiter: int) -> list[int]:
    """Opening quotes of the first cells whose quotes do not stand where they should.

    Counted from a record's start, every first quote of a pair opens a cell or is the second of a doubled one, and
    every second quote closes a cell or is the first of a doubled one.
    """
    opening, closing = quotes[0::2], quotes[1::2]
    doubled = closing[: len(opening[1:])] + 1 == opening[1 : len(closing) + 1]
    before = np.where(opening == 0, _NEWLINE, array[opening - 1])
    starts_cell = (before == delimiter) | (before == _NEWLINE)
    starts_cell[1 : len(doubled) + 1] |= doubled
    after = np.full(len(closing), _NEWLINE, np.uint8)
    inner = closing + 1 < len(array)
    after[inner] = array[closing[inner] + 1]
    ends_cell = (after == delimiter) | (after == _NEWLINE) | (after == _RETURN)
    ends_cell[: len(doubled)] |= doubled
    odd = [np.flatnonzero(~starts_cell)[:1], np.flatnonzero(~ends_cell)[:1]]
    if len(opening) > len(closing):
        odd.append(np.array([len(opening) - 1]))
    return [int(opening[first[0]]) for first in odd if len(first)]
