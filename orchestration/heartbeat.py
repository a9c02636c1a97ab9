"""What Dagster's own storage says about its daemon, its schedule and its sensors, read from outside the daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kizuna.settings import Settings

#: Without one of these nothing starts; the others help.
NEEDED = ("SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR")


@dataclass(frozen=True)
class DaemonState:
    """`heartbeat`: the oldest of the last signs of life of the needed daemons, None if never. Names that are off."""

    heartbeat: datetime | None
    errors: tuple[str, ...]
    switched_off: tuple[str, ...]
    waiting_runs: int


def daemon_state(settings: Settings) -> DaemonState:
    """Read the instance of the company. Raises whatever Dagster raises when its storage cannot be read."""
    if not (settings.dagster_home / "dagster.yaml").exists():
        return DaemonState(None, (), (), 0)
    with _instance(settings) as instance:
        import dagster as dg
        from dagster._core.scheduler.instigation import InstigatorStatus

        beats = {kind: beat for kind, beat in instance.get_daemon_heartbeats().items() if kind in NEEDED}
        off = sorted(
            state.instigator_name
            for state in instance.all_instigator_state()
            if state.status == InstigatorStatus.STOPPED
        )
        queued = instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    errors = [error.message.strip().splitlines()[0] for beat in beats.values() for error in beat.errors or [] if error]
    oldest = min((beat.timestamp for beat in beats.values()), default=None)
    at = datetime.fromtimestamp(oldest, UTC).replace(tzinfo=None) if oldest is not None else None
    return DaemonState(at, tuple(errors[:3]), tuple(off), queued)


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
