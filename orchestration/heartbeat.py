"""What Dagster's own storage says about its daemon, its schedule and its sensors, read from outside the daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from kizuna.redact import without_values
from kizuna.settings import CONFIG_NAME, Settings

#: Without one of these nothing starts; the others help.
NEEDED = ("SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR")


@dataclass(frozen=True)
class DaemonState:
    """`heartbeat`: the oldest of the last signs of life of the needed daemons, None if never. Names that are off.

    `failing`: the schedule and the sensors whose last look broke, with the reason: the daemon lives all the same.
    `other_start`: when (local) the schedule started last, where that was after kizuna.yaml was changed and at another
    time than it says: what runs has loaded an older one.
    """

    heartbeat: datetime | None
    errors: tuple[str, ...]
    switched_off: tuple[str, ...]
    waiting_runs: int
    failing: tuple[str, ...] = ()
    other_start: datetime | None = None


def daemon_state(settings: Settings) -> DaemonState:
    """Read the instance of the company. Raises whatever Dagster raises when its storage cannot be read."""
    if not (settings.dagster_home / "dagster.yaml").exists():
        return DaemonState(None, (), (), 0)
    with _instance(settings) as instance:
        import dagster as dg
        from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus

        from orchestration.when import SCHEDULE

        beats = {kind: beat for kind, beat in instance.get_daemon_heartbeats().items() if kind in NEEDED}
        known = sorted(instance.all_instigator_state(), key=lambda state: state.instigator_name)
        off = [state.instigator_name for state in known if state.status == InstigatorStatus.STOPPED]
        looks = [
            (state.instigator_name, tick)
            for state in known
            if state.status != InstigatorStatus.STOPPED
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        ]
        last = dict(looks)
        failing = [f"{name}: {_reason(tick.error)}" for name, tick in last.items() if tick.status == TickStatus.FAILURE]
        # `kizuna dev` and `kizuna serve` are two places to Dagster, each with a schedule of this name.
        start = max((tick.timestamp for name, tick in looks if name == SCHEDULE), default=None)
        queued = instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    errors = [error.message.strip().splitlines()[0] for beat in beats.values() for error in beat.errors or [] if error]
    oldest = min((beat.timestamp for beat in beats.values()), default=None)
    at = datetime.fromtimestamp(oldest, UTC).replace(tzinfo=None) if oldest is not None else None
    other = _by_an_older_file(settings, start) if start is not None else None
    return DaemonState(at, tuple(errors[:3]), tuple(off), queued, tuple(failing), other)


def _by_an_older_file(settings: Settings, start: float) -> datetime | None:
    """The local time of a start by the schedule that the settings do not explain though they are older than it."""
    from dagster._utils.schedules import schedule_execution_time_iterator

    from orchestration.when import clock, cron_of

    company = settings.company
    if start <= (settings.home / CONFIG_NAME).stat().st_mtime:
        return None
    # The daemon's own reckoning, which knows the days on which clocks change.
    due = schedule_execution_time_iterator(start, cron_of(*clock(company.schedule.at)), company.timezone)
    return None if next(due).timestamp() == start else datetime.fromtimestamp(start, ZoneInfo(company.timezone))


def _reason(error: Any) -> str:
    """The innermost message, which a person can act on, in one line and without quoted values."""
    while error is not None and error.cause is not None:
        error = error.cause
    lines = without_values(str(error.message)).strip().splitlines() if error is not None else []
    return lines[0][:300] if lines else "its last look failed"


@contextmanager
def _instance(settings: Settings) -> Iterator[Any]:
    """The instance in the company's home; `dagster.yaml` there names variables, which are put back afterwards."""
    import dagster as dg

    wanted = {"DAGSTER_HOME": str(settings.dagster_home), "KIZUNA_DAGSTER_URL": settings.dagster_url}
    before = {name: os.environ.get(name) for name in wanted}
    _export(wanted)
    try:
        with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
            yield instance
    finally:
        _export(before)


def _export(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
