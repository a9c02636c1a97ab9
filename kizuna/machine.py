"""What the machine refuses (disk, permissions, memory), told in words a person can act on instead of a traceback.

Such a failure comes out of many libraries: the system's own error, SQLite's, DuckDB's, Arrow's, or one of them wrapped
by Dagster. What they share is the text that the system or the engine puts into the message, so that is what is read.
"""

from __future__ import annotations

import errno
import os
import re

from kizuna.errors import MachineError

_CLOSING = "What is published is whole and stays."
_DISK_FULL = "The disk is full", "Free space on it (`kizuna status` names the folder), then run again."
_BROKEN = "The disk could not be read or written", "Look at the disk and the system's log, then run again."
_DENIED = (
    "Permission is missing",
    "The user that runs Kizuna must own its home and be able to write there; mend that, then run again.",
)
_MEMORY = (
    "There is not enough memory",
    "End what else runs here, or give the machine more, or the build (`build.memory_mb`); then run again.",
)
_SPILLED = (
    "What did not fit into memory did not fit on the disk either",
    "Free space on the disk of the home, raise `build.memory_mb`, or `build.spill_mb` where it is set; then run again.",
)
_FILES = "Too many files are open", "Raise the limit of open files (`ulimit -n`), then run again."
_LARGE = "A file may not grow as large as it must", "Raise the limit of file sizes (`ulimit -f`), then run again."

#: Error numbers of the system, with what they mean and what to do.
_NUMBERS = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: _DISK_FULL,
    errno.EFBIG: _LARGE,
    errno.EIO: _BROKEN,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: _DENIED,
    errno.ENOMEM: _MEMORY,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}

#: What engines say, where they give no number.
_SAYINGS = {
    r"database or disk is full": _DISK_FULL,
    r"max_temp_directory_size": _SPILLED,
    r"disk I/O error|database disk image is malformed": _BROKEN,
    r"readonly database|unable to open database file": _DENIED,
    r"\bMemoryError\b|Out of Memory Error|OutOfMemory|bad_alloc|malloc of size|can't start new thread": _MEMORY,
    r"\b[Nn]ot enough memory\b": _MEMORY,
}
_PATTERNS = {
    **{rf"\[Errno {number}\]|\b{re.escape(os.strerror(number))}\b": told for number, told in _NUMBERS.items()},
    **_SAYINGS,
}


def refusal(error: BaseException) -> MachineError | None:
    """`error`, or what it was raised from, as a `MachineError`; None where the machine is not at fault."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, MachineError):
            return found
        if isinstance(found, OSError) and found.errno in _NUMBERS:
            return MachineError(_told(str(found), _NUMBERS[found.errno]))
        words = advice(f"{type(found).__name__}: {found}")
        if words is not None:
            return MachineError(words)
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return None


def advice(text: str) -> str | None:
    """An error's text with what it means and what to do; None where it does not speak of the machine."""
    if _CLOSING in text:
        return text
    for pattern, told in _PATTERNS.items():
        if re.search(pattern, text):
            return _told(text, told)
    return None


def _told(text: str, told: tuple[str, str]) -> str:
    first = text.strip().splitlines()[0] if text.strip() else "no reason was given"
    return f"{told[0]}: {first}\n{told[1]} {_CLOSING}"
