"""dbt in a child of a preloaded fork server.

A dbt subprocess spends 5 to 15 seconds on imports and parsing at each stage. A child of a fork server that has
imported dbt once, and that is handed the parsed manifest, starts at once; it sends dbt's own structured events back
line by line, so that dagster-dbt makes the same Dagster events of them as of a subprocess.

The child watches its parent: a build whose run was killed must not go on writing (and hold DuckDB's file lock).
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from kizuna.redact import tree_without_values, without_values

#: Marks the line that is not an event of dbt's.
_RELATIONS = b"relations "

#: Tag of what a child leaves out.
LEFT_OUT = "kizuna_left_out"

_context = multiprocessing.get_context("forkserver")


def start_fork_server() -> None:
    """Begin importing dbt in the background; the first stage then finds it ready."""
    from multiprocessing import forkserver

    _context.set_forkserver_preload(["orchestration.dbt_preload"])
    forkserver.ensure_running()


class DbtChild:
    """A running dbt command. Stands where dagster-dbt expects a `subprocess.Popen`."""

    def __init__(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        manifest: Path | None,
        variables: Mapping[str, Any] | None = None,
        left_out: Sequence[str] = (),
    ) -> None:
        """`manifest`: dbt's own `partial_parse.msgpack`, to skip parsing; None parses anew.

        `left_out` are unique ids of the manifest that carry the tag `LEFT_OUT` in this child, for `--exclude`: a
        criterion for each of a hundred names took dbt more than a second.

        `variables` become `--vars`. They are not part of `args`, the command that dagster-dbt repeats in every log and
        error: forty years of holidays would bury what it says.
        """
        start_fork_server()
        receiver, sender = _context.Pipe(duplex=False)
        self.args = ["dbt", *args]
        self.stdout = _Lines(receiver)
        self._process: ForkServerProcess = _context.Process(
            target=run_dbt,
            args=(
                sender,
                [*args, *(["--vars", orjson.dumps(variables).decode()] if variables else [])],
                dict(env),
                str(cwd),
                str(manifest) if manifest else None,
                tuple(left_out),
            ),
        )
        self._process.start()
        sender.close()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, number)


class _Lines:
    """The event lines of a child, as a file-like iterator of bytes that ends when the child does."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        #: unique_id -> {"rows": int, "columns": [[name, type]]}, filled by the child's last line.
        self.relations: dict[str, Any] = {}

    @property
    def closed(self) -> bool:
        return self._connection.closed

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                line = self._connection.recv_bytes()
            except (EOFError, ConnectionResetError):
                return
            if line.startswith(_RELATIONS):
                self.relations = orjson.loads(line.removeprefix(_RELATIONS))
            else:
                yield line

    def __enter__(self) -> _Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def run_dbt(
    sender: Connection[Any, Any],
    args: list[str],
    env: dict[str, str],
    cwd: str,
    manifest: str | None,
    left_out: Sequence[str] = (),
) -> None:
    """Body of the child: run dbt, send its events, then the row counts and columns of what it built."""
    _die_with_parent()
    # Nobody's shell decides which tests run: dbt reads many DBT_* variables.
    for name in [name for name in os.environ if name.startswith("DBT_")]:
        del os.environ[name]
    os.environ.update(env)
    os.chdir(cwd)
    # dbt prints to the terminal on its own in some paths; events are all that counts here.
    with Path(os.devnull).open("w") as quiet:
        os.dup2(quiet.fileno(), 1)

    from dbt.cli.main import dbtRunner
    from dbt_common.events.base_types import EventMsg
    from dbt_common.events.functions import msg_to_dict

    from orchestration.dbt_preload import parsed_project
    from orchestration.dbt_quick import HEARD

    lock = threading.Lock()

    def forward(event: EventMsg) -> None:
        if event.info.level != "debug" or event.info.name in HEARD:
            line = orjson.dumps(tree_without_values(msg_to_dict(event)), default=str)
            with lock:
                sender.send_bytes(line)

    # The child lives for seconds and dbt makes few cycles: collecting took a sixth of its processor time.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    parsed = parsed_project(manifest) if manifest else None
    if parsed is not None:
        for unique_id in left_out:
            parsed.nodes[unique_id].tags.append(LEFT_OUT)
    runner = dbtRunner(manifest=parsed, callbacks=[forward])
    result = runner.invoke(args)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        message = {
            "info": {"name": "KizunaDbtException", "level": "error", "msg": without_values(str(result.exception))},
            "data": {},
        }
        sender.send_bytes(orjson.dumps(message))
    built = [
        (node.node.unique_id, node.node.schema, node.node.alias)
        for node in (getattr(result.result, "results", None) or [])
        if str(node.status) == "success" and node.node.resource_type == "model"
    ]
    if built:
        sender.send_bytes(_RELATIONS + orjson.dumps(_describe(built, os.environ["KIZUNA_BUILD_DB"])))
    sender.close()
    sys.exit(0 if result.success else 1)


def _describe(built: Sequence[tuple[str, str, str]], db: str) -> dict[str, Any]:
    """Row counts and columns of what was built. Read here because the parent must not open the file."""
    import duckdb
    from dbt.adapters.factory import reset_adapters

    reset_adapters()  # type: ignore[no-untyped-call]
    tables: dict[str, Any] = {}
    with duckdb.connect(db) as connection:
        for unique_id, schema, alias in built:
            rows = connection.execute(f'SELECT count(*) FROM "{schema}"."{alias}"').fetchall()[0][0]
            columns = connection.execute(f'DESCRIBE "{schema}"."{alias}"').fetchall()
            tables[unique_id] = {"rows": rows, "columns": [(name, kind) for name, kind, *_ in columns]}
        # dbt leaves its connection open to the end of the process; the next reader should find one whole file.
        connection.execute("CHECKPOINT")
    return tables


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
