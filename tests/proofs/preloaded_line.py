"""Runs of the `kizuna` command that need not import it: a process that has done so forks one for each of them.

A fork is a run as good as any: it takes the command's arguments and environment, opens its own connections, is killed
by SIGKILL at a named point or from outside, and nobody cleans up after it. Forked is from one thread, before anything
is opened. Its dbt children come from one fork server for all runs; they die with the run they belong to, as ever. The
children that read files are started as always, since their memory is measured.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: Threads that libraries start at import: of BLAS, and of Arrow's allocator.
_QUIET = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
_READY = "ready\n"


class PreloadedLine:
    """The server, for any number of runs at a time. It ends with this process, or when it is closed."""

    def __init__(self, environment: dict[str, str], within: Sequence[str] = ()) -> None:
        """`environment` is what every run begins with; `within` a command that gives all of them, say, no network."""
        self._folder = tempfile.TemporaryDirectory(prefix="kizuna-line-")
        self._address = str(Path(self._folder.name) / "socket")
        self._process = subprocess.Popen(
            [*within, sys.executable, __file__, self._address],
            env=environment | _QUIET,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != _READY:
            raise RuntimeError(f"the preloaded process ended with {self._process.wait()}")

    def run(
        self, arguments: list[str], environment: dict[str, str], folder: Path, seconds: float | None = None
    ) -> tuple[int, str]:
        """`kizuna` with these arguments in `folder`: exit code (minus the signal that ended it) and what it said.

        `seconds`: when it is killed from outside, None for never.
        """
        order = {"arguments": arguments, "environment": environment, "folder": str(folder), "seconds": seconds}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._address)
            connection.sendall(json.dumps(order).encode() + b"\n")
            with connection.makefile() as answers:
                answer = answers.readline()
        if not answer:
            raise RuntimeError("the preloaded process gave no answer")
        code, said = json.loads(answer)
        return code, said

    def close(self) -> None:
        self._process.communicate(timeout=60)
        self._folder.cleanup()


def _as_command(order: dict[str, Any]) -> int:
    """Be the command; its exit code. Whatever an interpreter does at its end is done."""
    import atexit
    import threading
    from multiprocessing import forkserver

    import faults

    from kizuna.cli import main

    # What this process was made from has its own ends to tidy up, and the fork server is no child of this one.
    atexit._clear()
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]
    server.ensure_running = forkserver.ensure_running = lambda: None
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    os.chdir(order["folder"])
    os.environ.update(order["environment"])
    if size := os.environ.get("PROOFS_FILE_SIZE"):
        faults.file_size(int(size))
    sys.argv = [str(Path(sys.executable).with_name("kizuna")), *order["arguments"]]
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code or 0)


def _answer(connection: socket.socket) -> None:
    """Have one run, and tell how it ended."""
    import faults

    with connection.makefile() as orders:
        order = json.loads(orders.readline())
    found = faults.forked(lambda: _as_command(order), order["seconds"])
    connection.sendall(json.dumps(found).encode() + b"\n")


def _import_all() -> None:
    """Everything that a run imports, and dbt in the fork server."""
    import threading

    import faults  # noqa: F401

    from orchestration.launch import preload

    preload()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    import altair  # noqa: F401
    import duckdb
    import pandas  # noqa: F401
    import slack_sdk  # noqa: F401
    import vl_convert  # noqa: F401

    import kizuna.alerting
    import kizuna.cli.app
    import kizuna.cli.running
    import kizuna.delivery.slack
    import kizuna.publishing
    import kizuna.scorecard  # noqa: F401

    # It has a thread from the import on; runs open connections of their own.
    duckdb.default_connection().close()


def serve(address: str) -> None:
    """Fork for each connection, until standard input ends."""
    sys.path.insert(0, str(Path(__file__).parent))
    _import_all()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write(_READY)
        sys.stdout.flush()
        while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
            connection, _ = listener.accept()
            threads = len(list(Path("/proc/self/task").iterdir()))
            if threads != 1:
                raise RuntimeError(f"{threads} threads: a child would wait for locks of threads that it has not")
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(connection)
                os._exit(0)
            connection.close()
            while _reaped():
                pass


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


if __name__ == "__main__":
    serve(sys.argv[1])
