"""Incidents as they stood after each published version: read from the one a build goes on from, written with its own.

So they advance only by publication, and a rollback takes them back: the next build goes on from the version shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, update

from kizuna.control.schema import builds, incident_versions, incidents, publications
from kizuna.control.store import utcnow

if TYPE_CHECKING:
    from analytics.alerts import Incident

KIND = "churn_spike"
_DAYS = ("opened_on", "last_day", "resolved_on")


def incidents_before(connection: Connection, version: int) -> list[Incident]:
    """Incidents as they stood after the version that `version` was built on.

    A version whose messages were never raised (a crash) has none of its own: the one before it counts.
    """
    from analytics.alerts import Incident

    seen: set[int] = set()
    number = _base_of(connection, version)
    while number is not None and number not in seen:
        seen.add(number)
        row = connection.execute(
            select(incident_versions.c.states).where(incident_versions.c.version == number)
        ).first()
        if row is not None:
            return [Incident(**_read(state)) for state in row.states]
        number = _base_of(connection, number)
    return []


def keep(connection: Connection, version: int, build_id: str, states: Iterable[Incident], day: date) -> None:
    """Store how incidents stand after `version`; those resolved too long ago to come back are left out."""
    from analytics.alerts.incidents import COOLDOWN_DAYS

    oldest = day - timedelta(days=COOLDOWN_DAYS)
    live = [i for i in states if i.resolved_on is None or i.resolved_on >= oldest]
    connection.execute(delete(incident_versions).where(incident_versions.c.version == version))
    connection.execute(
        incident_versions.insert().values(version=version, states=[_plain(asdict(i)) for i in live], at=utcnow())
    )
    shown = {i.key for i in live}
    for incident in live:
        _show(connection, incident, build_id)
    gone = (incidents.c.kind == KIND) & (incidents.c.state == "open") & incidents.c.incident_id.not_in(shown)
    connection.execute(update(incidents).where(gone).values(state="withdrawn"))


def _base_of(connection: Connection, version: int) -> int | None:
    query = (
        select(builds.c.base_version)
        .join(
            publications, (publications.c.build_id == builds.c.build_id) & (publications.c.attempt == builds.c.attempt)
        )
        .where(publications.c.version == version)
    )
    return connection.execute(query).scalar()


def _show(connection: Connection, incident: Incident, build_id: str) -> None:
    values = {
        "kind": KIND,
        "segment_type": incident.segment_type,
        "segment": incident.segment,
        "state": "open" if incident.resolved_on is None else "resolved",
        "opened_on": incident.opened_on,
        "last_seen_on": incident.last_day,
        "resolved_on": incident.resolved_on,
        "detail": {
            "calm_days": incident.calm_days,
            "peak_at_risk": incident.peak_at_risk,
            "reason": incident.reason,
            "told": incident.told,
        },
    }
    known = connection.execute(select(incidents.c.incident_id).where(incidents.c.incident_id == incident.key)).first()
    if known is None:
        connection.execute(incidents.insert().values(incident_id=incident.key, opened_by_build=build_id, **values))
    else:
        connection.execute(update(incidents).where(incidents.c.incident_id == incident.key).values(**values))


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    days = {name: state[name].isoformat() for name in _DAYS if state[name] is not None}
    return {**state, **days, "members": [list(pair) for pair in state["members"]]}


def _read(state: Mapping[str, Any]) -> dict[str, Any]:
    days = {name: date.fromisoformat(state[name]) for name in _DAYS if state[name] is not None}
    return {**state, **days, "members": tuple((kind, segment) for kind, segment in state["members"])}
