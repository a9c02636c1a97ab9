"""The hash of what a reader reads, made beside it: it tells whether the rows are those of the bytes known by it."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

#: Fewer bytes are hashed at once: handing them to a thread would cost more.
_FEW = 1 << 16
#: Blocks that wait to be hashed, at most. They are held by the reader as well.
_WAITING = 2


class Hashed:
    """SHA-256 of the bytes seen so far; large blocks are hashed in a thread."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="kizuna-hash")
        self._waiting: deque[Future[None]] = deque()

    def see(self, data: bytes) -> None:
        """The next bytes."""
        if len(data) < _FEW:
            self._wait(0)
            self._hash.update(data)
            return
        self._wait(_WAITING - 1)
        self._waiting.append(self._pool.submit(self._hash.update, data))

    def hexdigest(self) -> str:
        self._wait(0)
        return self._hash.hexdigest()

    def _wait(self, leave: int) -> None:
        while len(self._waiting) > leave:
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
