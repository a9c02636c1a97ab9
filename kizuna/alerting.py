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

from sqlalchemy import Connection, func, select

from kizuna.builds import load_build, require_passed
from kizuna.control.schema import publications
from kizuna.control.store import Store, utcnow
from kizuna.data_channel import BUYERS, tell_data_team
from kizuna.delivery import outbox
from kizuna.incident_history import incidents_before, keep
from kizuna.message_parts import render, scorecard_link, sources_of
from kizuna.settings import Settings
from kizuna.versions import Publication, current

if TYPE_CHECKING:
    import pyarrow as pa

    from analytics.alerts import AlertsWithheld, IncidentChange


def raise_alerts(store: Store, settings: Settings) -> list[str]:
    """What the shown version has to say; returns the keys of messages that are new.

    The incidents advance by its day, the digest of a period that is over is told once, and the data team hears what is
    late or well again. Refuses (`GateFailed`) when the stored verdicts of that build are not all passed, whoever calls.
    """
    from analytics.alerts.rules import CONTRACTS

    shown = current(settings)
    if shown is None or not _recorded(store, shown):
        return []
    require_passed(store, load_build(store, settings, shown.manifest["build_id"], shown.manifest["attempt"]))
    day = date.fromisoformat(shown.manifest["as_of"])
    if _is_past(store, shown, day):
        return []
    tables = _read(shown)
    new = [*_advance_incidents(store, settings, shown, day, tables), *_tell_digest(store, settings, shown, day)]
    return [
        *new,
        *tell_data_team(
            store, settings, shown, day,
            sources=tables["sources"],
            withheld={
                name: _why_withheld(tables[table])
                for name, table in ((BUYERS, "scores"), (CONTRACTS, "contracts"))
                if tables[table].num_rows
            },
            scored={CONTRACTS if kind == CONTRACTS else BUYERS for kind in tables["daily"]["segment_type"].to_pylist()},
        ),
    ]  # fmt: skip


def _why_withheld(scores: pa.Table) -> str:
    """Why most of the withheld scores are, '' where none is."""
    import pyarrow.compute as pc

    reasons = pc.value_counts(scores.filter(pc.equal(scores["band"], "withheld"))["reason"].cast("string"))
    found = [(-r["counts"], r["values"]) for r in reasons.to_pylist() if r["values"]]
    return min(found)[1] if found else ""


def _tell_digest(store: Store, settings: Settings, shown: Publication, day: date) -> list[str]:
    from kizuna.digest import digest_of, period_of, trend_png

    company = settings.company
    period = period_of(company.digest.every, day)
    if period is None:
        return []
    with store.read() as connection:
        if outbox.get(connection, period.key) is not None:
            return []
    found = digest_of(settings, shown, period, link=scorecard_link(settings, shown))
    if found is None:
        return []
    digest, trends = found
    payload = render(settings, digest)
    image = _kept_picture(settings, period.key, trend_png(settings, trends, payload["blocks"][0]["text"]["text"]))
    with store.begin() as connection:
        added = outbox.enqueue(
            connection,
            key=period.key,
            channel=company.channels.digest or company.channels.alerts,
            payload=payload,
            image=image,
            now=utcnow(),
        )
    return [period.key] if added else []


def _advance_incidents(
    store: Store, settings: Settings, shown: Publication, day: date, tables: dict[str, pa.Table]
) -> list[str]:
    from analytics.alerts import incident_changes, told_apart

    if tables["daily"].num_rows == 0:
        return []
    snoozed = {(s.segment_type, s.segment) for s in settings.company.alerts.snooze if day <= s.until}
    in_doubt = _in_doubt(tables["daily"], day)
    with store.read() as connection:
        known = incidents_before(connection, shown.version)
        changes = incident_changes(known, tables["daily"], day, snoozed=snoozed, in_doubt=in_doubt)
        shared = [c for c in changes if c.beside or c.within]
        if any(outbox.get(connection, c.message_key) for c in shared):
            # A version rolled back since has told one of them already, without the other.
            changes = told_apart(changes)
        threads = {c.incident.key: _thread_of(connection, c) for c in changes}
    told = [
        (c.message_key, threads[c.incident.key], _payload(settings, shown, c, tables), _image(settings, shown, c))
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


def _thread_of(connection: Connection, change: IncidentChange) -> str:
    """Where an incident is told: in the thread in which it was opened, its own or that of another incident."""
    opened = outbox.get(connection, f"{change.incident.key}:open")
    return (opened.thread_key if opened is not None else None) or change.within or change.incident.key


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
        # Buyers and contracts are told apart. A version that was published before contracts were scored has one kind.
        kinds = "SELECT 1 FROM duckdb_columns() WHERE table_name = 'churn_risk' AND column_name = 'kind'"
        buyers = "WHERE r.kind = 'non_contractual'" if db.execute(kinds).fetchone() else ""
        return {
            "daily": db.execute(
                "SELECT * FROM marts.churn_risk_daily ORDER BY segment_type, segment, day"
            ).to_arrow_table(),
            "scores": db.execute(f"SELECT * FROM marts.churn_risk r {buyers} ORDER BY customer_id").to_arrow_table(),
            "contracts": db.execute(
                "SELECT * FROM marts.churn_risk r WHERE r.kind = 'contractual' ORDER BY customer_id"
                if buyers
                else "SELECT * FROM marts.churn_risk WHERE false"
            ).to_arrow_table(),
            "drivers": db.execute("SELECT * FROM marts.churn_drivers_daily").to_arrow_table(),
            "customers": db.execute(
                "SELECT r.customer_id, r.display_label, r.region, c.age_band, c.value_tier, c.channel_preference, "
                "c.device_mix FROM marts.churn_risk r LEFT JOIN marts.customer_360 c USING (customer_id) "
                f"{buyers} ORDER BY r.customer_id"
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
    from analytics.alerts.rules import CONTRACTS

    build_id, link = shown.manifest["build_id"], scorecard_link(settings, shown)
    if change.kind == "resolve":
        return render(settings, spike_resolved(change, build_id=build_id, link=link))
    if change.kind == "update":
        currency = settings.company.currency
        return render(settings, spike_update(change, currency=currency, build_id=build_id, link=link))
    message = spike_alert(
        change,
        tables["contracts" if change.incident.segment_type == CONTRACTS else "scores"],
        tables["drivers"],
        tables["customers"],
        currency=settings.company.currency,
        build_id=build_id,
        link=link,
        sources=sources_of(settings, tables["sources"], change.day),
        customer_url=settings.company.alerts.customer_url,
    )
    return render(settings, message)


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
        sources=tuple(sources_of(settings, tables["sources"], day)),
    )


def _image(settings: Settings, shown: Publication, change: IncidentChange) -> Path | None:
    from kizuna.scorecard import churn_chart_png

    if change.kind != "open":
        return None
    path = _picture_path(settings, change.message_key)
    if path.exists():
        # Told before under this key: every later run over the same version finds the same change again.
        return path
    incident = change.incident
    whole = incident.segment_type == "overall"
    png = churn_chart_png(
        shown.folder / "cx.duckdb",
        settings.company,
        segment=None if whole else incident.segment,
        segment_type="region" if whole else incident.segment_type,
    )
    return _kept_picture(settings, change.message_key, png)


def _picture_path(settings: Settings, key: str) -> Path:
    return settings.home / "messages" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.png"


def _kept_picture(settings: Settings, key: str, png: bytes | None) -> Path | None:
    """Where the picture of a message lies until it is sent; None without one."""
    if png is None:
        return None
    path = _picture_path(settings, key)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_bytes(png)
    temporary.replace(path)
    return path
