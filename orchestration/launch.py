"""Running the job `daily` from the shell: the same Dagster run as from the UI, in this process, with progress."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import yaml

from kizuna.files import make_private, write_atomically
from kizuna.redact import without_values
from kizuna.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterRun


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended. `version` is None when nothing was published; `error` says why in one paragraph.

    `rebuilt` is the folder of a past day that was built to be looked at.
    """

    run_id: str
    success: bool
    nothing_new: bool
    build_id: str | None
    version: int | None
    failed_steps: tuple[str, ...]
    error: str | None
    rebuilt: Path | None = None


def prepare_dagster_home(settings: Settings) -> Path:
    """`DAGSTER_HOME` of the company with the project's `dagster.yaml`; exported for everything started from here.

    The profile for a team (PostgreSQL) holds where `KIZUNA_DAGSTER_URL` is set, the one for one machine elsewhere.
    """
    home = settings.dagster_home
    make_private(*settings.private_folders)
    keep_file(home / "dagster.yaml", _profile(settings))
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["KIZUNA_HOME"] = str(settings.home)
    if settings.dagster_url is not None:
        os.environ["KIZUNA_DAGSTER_URL"] = settings.dagster_url
    return home


def first_start(settings: Settings) -> None:
    """Make the tables of Dagster's storage once, one process at a time.

    Code server, daemon and webserver that start together over a new storage would each run its migrations, and leave a
    version table with two rows that no later start can read.
    """
    done = settings.dagster_home / ".storage-made"
    storage = hashlib.sha256((settings.dagster_url or "sqlite").encode()).hexdigest()
    with _alone(settings.dagster_home):
        if done.exists() and done.read_text() == storage:
            return
        import dagster as dg

        with dg.DagsterInstance.get() as instance:
            instance.get_runs(limit=1)
            instance.fetch_run_status_changes(dg.DagsterEventType.RUN_START, limit=1)
            instance.all_instigator_state()
        write_atomically(done, storage.encode(), mode=0o600)


def keep_file(path: Path, content: bytes) -> None:
    """Make the file at `path` this, by one process at a time: code server, daemon and webserver start together."""
    with _alone(path.parent):
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _profile(settings: Settings) -> bytes:
    folder = Path(__file__).parent
    if settings.dagster_url is None:
        return (folder / "dagster.yaml").read_bytes()
    one, team = (yaml.safe_load((folder / name).read_bytes()) for name in ("dagster.yaml", "dagster.team.yaml"))
    return yaml.safe_dump(one | team).encode()


def preload() -> None:
    """Import all that a run needs, for a caller that has something to wait for; the first run then starts at once."""
    from orchestration.session import quiet_environment

    quiet_environment()
    from orchestration.dbt_child import start_fork_server

    start_fork_server()
    import orchestration.definitions
    import orchestration.sqlite_storage  # noqa: F401
    from expectations.runner import load_in_background

    load_in_background()


def run_daily(
    settings: Settings,
    *,
    as_of: date | None = None,
    known_as_of: str | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RunOutcome:
    """One run of the job in this process. Progress gets the name of each step as it starts.

    Raises nothing for a failing run: the outcome says which steps failed and why.
    """
    from orchestration.session import quiet_environment

    quiet_environment()
    prepare_dagster_home(settings)
    from orchestration.dbt_child import start_fork_server

    start_fork_server()

    import dagster as dg

    from kizuna.control.store import open_store
    from orchestration import session as sessions
    from orchestration.definitions import defs

    run_id = str(uuid.uuid4())
    config: dict[str, object] = {"force": force}
    if as_of is not None:
        config["as_of"] = as_of.isoformat()
    if known_as_of is not None:
        config["known_as_of"] = known_as_of
    sessions.watch(progress)
    logs = settings.dagster_home / "logs"
    logs.mkdir(exist_ok=True)
    try:
        # dagster-dbt repeats dbt's whole log on standard output.
        with (
            (logs / f"{run_id}.log").open("w", encoding="utf-8") as log,
            contextlib.redirect_stdout(log),
            _skipped_steps_told_to(log),
            dg.DagsterInstance.get() as instance,
        ):
            store = open_store(settings)
            sessions.close_dead_runs(instance, store)
            store.close()
            result = defs.resolve_job_def("daily").execute_in_process(
                instance=instance,
                run_id=run_id,
                run_config={
                    "ops": {"ingest": {"config": config}},
                    # The event log has everything; on the terminal only the progress of this command is of use.
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                },
                raise_on_error=False,
            )
            run = instance.get_run_by_id(run_id)
            tags = dict(run.tags) if run else {}
    finally:
        sessions.watch(None)
        sessions.release_lease(run_id)
    failures = [event for event in result.all_events if event.is_step_failure]
    if not result.success:
        _see_failure(settings, run or result.dagster_run, tuple(event.step_key or "" for event in failures))
    version = tags.get(sessions.VERSION_TAG)
    return RunOutcome(
        run_id=run_id,
        success=result.success,
        nothing_new=sessions.NOTHING_NEW_TAG in tags,
        build_id=tags.get(sessions.BUILD_TAG),
        version=int(version) if version else None,
        failed_steps=tuple(event.step_key or "" for event in failures),
        error=_reason(failures[0]) if failures else None,
        rebuilt=Path(tags[sessions.REBUILT_TAG]) if sessions.REBUILT_TAG in tags else None,
    )


def _see_failure(settings: Settings, run: DagsterRun, steps: tuple[str, ...]) -> None:
    """What the failure sensor does for runs of the daemon: tell, and clear old runs away.

    The outbox keeps a second message out.
    """
    from kizuna.control.store import open_store
    from kizuna.data_channel import report_run_failures
    from kizuna.delivery.slack import send_pending
    from orchestration.asked import failed_run
    from orchestration.pruning import prune_after_failure

    store = open_store(settings)
    report_run_failures(store, settings, [failed_run(store, settings, run, steps)])
    send_pending(store, settings)
    # On standard error, where cron has it.
    prune_after_failure(settings, logging.getLogger("kizuna").warning)


@contextlib.contextmanager
def _skipped_steps_told_to(log: TextIO) -> Iterator[None]:
    """With nothing new every step is skipped, and Dagster warns on standard error of each check that has no result."""
    logger, handler = logging.getLogger("dagster._core.execution.plan.active"), logging.StreamHandler(log)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _reason(event: object) -> str:
    """The innermost message of a step failure: the error a person can act on, without the frames around it."""
    error = event.step_failure_data.error  # type: ignore[attr-defined]
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "no reason was recorded"
    _, found, dbt_errors = str(error.message).partition("Errors parsed from dbt logs:")
    return without_values((dbt_errors if found else str(error.message)).strip())
