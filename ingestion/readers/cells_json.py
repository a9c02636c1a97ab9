"""Cells without a place in the contract as one JSON object per row, for whole columns at once."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

#: What JSON text writes otherwise, the sign of that first. Other control characters are not for this module.
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))

_CONTROL = bytes(code for code in range(32) if code not in (9, 10, 13))


def has_controls(texts: pa.Array) -> bool:
    """Whether a cell holds a control character that is not for this module."""
    held = _held(texts)
    return len(held.translate(None, _CONTROL)) != len(held)


def extra_json(cells: Sequence[tuple[str, pa.Array]]) -> pa.Array:
    """Per row what `json.dumps` makes of its cells by header, empty ones left out; null where all are empty.

    The cells hold no control characters but tab and line ends.
    """
    filled = [(header, texts, pc.not_equal(texts, "")) for header, texts in cells]
    filled = [entry for entry in filled if pc.any(entry[2]).as_py()]
    if not filled:
        return pa.nulls(len(cells[0][1]), pa.string())
    entries = [pc.if_else(is_there, _entry(header, texts), None) for header, texts, is_there in filled]
    return in_braces(entries, ", ")


def in_braces(entries: Sequence[pa.Array], separator: str) -> pa.Array:
    """The entries of an object that are not null, with braces around; null where all are."""
    joined = entries[0]
    for entry in entries[1:]:
        # Arrow's own way to skip nulls loses rows in which all are null (pyarrow 26.0.1).
        joined = pc.coalesce(pc.binary_join_element_wise(joined, entry, separator), joined, entry)
    return pc.binary_join_element_wise("{", joined, "}", "")


def _entry(header: str, texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(json.dumps(header, ensure_ascii=False) + ': "', escaped(texts), '"', "")


def escaped(texts: pa.Array) -> pa.Array:
    """The texts as they stand between the quotes of JSON."""
    held = _held(texts)
    for sign, written in _ESCAPES:
        if sign.encode() in held:
            texts = pc.replace_substring(texts, sign, written)
    return texts


def _held(texts: pa.Array) -> bytes:
    data = texts.buffers()[2]
    return b"" if data is None else bytes(data)
