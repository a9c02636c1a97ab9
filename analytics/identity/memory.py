"""Memory that is used again instead of being handed back and asked for anew.

Identity works through many large columns one after the other, each freed before the next. Allocators hand blocks of
that size back to the system, which must find, clear and map the pages of the next one: at ten million identifiers a
third of the processor time. While `reused` holds, freed blocks stay with the process; at its end all that is free goes
back.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

# Parameters of mallopt(3), and the values that glibc has for them unless told otherwise.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_USUAL = {_TRIM_THRESHOLD: 128 << 10, _TOP_PAD: 128 << 10, _MMAP_MAX: 65_536}
# Nothing given back, no mapping of its own for a large block, one heap for all threads: what one frees, another uses.
_KEPT = {_TRIM_THRESHOLD: -1, _TOP_PAD: 64 << 20, _MMAP_MAX: 0, _ARENA_MAX: 1}
_WORTH_IT = 1_000_000  # rows; below, the system's part is small


@contextmanager
def reused(rows: int) -> Iterator[Callable[[], object]]:
    """Keep freed memory for the next use, where `rows` of input are many and the C library is glibc.

    What it gives hands back what is free at the moment: between two steps whose columns are of different sizes, so that
    holes of the one do not stay while the other grows. Only speed and resident memory depend on it. Concerns the whole
    process, so it is meant for one that does nothing else meanwhile.
    """
    glibc = _glibc() if rows >= _WORTH_IT else None
    if glibc is None:
        yield lambda: None
        return
    pool = pa.default_memory_pool()
    _set(glibc, _KEPT)
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield lambda: glibc.malloc_trim(0)
    finally:
        pa.set_memory_pool(pool)
        _set(glibc, _USUAL)
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def _set(glibc: ctypes.CDLL, values: dict[int, int]) -> None:
    change: Callable[[int, int], int] = glibc.mallopt
    for parameter, value in values.items():
        change(parameter, value)
