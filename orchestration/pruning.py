"""Old runs go out of Dagster's storage: it keeps every event of every run for good by itself."""

import shutil
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from kizuna.builds import shown_version
from kizuna.redact import without_values
from kizuna.settings import Settings
from orchestration.session import VERSION_TAG

#: The newest runs stay however old they are: a company that was quiet for months still sees what ran last.
KEPT_RUNS = 20

#: Most that one run clears away, so that years of history do not hold it up.
AT_ONCE = 50


def prune_runs(
    instance: dg.DagsterInstance, settings: Settings, *, now: datetime | None = None, kept: int = KEPT_RUNS
) -> list[str]:
    """Delete runs that ended more than `retention.run_days` ago, with their events and logs; returns their ids.

    The newest `kept` runs stay, one that has not ended, and the one that published what readers see.
    """
    until = (now or datetime.now(UTC)) - timedelta(days=settings.company.retention.run_days)
    newest = {record.dagster_run.run_id for record in instance.get_run_records(limit=kept)}
    shown = str(shown_version(settings))
    old = instance.get_run_records(
        dg.RunsFilter(statuses=list(FINISHED_STATUSES), updated_before=until), limit=AT_ONCE + kept, ascending=True
    )
    gone: list[str] = []
    for record in old:
        run = record.dagster_run
        if run.run_id in newest or run.tags.get(VERSION_TAG) == shown:
            continue
        if len(gone) == AT_ONCE:
            break
        instance.delete_run(run.run_id)
        _remove(_leftovers(settings.dagster_home, run.run_id))
        gone.append(run.run_id)
    return gone


def prune_after_failure(
    settings: Settings, complain: Callable[[str], None], instance: dg.DagsterInstance | None = None
) -> list[str]:
    """`prune_runs` where a run failed: a company whose runs all fail would otherwise keep every one of them.

    Whoever sees a failed run has a message to send and an outcome to return, and what made the run fail (a full disk,
    a storage that is away) can well stop this too: `complain` is then told, and nothing is raised. Without `instance`
    that of DAGSTER_HOME is opened.
    """
    try:
        with nullcontext(instance) if instance is not None else dg.DagsterInstance.get() as opened:
            return prune_runs(opened, settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not hide why the run failed
        complain(f"old runs could not be cleared away: {type(error).__name__}: {without_values(str(error))}")
        return []


def _leftovers(home: Path, run_id: str) -> Iterable[Path]:
    """Captured output and log of a run: Dagster does not delete them with it."""
    return home / "storage" / run_id, home / "logs" / f"{run_id}.log"


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
