"""How much one file may demand before reading it stops. Set once per process; the defaults suit any honest export."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import asdict, dataclass

from ingestion.readers.base import FileRefused


@dataclass(frozen=True)
class Limits:
    """`seconds` and `memory_mb` are those of one file in its child process.

    `unpacked_ratio` counts only from `unpacked_floor_mb` of unpacked bytes on, so that a small archive of blanks is no
    bomb. `members` are those of a ZIP or parts of a workbook.
    """

    memory_mb: int = 1536
    seconds: int = 3600
    line_mb: int = 64
    columns: int = 10_000
    unpacked_ratio: int = 200
    unpacked_floor_mb: int = 64
    unpacked_mb: int = 102_400
    members: int = 2_000
    workbook_mb: int = 2_048
    workers: int = 2

    @property
    def words(self) -> str:
        """What a file was refused under: with other limits it is tried again."""
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items() if name != "workers")

    @property
    def is_tight(self) -> bool:
        """Whether memory is dearer than time: less than a gigabyte for a file."""
        return self.memory_mb < 1024

    @property
    def line_bytes(self) -> int:
        return self.line_mb << 20

    def check_columns(self, count: int, raw: str = "") -> None:
        """Raise `FileRefused` when a header has too many names."""
        if count > self.columns:
            raise FileRefused(
                "limit.columns",
                f"the header has {count:,} columns, more than {self.columns:,}; is it the right delimiter? If the file "
                "is meant so, raise limits.columns in kizuna.yaml.",
                line=1,
                raw=raw[:1000],
            )

    def check_line(self, line: bytes) -> None:
        """Raise `FileRefused` when a line has become too long."""
        if len(line) > self.line_bytes:
            raise FileRefused(
                "limit.line",
                f"a line is longer than {self.line_mb} MB; reading stopped there. Are the line ends those of a text "
                "file? If the file is meant so, raise limits.line_mb in kizuna.yaml.",
                raw=line[:1000].decode("utf-8", "replace"),
            )

    def check_unpacked(self, packed: int, unpacked: int) -> None:
        """Raise `FileRefused` when so many bytes came out of so few."""
        if unpacked > self.unpacked_mb << 20:
            raise FileRefused(
                "limit.unpacked",
                f"the archive unpacks to more than {self.unpacked_mb:,} MB; reading stopped there. If the file is "
                "meant so, raise limits.unpacked_mb in kizuna.yaml.",
            )
        if unpacked > self.unpacked_floor_mb << 20 and unpacked > self.unpacked_ratio * max(packed, 1):
            raise FileRefused(
                "limit.ratio",
                f"the archive unpacks to more than {self.unpacked_ratio} times its size, as no honest export does; "
                "reading stopped there. If the file is meant so, raise limits.unpacked_ratio in kizuna.yaml.",
            )

    def check_members(self, count: int, listed: int = 0) -> None:
        """Raise `FileRefused` when an archive holds too many files, or its list (in bytes) is far too long for them."""
        if count > self.members or listed > self.members << 12:
            size = f" in {listed:,} bytes" if listed else ""
            raise FileRefused(
                "archive.too_many",
                f"the archive lists {count:,} files{size}; {self.members:,} are allowed. If it is meant so, raise "
                "limits.members in kizuna.yaml.",
            )

    def check_member(self, packed: int, unpacked: int, *, total_mb: int, setting: str) -> None:
        """`check_unpacked` for what lies in a ZIP or a workbook, whose codes name the archive."""
        if unpacked > total_mb << 20:
            raise FileRefused(
                "archive.too_large",
                f"unpacks to more than {total_mb:,} MB; reading stopped there. If it is meant so, raise {setting} in "
                "kizuna.yaml.",
            )
        if unpacked > self.unpacked_floor_mb << 20 and unpacked > self.unpacked_ratio * max(packed, 1):
            raise FileRefused(
                "archive.bomb",
                f"unpacks to more than {self.unpacked_ratio} times its packed size of {packed:,} bytes, as no honest "
                "export does; reading stopped there. If it is meant so, raise limits.unpacked_ratio in kizuna.yaml.",
            )


_current = [Limits()]


def limits() -> Limits:
    """The limits of this process."""
    return _current[0]


def give_back() -> None:
    """Hand memory that was freed back to the system, where its C library can.

    What a large file leaves behind for good (footers, hashes) lies between the blocks that come and go, and so keeps
    them from going back by themselves: 150 MB for each GB of a CSV file.
    """
    if _trim is not None:
        _trim(0)


def _find_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return trim


_trim = _find_trim()


def use_limits(wanted: Limits) -> None:
    """Set the limits of this process, which reads files for nobody else."""
    _current[0] = wanted
