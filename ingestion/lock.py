"""One ingest at a time in a company's home."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kizuna.errors import InputError

if TYPE_CHECKING:
    from kizuna.settings import Settings

LOCK_NAME = ".ingest.lock"


@contextmanager
def ingest_lock(settings: Settings) -> Iterator[None]:
    """Hold the home's ingest lock; the system frees it when the process ends, however it ends."""
    settings.home.mkdir(parents=True, exist_ok=True)
    handle = os.open(settings.home / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"Another ingest is at work in {settings.home}. Wait for it to end, then try again."
            ) from None
        yield
    finally:
        os.close(handle)
