"""What the data team is told: gates that stop a build, failed runs, sources that stay away, scores that are withheld.

Each is a problem that begins and ends: told when it begins, and once more when it is over. Open problems are rows of
`incidents` beside the spikes; message and row are written in one transaction, so looking again adds nothing. A past day
that could not be built again is none: it is told to whoever asked for it, and its row is closed from the start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, insert, select, update

from kizuna.control.schema import batches, builds, gate_verdicts, incidents, publications
from kizuna.control.store import Store, utcnow
from kizuna.delivery import outbox
from kizuna.message_parts import render, scorecard_link, sources_of
from kizuna.runbooks import runbook_of
from kizuna.settings import Settings
from kizuna.versions import Publication

if TYPE_CHECKING:
    import pyarrow as pa

    from analytics.alerts import Message

GATE, RUN, PAST, SOURCE, SCORES = "gate", "run", "past", "source", "scores"
#: Whose scores may be withheld beside those of contracts, as the name of the problem.
BUYERS = "churn"
#: Too little history is no fault of anybody while nothing was scored yet.
_YOUNG = ("too_little_history", "too_few_ended")
#: The failure sensor looks back on minutes; a problem that is over is kept in mind for longer than that.
_REMEMBERED_DAYS = 3
#: Newest gaps between deliveries that say how often a source comes; half of them must be there.
_GAPS = 10


@dataclass(frozen=True)
class PastDay:
    """A past day that somebody wanted built again, as it was known at an instant (naive UTC) or, None, as it is now."""

    as_of: date
    known_as_of: datetime | None = None

    @property
    def command(self) -> str:
        """What asks for it again."""
        known = f" --known-as-of {self.known_as_of.isoformat()}" if self.known_as_of else ""
        return f"kizuna run --as-of {self.as_of}{known}"


@dataclass(frozen=True)
class FailedRun:
    """A run that ended in failure: the attempt it made, the names of the steps that failed, the past day it was for."""

    run_id: str
    build_id: str | None
    steps: tuple[str, ...]
    attempt: int | None = None
    past: PastDay | None = None


def report_run_failure(
    store: Store, settings: Settings, *, run_id: str, build_id: str | None, steps: list[str], error: str = ""
) -> bool:
    """`report_run_failures` for one run; False when it was told already."""
    return bool(report_run_failures(store, settings, [FailedRun(run_id, build_id, tuple(steps))], error))


def report_run_failures(store: Store, settings: Settings, failed: Sequence[FailedRun], error: str = "") -> int:
    """Close the runs' builds as failed and queue messages for the data channel, the oldest run first; how many.

    Runs that stopped at the same steps are one message, which counts them; each is told once, however often it is
    handed in. A stopped gate is told by cause, with failed rows; what fails again before it was well answers in the
    same thread. Runs for past days are told apart from those that readers wait for, and say nothing about them.
    `error` names the kind of error only: an exception's text may quote a row.
    """
    with store.begin() as connection:
        told = _told_runs(connection)
        groups: dict[tuple[tuple[str, ...], bool], list[FailedRun]] = {}
        for run in failed:
            connection.execute(
                update(builds)
                .where(builds.c.run_id == run.run_id, builds.c.status == "running")
                .values(status="failed", error=f"stopped at {', '.join(run.steps) or 'its start'}", ended_at=utcnow())
            )
            if run.run_id not in told and outbox.get(connection, f"run-failed:{run.run_id}") is None:
                groups.setdefault((run.steps, run.past is not None), []).append(run)
        return sum(_tell_failed(connection, settings, steps, runs, error) for (steps, _), runs in groups.items())


def _tell_failed(
    connection: Connection, settings: Settings, steps: tuple[str, ...], runs: list[FailedRun], error: str
) -> bool:
    """One message on runs that stopped at the same steps, in the words of the newest."""
    from analytics.alerts import RunFailure

    newest = runs[-1]
    gate = next((step.removeprefix("gate_") for step in steps if step.startswith("gate_")), None)
    message: Any = _gate_failure(connection, settings, newest, gate) if gate else None
    kind, name = (GATE, gate) if message is not None and gate else (RUN, "daily")
    if message is None:
        message = RunFailure(
            step=", ".join(steps) or "start",
            error=error or "see the run in the Dagster UI",
            day=utcnow().date(),
            build_id=newest.build_id or "-",
            resume=newest.past.command if newest.past else "kizuna run",
            runbook=runbook_of("RunFailure", settings.company.alerts.runbook_url),
        )
    message = replace(message, runs=len(runs))
    if newest.past is not None:
        days = {run.past.as_of for run in runs if run.past is not None}
        message = replace(message, day=newest.past.as_of, past_days=tuple(sorted(days)))
    thread = _thread(connection, kind, name, newest)
    if runs[:-1]:
        mine = incidents.c.incident_id == thread
        detail: dict[str, Any] = dict(connection.execute(select(incidents.c.detail).where(mine)).scalar_one())
        detail["runs"] = [*detail.get("runs", ()), *(run.run_id for run in runs[:-1])]
        connection.execute(update(incidents).where(mine).values(detail=detail))
    return _say(connection, settings, f"run-failed:{newest.run_id}", message, thread)


def _thread(connection: Connection, kind: str, name: str, newest: FailedRun) -> str:
    """The incident of a problem, begun unless it is open; of a past day one of its own, over as soon as it is told."""
    today, build_id = utcnow().date(), newest.build_id or "-"
    if newest.past is not None:
        key = _begin(connection, PAST, str(newest.past.as_of), today, build_id)
        over = {"state": "resolved", "resolved_on": today}
        connection.execute(update(incidents).where(incidents.c.incident_id == key).values(over))
        return key
    problem = _open(connection, kind).get(name)
    return problem.incident_id if problem else _begin(connection, kind, name, today, build_id)


def _told_runs(connection: Connection) -> set[str]:
    """Runs that were counted in the message on another one, by problems of the last days."""
    since = utcnow().date() - timedelta(days=_REMEMBERED_DAYS)
    recent = (incidents.c.state == "open") | (incidents.c.resolved_on >= since)
    mine = incidents.c.kind.in_((GATE, RUN, PAST)) & recent
    return {run for row in connection.execute(select(incidents.c.detail).where(mine)) for run in row[0].get("runs", ())}


def tell_data_team(
    store: Store, settings: Settings, shown: Publication, day: date, *, sources: pa.Table,
    withheld: Mapping[str, str], scored: Collection[str],
) -> list[str]:  # fmt: skip
    """What a published version says to the data team; returns the keys of messages that are new.

    sources: source and last_event_at (naive UTC). withheld: of buyers and of contracts, where there are any, why the
    scores of the version are, '' where they are not. scored: of which of the two the version holds any day.
    """
    with store.begin() as connection:
        published_at = connection.execute(
            select(publications.c.published_at).where(publications.c.version == shown.version)
        ).scalar()
        return [
            *_runs_and_gates(connection, settings, shown, day, published_at),
            *_sources(connection, settings, shown, day, sources),
            *(
                key
                for name, why in withheld.items()
                for key in _scores(
                    connection, settings, shown, day, name, "" if why in _YOUNG and name not in scored else why
                )
            ),
        ]


def _runs_and_gates(
    connection: Connection, settings: Settings, shown: Publication, day: date, published_at: datetime | None
) -> Iterable[str]:
    """A version that was published after a failure shows that it is over."""
    for kind in (GATE, RUN):
        for name, problem in _open(connection, kind).items():
            if published_at is not None and published_at > datetime.fromisoformat(problem.detail["at"]):
                yield from _recovered(connection, settings, shown, day, kind, [problem], (name,))


def _sources(
    connection: Connection, settings: Settings, shown: Publication, day: date, table: pa.Table
) -> Iterable[str]:
    from analytics.alerts import SourcesLate, SourceState

    rules = settings.company.freshness
    reach = {s.source: s.last_on for s in sources_of(settings, table, day)}
    limits = _usual_silence(connection, settings, day) | rules.sources
    late: dict[str, date | None] = {
        source: last
        for source, last in reach.items()
        if last is not None and source in limits and (day - last).days > limits[source]
    }
    # A source that is named in kizuna.yaml is expected, even before its first file.
    late |= {source: None for source in rules.sources if source not in reach}
    open_ = _open(connection, SOURCE)
    new = sorted(set(late) - set(open_))
    if new:
        ids = [_begin(connection, SOURCE, source, day, shown.manifest["build_id"]) for source in new]
        message = SourcesLate(
            day=day,
            late=tuple(SourceState(source, late[source], late=True) for source in new),
            build_id=shown.manifest["build_id"],
            runbook=runbook_of("SourcesLate", settings.company.alerts.runbook_url),
        )
        if _say(connection, settings, f"{ids[0]}:open", message, None):
            yield f"{ids[0]}:open"
    back = sorted(set(open_) - set(late))
    if back:
        yield from _recovered(connection, settings, shown, day, SOURCE, [open_[s] for s in back], tuple(back))


def _usual_silence(connection: Connection, settings: Settings, day: date) -> dict[str, int]:
    """Days a source may stay away: `gates.max_silence` times the longest of its newest gaps between deliveries.

    A source with too few deliveries has no usual gap. Days are those of the newest event of each delivery.
    """
    rules, found = settings.company.freshness, {}
    there = batches.c.active & batches.c.last_event_at.is_not(None)
    days: dict[str, set[date]] = {}
    for row in connection.execute(select(batches.c.source, batches.c.last_event_at).where(there)):
        days.setdefault(row.source, set()).add(row.last_event_at.date())
    for source, known in days.items():
        newest = sorted(d for d in known if d <= day)[-_GAPS - 1 :]
        gaps = [(later - earlier).days for earlier, later in pairwise(newest)]
        if len(gaps) >= _GAPS // 2:
            found[source] = max(rules.days, int(settings.company.gates.max_silence * max(gaps)))
    return found


def _scores(
    connection: Connection, settings: Settings, shown: Publication, day: date, name: str, withheld: str
) -> Iterable[str]:
    from analytics.alerts import ScoresWithheld

    channels = (settings.company.channels.data, settings.company.channels.alerts)
    problem = _open(connection, SCORES).get(name)
    if withheld and problem is None:
        key = _begin(connection, SCORES, name, day, shown.manifest["build_id"])
        message = ScoresWithheld(
            withheld, day, shown.manifest["build_id"], scorecard_link(settings, shown),
            kind="non_contractual" if name == BUYERS else "contractual",
        )  # fmt: skip
        # Who waits for alerts must know why none comes, who keeps the data must mend it.
        for channel in channels:
            if _say(connection, settings, f"{key}:open:{channel}", message, key, channel):
                yield f"{key}:open:{channel}"
    elif not withheld and problem is not None:
        for channel in channels:
            yield from _recovered(connection, settings, shown, day, SCORES, [problem], (name,), channel)


def _recovered(
    connection: Connection, settings: Settings, shown: Publication, day: date, kind: str, problems: list[Row[Any]],
    names: tuple[str, ...], channel: str | None = None,
) -> Iterable[str]:  # fmt: skip
    from analytics.alerts import Recovered

    for problem in problems:
        connection.execute(
            update(incidents)
            .where(incidents.c.incident_id == problem.incident_id)
            .values(state="resolved", last_seen_on=day, resolved_on=day)
        )
    message = Recovered(
        kind=kind,  # type: ignore[arg-type]
        names=names,
        since=min(problem.opened_on for problem in problems),
        day=day,
        build_id=shown.manifest["build_id"],
        link=scorecard_link(settings, shown),
    )
    key = f"{problems[0].incident_id}:resolve" + (f":{channel}" if channel else "")
    thread = problems[0].incident_id if len(problems) == 1 else None
    if _say(connection, settings, key, message, thread, channel):
        yield key


def _open(connection: Connection, kind: str) -> dict[str, Row[Any]]:
    """Problems of a kind that are not over, by name."""
    mine = (incidents.c.kind == kind) & (incidents.c.state == "open")
    return {row.segment: row for row in connection.execute(select(incidents).where(mine).order_by(incidents.c.segment))}


def _begin(connection: Connection, kind: str, name: str, day: date, build_id: str) -> str:
    """A new problem; its id counts how often this one has come."""
    before = connection.execute(
        select(func.count()).select_from(incidents).where(incidents.c.kind == kind, incidents.c.segment == name)
    ).scalar()
    key = f"data:{kind}:{name}:{(before or 0) + 1}"
    connection.execute(
        insert(incidents).values(
            incident_id=key, kind=kind, segment_type=kind, segment=name, state="open", opened_on=day,
            last_seen_on=day, opened_by_build=build_id, detail={"at": utcnow().isoformat()},
        )
    )  # fmt: skip
    return key


def _say(
    connection: Connection, settings: Settings, key: str, message: Message, thread: str | None,
    channel: str | None = None,
) -> bool:  # fmt: skip
    return outbox.enqueue(
        connection,
        key=key,
        channel=channel or settings.company.channels.data,
        payload=render(settings, message),
        thread_key=thread,
        now=utcnow(),
    )


def _gate_failure(connection: Connection, settings: Settings, run: FailedRun, gate: str) -> Any:
    from analytics.alerts import GateCause, GateFailure

    # A past day can be the same build as a published one: only its attempt tells them apart.
    mine = [gate_verdicts.c.attempt == run.attempt] if run.attempt is not None else []
    rows = connection.execute(
        select(gate_verdicts)
        .where(gate_verdicts.c.build_id == run.build_id, gate_verdicts.c.gate == gate, *mine)
        .where(gate_verdicts.c.outcome != "passed")
        .order_by(gate_verdicts.c.verdict_id)
    ).all()
    if not rows or run.build_id is None:
        return None
    newest = {row.relation: row for row in rows if row.attempt == rows[-1].attempt}
    causes: dict[str, list[tuple[str, int | None]]] = {}
    for relation, row in sorted(newest.items()):
        for failed in row.failed:
            cause = failed.get("reason") or "could not run"
            causes.setdefault(cause, []).append((relation, failed.get("unexpected_count")))
    outcome = "could_not_run" if all(row.outcome == "could_not_run" for row in newest.values()) else "failed"
    return GateFailure(
        gate=gate,
        outcome=outcome,  # type: ignore[arg-type]
        day=utcnow().date(),
        build_id=run.build_id,
        causes=tuple(
            GateCause(
                cause=cause,
                relations=tuple(relation for relation, _ in found),
                checks=len(found),
                failed_rows=sum(n for _, n in found if n is not None) if any(n is not None for _, n in found) else None,
            )
            for cause, found in causes.items()
        ),
        blocked=() if run.past else ("published/version",),
        runbook=runbook_of("GateFailure", settings.company.alerts.runbook_url),
    )
