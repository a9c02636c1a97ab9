"""From a published version to messages in the outbox: incidents advance, each says something at most once.

Incident and message are written in one transaction, keyed by segment and first day: the same version looked at twice,
or after a crash between publishing and telling, adds nothing.
"""

from __future__ import annotations

import hashlib
import os
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update

from kizuna.builds import load_build, require_passed
from kizuna.control.schema import builds, gate_verdicts, publications
from kizuna.control.store import Store, utcnow
from kizuna.delivery import outbox
from kizuna.incident_history import incidents_before, keep
from kizuna.settings import Settings
from kizuna.versions import Publication, current

if TYPE_CHECKING:
    import pyarrow as pa

    from analytics.alerts import AlertsWithheld, IncidentChange, Message, SourceState

RUNBOOKS = "docs/runbooks"


def raise_alerts(store: Store, settings: Settings) -> list[str]:
    """Advance the incidents by the day of the shown version; returns the keys of messages that are new.

    Refuses (`GateFailed`) when the stored verdicts of that build are not all passed, whoever calls.
    """
    shown = current(settings)
    if shown is None or not _recorded(store, shown):
        return []
    require_passed(store, load_build(store, settings, shown.manifest["build_id"], shown.manifest["attempt"]))

    from analytics.alerts import incident_changes

    day = date.fromisoformat(shown.manifest["as_of"])
    if _is_past(store, shown, day):
        return []
    tables = _read(shown)
    if tables["daily"].num_rows == 0:
        return []
    snoozed = {(s.segment_type, s.segment) for s in settings.company.alerts.snooze if day <= s.until}
    in_doubt = _in_doubt(tables["daily"], day)
    with store.read() as connection:
        known = incidents_before(connection, shown.version)
    changes = incident_changes(known, tables["daily"], day, snoozed=snoozed, in_doubt=in_doubt)
    told = [
        (c.message_key, c.incident.key, _payload(settings, shown, c, tables), _image(settings, shown, c))
        for c in changes
        if c.announce
    ]
    untold = [c for c in changes if in_doubt and not c.incident.told and c.incident.last_day == day]
    if untold:
        message = _withheld(settings, shown, tables, day, len(untold))
        told.append((f"churn:withheld:{message.since}", "", render(settings, message), None))
    states = {i.key: i for i in known} | {c.incident.key: c.incident for c in changes}
    new: list[str] = []
    with store.begin() as connection:
        keep(connection, shown.version, shown.manifest["build_id"], states.values(), day)
        for key, thread, payload, image in told:
            added = outbox.enqueue(
                connection,
                key=key,
                channel=settings.company.channels.alerts,
                payload=payload,
                image=image,
                thread_key=thread or None,
                now=utcnow(),
            )
            if added:
                new.append(key)
    return new


def report_run_failure(
    store: Store, settings: Settings, *, run_id: str, build_id: str | None, steps: list[str], error: str = ""
) -> bool:
    """Close the run's build as failed and queue one message for the data channel about it.

    A stopped gate is told by cause, with failed rows.
    `error` names the kind of error only: an exception's text may quote a row. False when the run was told already.
    """
    from analytics.alerts import RunFailure, render_block_kit

    with store.begin() as connection:
        connection.execute(
            update(builds)
            .where(builds.c.run_id == run_id, builds.c.status == "running")
            .values(status="failed", error=f"stopped at {', '.join(steps) or 'its start'}", ended_at=utcnow())
        )
        gate = next((step.removeprefix("gate_") for step in steps if step.startswith("gate_")), None)
        message: Any = _gate_failure(connection, build_id, gate) if gate and build_id else None
        if message is None:
            message = RunFailure(
                step=", ".join(steps) or "start",
                error=error or "see the run in the Dagster UI",
                day=utcnow().date(),
                build_id=build_id or "-",
                resume="kizuna run",
                runbook=_runbook("run-failed"),
            )
        return outbox.enqueue(
            connection,
            key=f"run-failed:{run_id}",
            channel=settings.company.channels.data,
            payload=render_block_kit(message, settings.company.locale),
            now=utcnow(),
        )


def scorecard_link(settings: Settings, shown: Publication) -> str:
    """Where a reader opens the page of a version: under KIZUNA_PUBLIC_URL, else on this machine."""
    if settings.public_url:
        return f"{settings.public_url.rstrip('/')}/v-{shown.version}/scorecard.html"
    return (shown.folder / "scorecard.html").as_uri()


def _recorded(store: Store, shown: Publication) -> bool:
    with store.read() as connection:
        found = connection.execute(
            select(publications.c.build_id).where(
                publications.c.version == shown.version, publications.c.state == "published"
            )
        ).scalar()
    return bool(found == shown.manifest["build_id"])


def _is_past(store: Store, shown: Publication, day: date) -> bool:
    """Whether a later day was published before: an older day shown again is no news."""
    with store.read() as connection:
        latest = connection.execute(
            select(func.max(publications.c.as_of)).where(
                publications.c.state.in_(("published", "expired")), publications.c.version != shown.version
            )
        ).scalar()
    return latest is not None and day < latest


