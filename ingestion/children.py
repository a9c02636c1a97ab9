"""Children that read files for a run, and what is done about one that takes too much.

A file is never parsed in the run's own process: a bomb, a crash of a parser or the system's out-of-memory killer takes
a child, and the run reports the file. Children live on from file to file, since a start costs half a second.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ingestion.archives import Member
from ingestion.limits import Limits
from ingestion.reading import Job, Reading, UnpackJob, stopped
from kizuna.errors import MachineError

_ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 120

#: How far below its limit a child is stopped, and after how long its memory is looked at again: what it takes between
#: two looks must still be inside. A parser takes up to 3 GB a second, 8 are reckoned with. Looks every 5 ms would take
#: a twentieth of a processor.
_MARGIN_MB = 32
_FASTEST_MB = 8_192
_LOOK_SECONDS = 0.005, 0.25

#: What the threads have freed is given back to the system beyond these bounds: block for block where a file may take
#: little memory. Elsewhere that would cost as much system time as parsing.
_ALLOCATOR = {
    True: {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_TRIM_THRESHOLD_": str(8 << 20)},
    False: {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(8 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20)},
}
#: Arrow's own allocator knows none of these bounds.
_ARROW = {"ARROW_DEFAULT_MEMORY_POOL": "system"}

#: A child that uses no processor for so long waits for itself: Arrow's threads do where memory ran short.
STUCK_SECONDS = 120.0

#: A child that waits so long for a job ends by itself.
IDLE_SECONDS = 60


class Children:
    """Up to `limits.workers` children. Jobs are answered in any order, each by its own future."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="kizuna-reading")

    def start(self) -> None:
        """Have a child begin to start, where none waits: the first file then finds it ready."""
        if _idle.empty():
            _idle.put(_Child(self.limits))

    def submit(self, job: Job | UnpackJob) -> Future[Reading]:
        return self._pool.submit(self._answer, job)

    def unpack(self, archive: Path, member: Member, target: Path, before: int) -> int:
        """Have a member of an archive unpacked (`archives.Unpack`)."""
        place = os.fsencode(archive).hex()
        reading = self.submit(UnpackJob(place, member.index, member.name, target, before, self.limits)).result()
        if reading.refusal is not None:
            raise reading.refusal.to_error()
        return reading.unpacked

    def close(self) -> None:
        """Wait for what is being read; the children stay for the next ingest of this process."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, job: Job | UnpackJob) -> Reading:
        child = _take_idle(job.limits) or _Child(job.limits)
        try:
            reading, is_usable = child.read(job)
        except BaseException:
            child.end()
            raise
        if is_usable:
            child.idle_since = time.monotonic()
            _idle.put(child)
        else:
            child.end()
        return reading


def _take_idle(limits: Limits) -> _Child | None:
    """A child that waits, unless what it kept of earlier files is a large part of what this one may take."""
    while True:
        try:
            child = _idle.get_nowait()
        except queue.Empty:
            return None
        is_fresh = time.monotonic() - child.idle_since < IDLE_SECONDS / 2 and child.is_alive()
        suits = child.is_tight or not limits.is_tight
        if is_fresh and suits and own_memory(child.pid) < limits.memory_mb << 19:
            return child
        child.end()


class _Child:
    def __init__(self, limits: Limits) -> None:
        self.idle_since = time.monotonic()
        self.is_tight = limits.is_tight
        self._is_ready = False
        #: Said by the child and not taken yet: what it answers may lie beside what it said before.
        self._said = b""
        # The child needs none of the company's secrets, and must not be killed at a point that is the run's.
        env = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}
        env |= _ALLOCATOR[limits.is_tight] | _ARROW
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ingestion.child", str(IDLE_SECONDS)],
            cwd=_ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        _all.add(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self, job: Job | UnpackJob) -> tuple[Reading, bool]:
        """(what came of the file, whether the child can take another)."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(job.to_json().encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return _died(self._process.wait(), job), False
        if not self._is_ready:
            # Its start is not the file's time.
            self._is_ready = self._wait(replace(job.limits, seconds=_START_SECONDS))[0] == b"ready\n"
        answer, problem = self._wait(job.limits)
        if problem is not None:
            return problem, False
        if not answer.endswith(b"\n"):
            return _died(self._process.wait(), job), False
        reading = Reading.from_json(answer.decode())
        if reading.refusal is not None and reading.refusal.code == "machine.refused":
            raise MachineError(reading.refusal.reason)
        if reading.refusal is not None and reading.refusal.code == "limit.memory":
            return _too_much(job.limits), False
        if reading.refusal is not None and reading.refusal.code == "reader.failed":
            return _failed(reading.refusal.reason), False
        return reading, True

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        _all.discard(self._process.pid)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _wait(self, limits: Limits) -> tuple[bytes, Reading | None]:
        """The answer's line, cut short if the child died; or why it was not waited for."""
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        end = time.monotonic() + limits.seconds
        used, moved = -1, time.monotonic()
        free = 0
        while b"\n" not in self._said:
            pause = min(max(free / _FASTEST_MB, _LOOK_SECONDS[0]), _LOOK_SECONDS[1])
            if select.select([handle], [], [], pause)[0]:
                more = os.read(handle, 1 << 20)
                if not more:
                    break
                self._said += more
            elif (free := limits.memory_mb - _MARGIN_MB - (own_memory(self._process.pid) >> 20)) < 0:
                self._process.kill()
                return b"", _too_much(limits)
            elif time.monotonic() - moved > STUCK_SECONDS and used == own_ticks(self._process.pid):
                self._process.kill()
                return b"", _stuck()
            elif time.monotonic() - moved > min(1.0, STUCK_SECONDS / 2) and used != own_ticks(self._process.pid):
                used, moved = own_ticks(self._process.pid), time.monotonic()
            elif time.monotonic() > end:
                return b"", stopped(
                    "limit.time",
                    f"reading took longer than {limits.seconds:,} s and was stopped. If the file is that large, raise "
                    "limits.seconds in kizuna.yaml, or split it.",
                )
        line, end_of_line, self._said = self._said.partition(b"\n")
        return line + end_of_line, None


