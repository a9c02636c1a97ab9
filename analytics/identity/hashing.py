"""Pseudonyms of whole Arrow columns: the same names as `pseudonym`, without a Python string per row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.pseudonym import CUSTOMER_ID_LENGTH, PSEUDONYM_LENGTH, keyed

_ROWS = 1 << 18  # at a time, so that the rows' own copies stay in tens of megabytes
_DIGEST = 32  # bytes of SHA-256


def pseudonym_array(key: str, kind: str, texts: pa.StringArray) -> pa.StringArray:
    """`pseudonym` of every text, none of which may be null."""
    parts = [_hexadecimal(part) for part in _digests(key, kind, texts)]
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())


def customer_id_array(key: str, oldest_records: pa.StringArray) -> pa.StringArray:
    """`c_` and 20 hexadecimal characters per customer, from `source` SEPARATOR `record_key` of its oldest record."""
    names = pc.utf8_slice_codeunits(pseudonym_array(key, "customer", oldest_records), 0, CUSTOMER_ID_LENGTH)
    return pc.binary_join_element_wise("c_", names, "")


def _digests(key: str, kind: str, texts: pa.StringArray) -> Iterator[bytes]:
    """The digests of up to `_ROWS` texts at a time, one behind the other."""
    inner, outer = keyed(key, kind)
    begin_inner, begin_outer = inner.copy, outer.copy
    for begin in range(0, len(texts), _ROWS):
        found = []
        for text in texts.slice(begin, _ROWS).cast(pa.binary()).to_pylist():
            first, second = begin_inner(), begin_outer()
            first.update(text)
            second.update(first.digest())
            found.append(second.digest())
        yield b"".join(found)


def _hexadecimal(digests: bytes) -> pa.StringArray:
    """The first half of each digest in hexadecimal digits, straight into Arrow's buffers."""
    half = np.frombuffer(digests, np.uint8).reshape(-1, _DIGEST)[:, : PSEUDONYM_LENGTH // 2]
    data = half.tobytes().hex().encode("ascii")
    offsets = np.arange(len(half) + 1, dtype=np.int32) * PSEUDONYM_LENGTH
    return pa.StringArray.from_buffers(len(half), pa.py_buffer(offsets.tobytes()), pa.py_buffer(data))
