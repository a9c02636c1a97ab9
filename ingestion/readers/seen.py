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

#: Rows of one sorted run; runs of this size lie on the disk.
_RUN_ROWS = 1 << 21

_LOW_BITS, _HIGH_BITS = 14, 27


def row_hashes(con: duckdb.DuckDBPyConnection, texts: pa.Array) -> np.ndarray[Any, Any]:
    """Two hashes per text, shape (rows, 2). The second leaves out the first character, so the two are independent."""
    table = pa.table({"t": texts})
    con.register("_texts", table)
    found = con.execute("SELECT hash(t), hash(substr(t, 2)) FROM _texts").to_arrow_table()
    con.unregister("_texts")
    return np.column_stack([column.to_numpy() for column in found.columns])


class SeenRows:
    """Rows met so far. `size` is the number of bytes of the file, by which the table of marks is made."""

    def __init__(self, size: int) -> None:
        bits = min(max(int(size).bit_length() - 4, _LOW_BITS), _HIGH_BITS)
        self._shift = np.uint64(64 - bits)
        self._met = np.zeros(1 << bits, bool)
        self._runs: list[np.ndarray[Any, Any]] = []
        self._odd: set[bytes] = set()

    def repeats(self, hashes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """For each row, whether one like it was met before it. The rows count as met from now on."""
        count = len(hashes)
        result = np.zeros(count, bool)
        if not count:
            return result
        order = np.argsort(hashes[:, 0], kind="stable")
        run = hashes[order]
        if (run[1:, 0] == run[:-1, 0]).any():
            order = np.lexsort((np.arange(count), hashes[:, 1], hashes[:, 0]))
            run = hashes[order]
        result[order[1:]] = (run[1:] == run[:-1]).all(axis=1)
        place = hashes[:, 0] >> self._shift
        maybe = np.flatnonzero(self._met[place] & ~result)
        if len(maybe):
            result[maybe] = self._find(hashes[maybe])
        self._met[place] = True
        self._keep(run)
        return result

    def repeats_odd(self, text: bytes) -> bool:
        """The same for a row that is no valid text."""
        met = text in self._odd
        self._odd.add(text)
        return met

    def _find(self, wanted: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = np.zeros(len(wanted), bool)
        for run in self._runs:
            first = run[:, 0]
            low = np.searchsorted(first, wanted[:, 0], "left")
            high = np.searchsorted(first, wanted[:, 0], "right")
            hit = np.flatnonzero(low < high)
            for n in hit[~found[hit]]:
                found[n] = bool((run[low[n] : high[n], 1] == wanted[n, 1]).any())
        return found

    def _keep(self, run: np.ndarray[Any, Any]) -> None:
        """Add a sorted run; runs of like size are merged, so that there are few of them."""
        while self._runs and len(self._runs[-1]) <= 2 * len(run) and len(run) < _RUN_ROWS:
            both = np.concatenate([self._runs.pop(), run])
            run = both[np.argsort(both[:, 0], kind="stable")]
        if len(run) >= _RUN_ROWS:
            with tempfile.TemporaryFile(prefix="kizuna-") as handle:
                handle.write(np.ascontiguousarray(run).tobytes())
                handle.flush()
                run = np.memmap(handle, np.uint64, "r", shape=run.shape)
        self._runs.append(run)
