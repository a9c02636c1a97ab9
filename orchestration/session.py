"""What a step works on: settings, control store, the build named by the run's tags, and the lease.

The first step of a run begins a build and tags the run with it. Every later step resumes the build named by the tags;
an asset launched on its own has no tags and is refused, because nobody could say which build it belongs to.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from sqlalchemy.exc import InterfaceError, OperationalError

from kizuna.builds import DATABASE_CONFIG, Build, code_version, load_build, require_same_ground, start_build
from kizuna.control.lease import Lease, acquire_after_errands, living_runs
from kizuna.control.store import Store, open_store
from kizuna.engine import connect
from kizuna.errors import BuildError, KizunaError, LeaseHeld
from kizuna.machine import refusal
from kizuna.settings import Settings, load_settings
from kizuna.untouched import require_untouched

BUILD_TAG = "kizuna/build_id"
ATTEMPT_TAG = "kizuna/attempt"
AS_OF_TAG = "kizuna/as_of"
KNOWN_AS_OF_TAG = "kizuna/known_as_of"
VERSION_TAG = "kizuna/version"
REBUILT_TAG = "kizuna/rebuilt"
NOTHING_NEW_TAG = "kizuna/nothing_new"

#: One run at a time works on builds; others (none yet) may go on beside it.
BUILD_POOL = "build"

#: Between the start of a run and its first step lie imports only.
GRACE_SECONDS = 180.0

#: Steps that talk to servers ask again this often, so many seconds apart.
RETRIES = 3
RETRY_SECONDS = 20.0
AWAY = (OperationalError, InterfaceError, ConnectionError, TimeoutError)

# Now, and not when the first step has read its files: code that changes meanwhile is not what this process has loaded,
# and a build under its name would never be made again.
code_version()

_log = logging.getLogger(__name__)
_leases: dict[str, Lease] = {}
_watcher: list[Callable[[str], None]] = []


def watch(progress: Callable[[str], None] | None) -> None:
    """Tell `progress` the name of each step of this process as it starts; None stops."""
    _watcher[:] = [progress] if progress else []


def announce(step: str) -> None:
    """A step of a run begins."""
    for tell in _watcher:
        tell(step)


class Company(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the company lives. `home` overrides KIZUNA_HOME."""

    home: str | None = None

    def settings(self) -> Settings:
        """Settings, read anew: a run is short, and a changed `kizuna.yaml` should count for the next one."""
        return load_settings(Path(self.home) if self.home else None)


@dataclass(frozen=True)
class Session:
    """One step's view of one build."""

    settings: Settings
    store: Store
    build: Build
    lease: Lease


def build_database(session: Session) -> duckdb.DuckDBPyConnection:
    """The build's file, open for writing within the memory that builds may take."""
    return connect(session.build.db, session.settings.company.build, config=DATABASE_CONFIG)


def hold_lease(store: Store, run_id: str, tell: Callable[[str], None] = _log.info) -> Lease:
    """The build lease of this run, taken at its first use in this process; a backup that is at work is waited for."""
    lease = _leases.get(run_id)
    if lease is None:
        lease = _leases[run_id] = acquire_after_errands(store, "build", run_id, tell=tell)
    elif lease.lost.is_set():
        raise LeaseHeld(f"Run {run_id} was declared dead and another build took over; start a new run.")
    return lease


def release_lease(run_id: str) -> None:
    """Give the lease of a run back, if this process holds it."""
    lease = _leases.pop(run_id, None)
    if lease is not None:
        lease.release()


def begin(
    context: dg.AssetExecutionContext,
    settings: Settings,
    store: Store,
    lease: Lease,
    *,
    as_of: date,
    batch_ids: Sequence[str],
    known_as_of: datetime | None = None,
    rebuild_from: tuple[int | None] | None = None,
) -> Session:
    """Start a build for this run and write its name into the run's tags."""
    build = start_build(
        store,
        settings,
        as_of=as_of,
        batch_ids=batch_ids,
        fence=lease.fence,
        run_id=context.run.run_id,
        known_as_of=known_as_of,
        rebuild_from=rebuild_from,
    )
    tags = {BUILD_TAG: build.build_id, ATTEMPT_TAG: str(build.attempt), AS_OF_TAG: as_of.isoformat()}
    if known_as_of is not None:
        tags[KNOWN_AS_OF_TAG] = f"{known_as_of.isoformat()}Z"
    context.instance.add_run_tags(context.run.run_id, tags)
    return Session(settings, store, build, lease)


def resume(context: Any, company: Company) -> Session:
    """The build of this run, by its tags. Raises `BuildError` saying which command to use when there is none."""
    op = context.op_execution_context
    announce(op.op.name)
    run = op.instance.get_run_by_id(op.run_id)
    tags = run.tags if run is not None else {}
    if BUILD_TAG not in tags or ATTEMPT_TAG not in tags:
        raise BuildError(
            f"This run has no tag {BUILD_TAG}: an asset belongs to a build, and only the first step of a whole run "
            "starts one. Use `kizuna run`, or launch the job `daily` in the UI; to go on with a build that stopped, "
            "use 'Re-execute from failure' on its run, which carries the tags along."
        )
    settings = company.settings()
    store = open_store(settings)
    build = load_build(store, settings, tags[BUILD_TAG], int(tags[ATTEMPT_TAG]))
    if not build.db.exists():
        raise BuildError(f"The files of build {build.build_id} are gone. Start a new one with `kizuna run`.")
    require_same_ground(settings, build, code_version())
    require_untouched(store, build)
    return Session(settings, store, build, hold_lease(store, op.run_id, op.log.info))


@contextmanager
def retried_when_away(seconds: float = RETRY_SECONDS) -> Iterator[None]:
    """Have Dagster try the step again when a server (control store, Slack) did not answer: that passes by itself.

    Only for steps that may be done twice, and never for gates. A full disk, a bad file or a failed gate does not pass.
    """
    try:
        yield
    except Exception as error:
        # `open_store` says in words what the driver said.
        is_away = isinstance(error, AWAY) or (isinstance(error, KizunaError) and isinstance(error.__cause__, AWAY))
        if not is_away or refusal(error) is not None:
            raise
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=seconds) from error


def close_dead_runs(instance: dg.DagsterInstance, store: Store) -> list[str]:
    """End runs whose process died without a word (kill, power cut); they would hold the queue's only place for good.

    A run of the job that goes on has the build lease or waits for it, and shows signs of life. One that started within
    `GRACE_SECONDS` may not have come to its first step yet. Returns the ids of the runs that were ended.
    """
    alive = living_runs(store)
    closed = []
    for record in instance.get_run_records(
        dg.RunsFilter(job_name="daily", statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    ):
        run = record.dagster_run
        began = record.start_time or record.create_timestamp.timestamp()
        if run.run_id in alive or time.time() - began < GRACE_SECONDS:
            continue
        instance.report_run_failed(run, "its process ended before the run did")
        closed.append(run.run_id)
    return closed


def quiet_environment() -> None:
    """Telemetry off for everything a run imports: a run opens no connection but to Slack."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    # What a run plans to do (an event per asset and check) is stored in one transaction, not in three hundred.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")
