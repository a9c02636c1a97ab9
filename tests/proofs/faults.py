"""What R11 does to a process of the write path before it starts: a fault at the n-th call, or a limit."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

#: What a write can be answered with: no space, a broken disk, no permission, a disk that turned read-only.
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Audit events of calls that change a file system, and at which argument the path stands.
_CHANGES = {
    "os.rename": 1,
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.symlink": 1,
    "os.chmod": 0,
    "shutil.rmtree": 0,
    "sqlite3.connect": 0,
}


class Calls:
    """Counts the calls of this process that change something below `home`; fails the n-th, or all from it on."""

    def __init__(self, home: Path, nth: int | None = None, number: int = errno.ENOSPC, *, stays: bool = False) -> None:
        self.count = 0
        self._home, self._nth, self._number, self._stays = str(home), nth, number, stays
        sys.addaudithook(self._heard)
        self._fsync = os.fsync
        os.fsync = self._synced

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if flags & _WRITING:
                self._meet(path)
        elif event in _CHANGES:
            self._meet(args[_CHANGES[event]])

    def _synced(self, handle: int) -> None:
        self._meet(Path(f"/proc/self/fd/{handle}").readlink())
        self._fsync(handle)

    def _meet(self, path: Any) -> None:
        name = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        if not name.startswith(self._home):
            return
        self.count += 1
        if self._nth is not None and (self.count == self._nth or (self._stays and self.count > self._nth)):
            raise OSError(self._number, os.strerror(self._number), name)


def file_size(limit: int) -> None:
    """No file may grow beyond `limit` bytes; what tries is told so and not killed. Engines and children included."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def memory(more: int) -> None:
    """No more than so many bytes of memory on top of what the process holds now."""
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
    limit = int(held.split()[1]) * 1024 + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


@dataclass
class Clock:
    """The wall clock of the control store. From its n-th reading on it is off by `jump`; None: it stands at `at`."""

    nth: int
    jump: timedelta
    at: datetime | None = None
    readings: int = 0

    def install(self) -> None:
        from kizuna.control import store

        clock = self

        class Jumping(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                clock.readings += 1
                shown = clock.at.astimezone(tz) if clock.at is not None else datetime.now(tz)
                return shown + clock.jump if clock.readings >= clock.nth else shown

        store.datetime = Jumping  # type: ignore[attr-defined]


def forked(body: Callable[[], int], seconds: float | None = None) -> tuple[int, str]:
    """Run `body` in a process of its own; its exit code (minus the signal that ended it) and what it said.

    It speaks through a pipe: a file would meet the fault too. After `seconds` it is killed.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.close(reading)
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            code = body()
        except BaseException:  # noqa: BLE001 - the process ends here
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    os.close(writing)
    end = None if seconds is None else time.monotonic() + seconds
    said = b""
    with os.fdopen(reading, "rb", buffering=0) as told:
        while True:
            left = None if end is None else max(end - time.monotonic(), 0)
            if not select.select([told], [], [], left)[0]:
                os.kill(pid, signal.SIGKILL)
                end = None
            elif more := told.read(1 << 16):
                said += more
            else:
                break
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said.decode("utf-8", "replace")
