"""Places in lines of JSON that the engine's parser and Python's do not read, or write again, alike.

The engine takes a comma before a closing bracket, NaN and Infinity; it writes very large and very small numbers, minus
zero and control characters in its own way; it takes a NUL that no column can hold. Strings are not told apart, so a
place may be harmless; what is not found is read alike.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

_ESCAPE = re.compile(rb"\\u(?:0000|00[01]|[dD][89a-fA-F])")
_CONSTANT = re.compile(rb"-?(?:nan|inf|infinity)[ \t\r\n,}\]]", re.IGNORECASE)

_COLON, _COMMA, _OPEN, _CLOSE, _CLOSE_OBJECT, _BLANK = b":,[]} "
_MINUS, _POINT, _ZERO = b"-.0"

#: Digits before the point from which on a number may be written with an exponent.
_MANY_DIGITS = 15

Array = np.ndarray[Any, Any]


def doubtful_places(data: bytes, array: Array) -> Array:
    """Positions in `data`, which `array` holds as bytes."""
    found = [np.array([match.start() for match in _ESCAPE.finditer(data)], np.int64)] if b"\\u" in data else []
    values = _unusual_values(array)
    first = array[values]
    closing = values[(first == _CLOSE) | (first == _CLOSE_OBJECT)]
    found.append(closing[_before(array, closing) == _COMMA])
    found.append(values[(first == _BLANK) | (first == 9) | (first == 13)])
    letters = values[np.isin(first, np.frombuffer(b"nNiI-", np.uint8))]
    # All but null, and names in texts.
    letters = letters[np.isin(array[np.minimum(letters + 1, len(array) - 1)], np.frombuffer(b"aAnNiI", np.uint8))]
    found.append(np.array([at for at in letters.tolist() if _CONSTANT.match(data, at)], np.int64))
    found.append(_unusual_numbers(array, values[((first >= _ZERO) & (first < _COLON)) | (first == _MINUS)]))
    return np.concatenate(found)


def _unusual_values(array: Array) -> Array:
    """Where a value may begin that is no string, object, list, true or false."""
    opener = (array == _COLON) | (array == _COMMA) | (array == _OPEN)
    blank = array == _BLANK
    begins = np.zeros(len(array), bool)
    begins[1:] = opener[:-1]
    behind_blank = begins & blank
    begins &= ~blank
    begins[1:] |= behind_blank[:-1]
    usual = array == ord('"')
    for sign in b"{[tf":
        usual |= array == sign
    found: Array = np.flatnonzero(begins & ~usual)
    return found


def _before(array: Array, places: Array) -> Array:
    """The byte before each place, a blank skipped."""
    before = array[places - 1]
    found: Array = np.where(before == _BLANK, array[np.maximum(places - 2, 0)], before)
    return found


def _unusual_numbers(array: Array, places: Array) -> Array:
    """Numbers with an exponent, with many digits before the point, next to zero, and minus zero."""
    last = len(array) - 1
    start = places + (array[places] == _MINUS)
    second = array[np.minimum(start + 1, last)]
    tiny = (array[np.minimum(start, last)] == _ZERO) & (second == _POINT)
    for n in range(2, 6):
        tiny &= array[np.minimum(start + n, last)] == _ZERO
    minus_zero = (start > places) & (array[np.minimum(start, last)] == _ZERO) & (second != _POINT)
    found = [places[tiny | minus_zero]]
    at, digits, pointed = start, np.zeros(len(start), np.int64), np.zeros(len(start), bool)
    while len(at):
        sign = array[np.minimum(at, last)]
        is_point, is_digit = sign == _POINT, (sign >= _ZERO) & (sign < _COLON)
        odd = ((sign == ord("e")) | (sign == ord("E"))) | (is_point & (digits > _MANY_DIGITS))
        found.append(at[odd])
        goes_on = (is_digit | is_point) & ~odd & (at < last)
        digits = digits + (is_digit & ~pointed)
        pointed |= is_point
        at, digits, pointed = at[goes_on] + 1, digits[goes_on], pointed[goes_on]
    return np.concatenate(found)
