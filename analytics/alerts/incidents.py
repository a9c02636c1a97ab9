"""From evaluations to incidents: one message when it starts, one when it is over, nothing in between.

A segment that flaps stays one incident: it is over only after several calm days, and one that comes back soon
after is the same incident again. While the overall series has an incident its segments are part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from analytics.alerts.rules import LEVEL_SHIFT, OVERALL, TOO_LITTLE

CALM_DAYS_TO_RESOLVE = 3
COOLDOWN_DAYS = 7

Reason = Literal["back_to_normal", "new_level"]


@dataclass(frozen=True)
class Incident:
    """State of one incident, as kept in the control store. `key` is stable: segment and first day."""

    key: str
    segment_type: str
    segment: str
    opened_on: date
    last_day: date
    calm_days: int = 0
    peak_at_risk: int = 0
    shifted: bool = False
    resolved_on: date | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class IncidentChange:
    """What to do to one incident: store `incident`, and send a message where `announce`.

    `message_key` is the same whenever the same change is computed again; the outbox keeps it unique.
    `children` are segments that spike as part of an overall incident.
    """

    kind: Literal["open", "update", "resolve"]
    incident: Incident
    day: date
    scored: int
    at_risk: int
    share: float
    baseline: float
    z: float
    value_at_risk: Decimal
    announce: bool
    children: tuple[tuple[str, str], ...] = ()

    @property
    def message_key(self) -> str:
        suffix = f":{self.day.isoformat()}" if self.kind == "update" else ""
        return f"{self.incident.key}:{self.kind}{suffix}"


def incident_changes(incidents: Sequence[Incident], evaluated: pa.Table, day: date) -> list[IncidentChange]:
    """Changes that the rows of `day` in `evaluated` (analytics.alerts.rules.evaluate) make to the incidents.

    `incidents`: the open ones and those resolved within COOLDOWN_DAYS. A day an incident has already seen changes
    nothing, so the same build twice gives no second message. Days without a judgement (too little history, or no
    row) leave an incident as it is. Past days never open one: nobody wants news of last month.
    """
    rows = {
        (r["segment_type"], r["segment"]): r
        for r in evaluated.filter(pc.equal(evaluated["day"], pa.scalar(day, pa.date32()))).to_pylist()
        if r["status"] not in (None, TOO_LITTLE)
    }
    latest: dict[tuple[str, str], Incident] = {}
    for incident in sorted(incidents, key=lambda i: (i.opened_on, i.key)):
        latest[incident.segment_type, incident.segment] = incident
    spiking = tuple(sorted(k for k, r in rows.items() if r["is_spike"] and k[0] != OVERALL))
    parent = any(k[0] == OVERALL and (r["is_spike"] or _is_open(latest.get(k))) for k, r in rows.items())
    changes = []
    for key, row in sorted(rows.items(), key=lambda item: (item[0][0] != OVERALL, item[0])):
        change = _change(latest.get(key), row, day, folded=parent and key[0] != OVERALL)
        if change is not None:
            children = spiking if key[0] == OVERALL and row["is_spike"] else ()
            changes.append(replace(change, children=children))
    return changes


def _change(current: Incident | None, row: dict[str, Any], day: date, *, folded: bool) -> IncidentChange | None:
    if current is not None and current.last_day >= day:
        return None
    if _is_open(current):
        assert current is not None
        return _continue(current, row, day)
    if not row["is_spike"]:
        return None
    if current is not None and _came_back(current, day):
        again = replace(
            current,
            last_day=day,
            calm_days=0,
            resolved_on=None,
            reason=None,
            peak_at_risk=max(current.peak_at_risk, row["at_risk"]),
        )
        return _made("update", again, row, day, announce=False)
    if folded:
        return None
    kind, segment = row["segment_type"], row["segment"]
    opened = Incident(
        key=f"churn:{kind}:{segment}:{day.isoformat()}", segment_type=kind, segment=segment, opened_on=day,
        last_day=day, peak_at_risk=row["at_risk"], shifted=row["status"] == LEVEL_SHIFT,
    )  # fmt: skip
    return _made("open", opened, row, day, announce=True)


def _continue(current: Incident, row: dict[str, Any], day: date) -> IncidentChange:
    seen = replace(current, last_day=day, peak_at_risk=max(current.peak_at_risk, row["at_risk"]))
    if row["status"] == LEVEL_SHIFT:
        # The new level is the baseline from here on: the incident was told once and ends.
        reason: Reason = "new_level" if row["z"] > 0 else "back_to_normal"
        return _made("resolve", replace(seen, shifted=True, resolved_on=day, reason=reason), row, day, announce=True)
    if row["is_spike"]:
        return _made("update", replace(seen, calm_days=0), row, day, announce=False)
    calm = current.calm_days + 1
    if calm < CALM_DAYS_TO_RESOLVE:
        return _made("update", replace(seen, calm_days=calm), row, day, announce=False)
    reason = "new_level" if current.shifted else "back_to_normal"
    return _made("resolve", replace(seen, calm_days=calm, resolved_on=day, reason=reason), row, day, announce=True)


def _is_open(incident: Incident | None) -> bool:
    return incident is not None and incident.resolved_on is None


def _came_back(incident: Incident, day: date) -> bool:
    resolved = incident.resolved_on
    return resolved is not None and (day - resolved).days <= COOLDOWN_DAYS


def _made(
    kind: Literal["open", "update", "resolve"], incident: Incident, row: dict[str, Any], day: date, *, announce: bool
) -> IncidentChange:
    return IncidentChange(
        kind, incident, day, row["scored"], row["at_risk"], row["share"], row["baseline"], row["z"],
        row["value_at_risk"], announce,
    )  # fmt: skip