def own_memory(pid: int) -> int:
    """Bytes a process keeps for itself, without what it maps from files; 0 where the system does not tell."""
    try:
        with Path(f"/proc/{pid}/statm").open("rb", buffering=0) as stream:
            fields = stream.read().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 2 else 0


def own_ticks(pid: int) -> int:
    """Processor time a process has used, in clock ticks; where the system does not tell, a number that never stands."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic_ns()
    return int(fields[11]) + int(fields[12])


def _stuck() -> Reading:
    return stopped(
        "reader.died",
        f"the process that read it stood still for {STUCK_SECONDS:,.0f} s and was ended; a shortage of memory does "
        "that. Nothing of the file is used. The next run tries again.",
    )


def _too_much(limits: Limits) -> Reading:
    return stopped(
        "limit.memory",
        f"reading needed all of the {limits.memory_mb:,} MB of memory that it may take, and was stopped; nothing of "
        "the file is used. Split the file, or raise limits.memory_mb in kizuna.yaml.",
    )


def _died(code: int, job: Job | UnpackJob) -> Reading:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return stopped(
        "reader.died",
        f"the process that read it ended by itself ({how}; 9 is what a system short of memory sends). Nothing of the "
        f"file is used. The next run tries again, with more memory it may hold; if it does not, the file breaks the "
        f"{job.kind} reader: ask for a better export.",
    )


def _failed(place: str) -> Reading:
    return stopped(
        "reader.failed",
        f"the reader failed on it ({place}). Nothing of the file is used and the other files are; this is a defect of "
        "Kizuna, please report it with a sample of the file.",
    )


_idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()

#: Process ids of the children there are.
_all: set[int] = set()
