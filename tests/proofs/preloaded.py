"""Runs of the write path that need not import it: a process that has done so forks a child for each of them.

A child is a run as good as any: it opens its own connections, is killed by SIGKILL at a named point or from outside,
and nobody cleans up after it. Forked is from one thread, before anything is opened; what the libraries start as they
are imported is turned off, and the server refuses to fork beside a second thread.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parent))

import duckdb
import faults
import pandas  # noqa: F401 - as a run does when it lists its batches
import write_path

from ingestion import child, children, parse, reading  # noqa: F401 - the last two are what a reading child imports
from ingestion.contract_files import canonical_entities, load_contracts
from kizuna import stewardship  # noqa: F401 - as a run does when it begins a build

#: Threads that libraries start at import: of BLAS, and of Arrow's allocator.
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}


class Preloaded:
    """The server, for one run at a time. Use it as a context manager, or close it."""

    def __init__(self) -> None:
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(
            command, env=os.environ | _QUIET, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, home: Path, point: str | None = None, seconds: float | None = None) -> tuple[int, str]:
        """Exit code (minus the signal that ended it) and what it said.

        `point`: where it kills itself; `seconds`: when it is killed from outside, None for after two minutes.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        order = {"home": str(home), "point": point, "seconds": 120.0 if seconds is None else seconds}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the preloaded process ended with {self._process.wait()}")
        code, said = json.loads(answer)
        return code, said

    def close(self) -> None:
        self._process.communicate(timeout=150)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Reader:
    """A child of the run that reads files (`ingestion.child`), where the run expects the `Popen` of one."""

    def __init__(self) -> None:
        jobs, give = os.pipe()
        take, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            # It lives as long as its standard input, which none but the run holds.
            os.close(give)
            os.close(take)
            os.dup2(jobs, 0)
            os.dup2(answers, 1)
            for handle in (jobs, answers):
                os.close(handle)
            sys.stdin, sys.argv = os.fdopen(0), ["ingestion.child", "60"]
            child.main()
            os._exit(0)
        os.close(jobs)
        os.close(answers)
        self.stdin, self.stdout = os.fdopen(give, "wb"), os.fdopen(take, "rb")

    def poll(self) -> int | None:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def _body(home: Path, point: str | None) -> int:
    """A run, whose first reading child is there already."""
    ready = [_Reader()]

    def popen(*args: Any, **how: Any) -> Any:
        return ready.pop() if ready else subprocess.Popen(*args, **how)

    children.subprocess = SimpleNamespace(Popen=popen, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL)
    if point is not None:
        os.environ["KIZUNA_KILL_AT"] = point
    return write_path.told(home)


def serve() -> None:
    """Fork for each line of standard input and answer with a line, until it ends."""
    duckdb.default_connection().close()
    load_contracts()
    canonical_entities()
    for line in sys.stdin:
        order = json.loads(line)
        threads = len(list(Path("/proc/self/task").iterdir()))
        if threads != 1:
            raise RuntimeError(f"{threads} threads: a child would wait for locks of threads that it has not")
        body = partial(_body, Path(order["home"]), order["point"])
        sys.stdout.write(json.dumps(faults.forked(body, order["seconds"])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