def _read(shown: Publication) -> dict[str, pa.Table]:
    import duckdb

    with duckdb.connect(str(shown.folder / "cx.duckdb"), read_only=True) as db:
        return {
            "daily": db.execute(
                "SELECT segment_type, segment, day, scored, at_risk, share, value_at_risk, baseline, z, is_spike, "
                "status, is_complete FROM marts.churn_risk_daily ORDER BY segment_type, segment, day"
            ).to_arrow_table(),
            "scores": db.execute("SELECT * FROM marts.churn_risk ORDER BY customer_id").to_arrow_table(),
            "drivers": db.execute("SELECT * FROM marts.churn_drivers_daily").to_arrow_table(),
            "customers": db.execute(
                "SELECT customer_id, display_label, region FROM marts.churn_risk ORDER BY customer_id"
            ).to_arrow_table(),
            "sources": db.execute(
                "SELECT source, max(last_event_at) AS last_event_at FROM marts.data_state "
                "GROUP BY source ORDER BY source"
            ).to_arrow_table(),
        }


def _payload(
    settings: Settings, shown: Publication, change: IncidentChange, tables: dict[str, pa.Table]
) -> dict[str, Any]:
    from analytics.alerts import spike_alert, spike_resolved, spike_update

    build_id, link = shown.manifest["build_id"], scorecard_link(settings, shown)
    if change.kind == "resolve":
        return render(settings, spike_resolved(change, build_id=build_id, link=link))
    if change.kind == "update":
        currency = settings.company.currency
        return render(settings, spike_update(change, currency=currency, build_id=build_id, link=link))
    message = spike_alert(
        change,
        tables["scores"],
        tables["drivers"],
        tables["customers"],
        currency=settings.company.currency,
        build_id=build_id,
        link=link,
        sources=_sources(settings, tables["sources"], change.day),
    )
    return render(settings, message)


def render(settings: Settings, message: Message) -> dict[str, Any]:
    """A message in the company's language."""
    from analytics.alerts import render_block_kit

    return render_block_kit(message, settings.company.locale)


def _in_doubt(daily: pa.Table, day: date) -> bool:
    """Whether the orders reach too little far for the day to be believed: customers would seem to stop buying."""
    found = [r for r in daily.to_pylist() if r["day"] == day]
    return bool(found) and not all(r["is_complete"] for r in found)


def _withheld(
    settings: Settings, shown: Publication, tables: dict[str, pa.Table], day: date, segments: int
) -> AlertsWithheld:
    from analytics.alerts import AlertsWithheld

    complete = [r["day"] for r in tables["daily"].to_pylist() if r["is_complete"] and r["day"] < day]
    return AlertsWithheld(
        day=day,
        # A day counts as complete when orders reach to the day before it: one quiet day is no fault.
        since=max(complete, default=day) - timedelta(days=1),
        segments=segments,
        build_id=shown.manifest["build_id"],
        link=scorecard_link(settings, shown),
        sources=tuple(_sources(settings, tables["sources"], day)),
    )


def _sources(settings: Settings, table: pa.Table, day: date) -> list[SourceState]:
    from zoneinfo import ZoneInfo

    from analytics.alerts import SourceState

    zone, utc = ZoneInfo(settings.company.timezone), ZoneInfo("UTC")
    found = []
    for row in table.to_pylist():
        at = row["last_event_at"]
        last = at.replace(tzinfo=utc).astimezone(zone).date() if at else None
        found.append(SourceState(row["source"], last, late=last is not None and day - last > timedelta(days=2)))
    return found


def _image(settings: Settings, shown: Publication, change: IncidentChange) -> Path | None:
    from kizuna.scorecard import churn_chart_png

    if change.kind != "open":
        return None

    folder = settings.home / "messages"
    path = folder / f"{hashlib.sha256(change.message_key.encode()).hexdigest()[:16]}.png"
    if path.exists():
        # Told before under this key: every later run over the same version finds the same change again.
        return path
    incident = change.incident
    segment = None if incident.segment_type == "overall" else incident.segment
    png = churn_chart_png(shown.folder / "cx.duckdb", settings.company, segment=segment)
    if png is None:
        return None
    folder.mkdir(exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_bytes(png)
    temporary.replace(path)
    return path


def _gate_failure(connection: Connection, build_id: str | None, gate: str | None) -> Any:
    from analytics.alerts import GateCause, GateFailure

    rows = connection.execute(
        select(gate_verdicts)
        .where(gate_verdicts.c.build_id == build_id, gate_verdicts.c.gate == gate, gate_verdicts.c.outcome != "passed")
        .order_by(gate_verdicts.c.verdict_id)
    ).all()
    if not rows or gate is None or build_id is None:
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
        build_id=build_id,
        causes=tuple(
            GateCause(
                cause=cause,
                relations=tuple(relation for relation, _ in found),
                checks=len(found),
                failed_rows=sum(n for _, n in found if n is not None) if any(n is not None for _, n in found) else None,
            )
            for cause, found in causes.items()
        ),
        blocked=("published/version",),
        runbook=_runbook("gate-failed"),
    )


def _runbook(name: str) -> str:
    from kizuna.builds import PROJECT_ROOT

    return (PROJECT_ROOT / RUNBOOKS / f"{name}.md").as_uri()
