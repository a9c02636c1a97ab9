"""Which rows of a file were met before, told from two 64-bit hashes of a row's own text.

Sixteen bytes a row are kept, large amounts of them in a temporary file. A table of marks answers nearly every question,
so that the sorted hashes are asked about few rows.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

#: Runs of a level are merged when there are so many; a merged run of the second level lies on the disk.
_FAN = 8

_LOW_BITS, _HIGH_BITS = 14, 27

Hashes = np.ndarray[Any, Any]


#: A sign before the text moves all bytes of the second hash, so the two are independent.
HASHES = "hash(t) AS h0, hash('x' || t) AS h1"


def row_hashes(con: duckdb.DuckDBPyConnection, texts: pa.Array) -> Hashes:
    """Two hashes per text, shape (2, rows)."""
    con.register("_texts", pa.table({"t": texts}))
    found = con.execute(f"SELECT {HASHES} FROM _texts").to_arrow_table()
    con.unregister("_texts")
    return stacked(found)


def stacked(found: pa.Table) -> Hashes:
    """The columns of `HASHES` as one array."""
    return np.stack([found["h0"].to_numpy(), found["h1"].to_numpy()])


class SeenRows:
    """Rows met so far. `size` is the number of bytes of the file; by it the table of marks, one bit each, is made."""

    def __init__(self, size: int) -> None:
        bits = min(max(int(size).bit_length() - 4, _LOW_BITS), _HIGH_BITS)
        self._shift = np.uint64(64 - bits - 3)
        self._marks = np.zeros(1 << bits, np.uint8)
        self._levels: list[list[tuple[Hashes, Hashes]]] = [[], [], []]
        self._odd: set[bytes] = set()

    def repeats(self, hashes: Hashes) -> Hashes:
        """For each row, whether one like it was met before it. The rows count as met from now on."""
        first, second = hashes
        count = len(first)
        result = np.zeros(count, bool)
        if not count:
            return result
        order = np.argsort(first)
        run = first[order]
        alike = run[1:] == run[:-1]
        if alike.any():
            order = np.lexsort((np.arange(count), second, first))
            run = first[order]
            alike = run[1:] == run[:-1]
        other = second[order]
        result[order[1:]] = alike & (other[1:] == other[:-1])
        marks = run >> self._shift
        place, bit = marks >> np.uint64(3), np.left_shift(1, (marks & np.uint64(7)).astype(np.uint8), dtype=np.uint8)
        maybe = np.flatnonzero((self._marks[place] & bit) != 0)
        if len(maybe):
            rows = order[maybe]
            result[rows] |= self._find(run[maybe], other[maybe])
        # Rows are in the order of their marks, so those of one byte are neighbours.
        starts = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
        self._marks[place[starts]] |= np.bitwise_or.reduceat(bit, starts)
        self._keep(run, other)
        return result

    def repeats_odd(self, text: bytes) -> bool:
        """The same for a row that is no valid text."""
        met = text in self._odd
        self._odd.add(text)
        return met

    def _find(self, first: Hashes, second: Hashes) -> Hashes:
        """Which of some rows, in their order, are in a run."""
        found = np.zeros(len(first), bool)
        for run, other in (pair for level in self._levels for pair in level):
            low = np.searchsorted(run, first)
            for n in np.flatnonzero(run[np.minimum(low, len(run) - 1)] == first):
                high = np.searchsorted(run, first[n], "right")
                found[n] |= bool((other[low[n] : high] == second[n]).any())
        return found

    def _keep(self, run: Hashes, other: Hashes) -> None:
        """Add a sorted run; runs of like size are merged, so that there are few of them."""
        self._levels[0].append((run, other))
        for level in range(2):
            pairs = self._levels[level]
            if len(pairs) < _FAN:
                return
            first, second = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
            pairs.clear()
            # A stable sort finds the runs that are in order already.
            order = np.argsort(first, kind="stable")
            merged = first[order], second[order]
            self._levels[level + 1].append(_on_disk(*merged) if level else merged)


def _on_disk(first: Hashes, second: Hashes) -> tuple[Hashes, Hashes]:
    with tempfile.TemporaryFile(prefix="kizuna-") as handle:
        handle.write(first.tobytes())
        handle.write(second.tobytes())
        handle.flush()
        parts = (np.memmap(handle, np.uint64, "r", offset, first.shape) for offset in (0, first.nbytes))
        return next(parts), next(parts)
