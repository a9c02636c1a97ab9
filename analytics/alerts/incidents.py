"""From evaluations to incidents: one message when it starts, one in its thread where it grows, one when it is over.

A segment that flaps stays one incident: it is over only after several calm days, and one that comes back soon
after is the same incident again. While the overall series has an incident its segments are part of it; where more
segments start on one day than may speak for themselves, the overall series speaks for them.

An incident may be known without being told: its segment is snoozed, or the data is in doubt. It is told when neither
holds any more and it still goes on.

Buyers and contracts are judged apart. Where both are to be told of on one day, people get one message: that of the
buyers has a line about contracts, and whatever there is to say of these answers in its thread.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from analytics.alerts.rules import (
    COLUMNS,
    CONTRACTS,
    LEVEL_SHIFT,
    MEASURES,
    NUMBER,
    OVERALL,
    SHARE,
    SPIKE,
    TOO_LITTLE,
    VALUE,
)

CALM_DAYS_TO_RESOLVE = 3
COOLDOWN_DAYS = 7
#: Up to so many segments that start on one day are messages of their own.
MAX_SEPARATE = 2
#: The thread hears of an incident again when so many times the customers told last are concerned (each time the bar
#: rises with it), or when another segment has joined an overall one.
GROWN = 1.5
#: A segment of another cut belongs to an incident that explains its excess, give or take a tenth.
_EXPLAINED = 1.1

#: Segments that are part of no other: the whole company, and contracts, whose risk is another one.
_ALONE = (OVERALL, CONTRACTS)

Reason = Literal["back_to_normal", "new_level"]
Kind = Literal["open", "update", "resolve"]
Key = tuple[str, str]


@dataclass(frozen=True)
class Incident:
    """State of one incident, as kept in the control store. `key` is stable: segment and first day.

    `told`: whether people know of it. `told_at_risk` and `members` (segments of an overall incident, or those of other
    cuts in which the same customers show) are what they were told last. `measure`: what rose when it began.
    """

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
    told: bool = True
    told_at_risk: int = 0
    members: tuple[Key, ...] = ()
    measure: str = SHARE


@dataclass(frozen=True)
class IncidentChange:
    """What to do to one incident: store `incident`, and send a message where `announce`.

    `message_key` is the same whenever the same change is computed again; the outbox keeps it unique.
    `children` are segments that spike as part of the incident; `before` is the number at risk told last. `baseline` is
    the usual share, `usual_at_risk` and `usual_value` the usual number and value (None where nobody knows).
    `beside`: what opens for contracts on the same day, to be told in this message; `within` there: this incident's key,
    in whose thread contracts are told.
    """

    kind: Kind
    incident: Incident
    day: date
    scored: int
    at_risk: int
    share: float
    baseline: float
    z: float
    value_at_risk: Decimal
    announce: bool
    children: tuple[Key, ...] = ()
    before: int = 0
    usual_at_risk: float | None = None
    usual_value: float | None = None
    beside: IncidentChange | None = None
    within: str = ""

    @property
    def message_key(self) -> str:
        suffix = f":{self.day.isoformat()}" if self.kind == "update" else ""
        return f"{self.incident.key}:{self.kind}{suffix}"


def incident_changes(
    incidents: Sequence[Incident],
    evaluated: pa.Table,
    day: date,
    *,
    snoozed: Collection[Key] = (),
    in_doubt: bool = False,
) -> list[IncidentChange]:
    """Changes that the rows of `day` in `evaluated` (analytics.alerts.rules.evaluate) make to the incidents.

    `incidents`: the open ones and those resolved within COOLDOWN_DAYS. A day an incident has already seen changes
    nothing, so the same build twice gives no second message. Days without a judgement (too little history, or no
    row) leave an incident as it is. Past days never open one: nobody wants news of last month. `snoozed` segments
    and, with `in_doubt`, all of them are not told of; data in doubt is no proof of calm either.
    """
    rows = {
        (r["segment_type"], r["segment"]): r
        for r in evaluated.filter(pc.equal(evaluated["day"], pa.scalar(day, pa.date32()))).to_pylist()
        if r["status"] not in (None, TOO_LITTLE)
    }
    latest: dict[Key, Incident] = {}
    for incident in sorted(incidents, key=lambda i: (i.opened_on, i.key)):
        latest[incident.segment_type, incident.segment] = incident
    spiking = tuple(sorted(k for k, r in rows.items() if r["is_spike"] and k[0] not in _ALONE))
    whole = next((k for k in rows if k[0] == OVERALL), None)
    parent = latest.get(whole) if whole is not None else None
    spoken_for = set(parent.members) if parent is not None and _is_open(parent) else set()
    joined = _leaders([k for k in spiking if k not in spoken_for], rows, latest, day)
    if whole is not None and _too_many(list(joined), latest, day):
        rows[whole] = rows[whole] | {"is_spike": True}
    if whole is not None and rows[whole]["is_spike"]:
        spoken_for, joined = set(spiking), {}
    spoken_for |= {k for found in joined.values() for k in found}
    if whole is not None:
        joined[whole] = spiking
    changes = []
    for key, row in sorted(rows.items(), key=lambda item: (item[0][0] != OVERALL, item[0])):
        quiet = in_doubt or key in snoozed
        change = _change(
            latest.get(key), row, day, children=joined.get(key, ()), folded=key in spoken_for, quiet=quiet
        )  # fmt: skip
        if change is None or (in_doubt and not (row["is_spike"] and change.kind != "resolve")):
            continue
        changes.append(change)
    return _told_together(changes)


def told_apart(changes: Sequence[IncidentChange]) -> list[IncidentChange]:
    """The same changes, with buyers and contracts in messages of their own."""
    return [replace(c, beside=None, within="") for c in changes]


def _told_together(changes: list[IncidentChange]) -> list[IncidentChange]:
    """Contracts that open on the day on which buyers do answer to their message: the whole company's, else that of the
    segment with the largest excess. An answer comes after what it answers."""
    opened = [c for c in changes if c.kind == "open" and c.announce]
    contracts = next((c for c in opened if c.incident.segment_type == CONTRACTS), None)
    buyers = [c for c in opened if c.incident.segment_type != CONTRACTS]
    if contracts is None or not buyers:
        return changes
    root = min(buyers, key=lambda c: (c.incident.segment_type != OVERALL, (c.baseline or 0.0) * c.scored - c.at_risk))
    others = [replace(c, beside=contracts) if c is root else c for c in changes if c is not contracts]
    return [*others, replace(contracts, within=root.incident.key)]


def _leaders(
    spiking: Sequence[Key], rows: dict[Key, dict[str, Any]], latest: dict[Key, Incident], day: date
) -> dict[Key, tuple[Key, ...]]:
    """For segments that speak, those of other cuts in which the same customers show.

    Cuts overlap and their intersections are not known. But a cut has every customer once, so a segment whose excess is
    no larger than that of an incident's segments in another cut can be explained by it. The largest excess leads, among
    those within a tenth of it the steepest rise.
    """
    standing = [k for k, i in latest.items() if _is_open(i) and k[0] not in _ALONE and k in rows]
    joined: dict[Key, tuple[Key, ...]] = {k: () for k in standing}
    members = {m for k in standing for m in latest[k].members}
    new = [k for k in spiking if not _is_open(latest.get(k)) and not _came_back(latest.get(k), day)]
    by = NUMBER if any(_measure_of(rows[k]) != VALUE for k in new) else VALUE
    largest = max((_excess(rows[k], by) for k in new), default=0.0)

    def place(key: Key) -> tuple[Any, ...]:
        excess, size = _excess(rows[key], by), float(rows[key]["scored" if by == NUMBER else "value_at_risk"] or 1)
        behind = excess * _EXPLAINED < largest
        return behind, -excess if behind else -excess / size, key

    ranked = sorted(new, key=place)
    for key in ranked:
        measure = _measure_of(rows[key])
        leaders = [
            leader for leader in joined
            if leader[0] != key[0]
            and (
                key in members
                or _excess(rows[key], measure)
                <= _EXPLAINED * sum(max(_excess(rows[k], measure), 0.0) for k in joined if k[0] == leader[0])
            )
        ]  # fmt: skip
        if leaders:
            leader = max(leaders, key=lambda k: (_excess(rows[k], measure), k))
            joined[leader] = (*joined[leader], key)
        else:
            joined[key] = ()
    return {k: tuple(sorted(found)) for k, found in joined.items()}


def _measure_of(row: dict[str, Any]) -> str:
    """The measure that makes the day a spike, the plainest one first."""
    for measure in MEASURES:
        if row.get(COLUMNS[measure][3]) in (SPIKE, LEVEL_SHIFT):
            return measure
    return SHARE


def _excess(row: dict[str, Any], measure: str) -> float:
    """Customers at risk above the usual number, or their value above the usual one."""
    if measure == VALUE:
        usual = row.get(COLUMNS[VALUE][1])
        return 0.0 if usual is None else float(row["value_at_risk"]) - float(usual)
    return float(row["at_risk"]) - (row["baseline"] or 0.0) * float(row["scored"])


def _in(row: dict[str, Any], measure: str) -> dict[str, Any]:
    """The row with the verdict of a measure as its own."""
    _, _, z, status = COLUMNS[measure]
    known = row.get(status)
    return row if measure == SHARE or known is None else row | {"z": row[z], "status": known}


def _too_many(spiking: Sequence[Key], latest: dict[Key, Incident], day: date) -> bool:
    """Whether more segments of one kind start today than may speak for themselves."""
    new = [k for k in spiking if not _is_open(latest.get(k)) and not _came_back(latest.get(k), day)]
    return any(sum(k[0] == kind for k in new) > MAX_SEPARATE for kind in {k[0] for k in new})


def _change(
    current: Incident | None, row: dict[str, Any], day: date, *, children: tuple[Key, ...], folded: bool, quiet: bool
) -> IncidentChange | None:
    if current is not None and current.last_day >= day:
        return None
    if current is not None and _is_open(current):
        return _continue(current, row, day, children, quiet)
    if not row["is_spike"]:
        return None
    if current is not None and _came_back(current, day):
        again = replace(current, resolved_on=None, reason=None)
        return _continue(again, row | {COLUMNS[m][3]: SPIKE for m in MEASURES}, day, children, quiet)
    if folded:
        return None
    kind, segment = row["segment_type"], row["segment"]
    measure = _measure_of(row)
    opened = Incident(
        key=f"churn:{kind}:{segment}:{day.isoformat()}", segment_type=kind, segment=segment, opened_on=day,
        last_day=day, peak_at_risk=row["at_risk"], shifted=_in(row, measure)["status"] == LEVEL_SHIFT, told=not quiet,
        told_at_risk=0 if quiet else row["at_risk"], members=() if quiet else children, measure=measure,
    )  # fmt: skip
    return _made("open", opened, row, day, announce=not quiet, children=children)


def _continue(
    current: Incident, row: dict[str, Any], day: date, children: tuple[Key, ...], quiet: bool
) -> IncidentChange:
    seen = replace(current, last_day=day, peak_at_risk=max(current.peak_at_risk, row["at_risk"]))
    row = _in(row, current.measure)
    if row["status"] == LEVEL_SHIFT and (current.told or quiet):
        # The new level is the baseline from here on: the incident was told once and ends.
        reason: Reason = "new_level" if row["z"] > 0 else "back_to_normal"
        ended = replace(seen, shifted=True, resolved_on=day, reason=reason)
        return _made("resolve", ended, row, day, announce=current.told)
    # An overall incident lasts as long as half of its segments: a single one that flaps must not hide the others.
    goes_on = current.segment_type == OVERALL and 0 < len(current.members) <= 2 * len(
        set(children) & set(current.members)
    )
    if row["is_spike"] or goes_on:
        return _still(replace(seen, calm_days=0), row, day, children, quiet)
    calm = current.calm_days + 1
    if calm < CALM_DAYS_TO_RESOLVE:
        return _made("update", replace(seen, calm_days=calm), row, day, announce=False)
    reason = "new_level" if current.shifted else "back_to_normal"
    ended = replace(seen, calm_days=calm, resolved_on=day, reason=reason)
    return _made("resolve", ended, row, day, announce=current.told)


def _still(seen: Incident, row: dict[str, Any], day: date, children: tuple[Key, ...], quiet: bool) -> IncidentChange:
    """An incident that goes on: told late where it was not told yet, told again where it has grown."""
    if seen.segment_type != OVERALL and seen.told:
        # The same customers in another cut are no news.
        seen, children = replace(seen, members=tuple(sorted({*seen.members, *children}))), ()
    told = replace(
        seen, told=True, told_at_risk=max(row["at_risk"], seen.told_at_risk),
        members=tuple(sorted({*seen.members, *children})),
    )  # fmt: skip
    if not seen.told and not quiet:
        late = replace(told, shifted=seen.shifted or row["status"] == LEVEL_SHIFT)
        return _made("open", late, row, day, announce=True, children=children)
    grown = row["at_risk"] >= GROWN * seen.told_at_risk > 0
    new = tuple(k for k in children if k not in seen.members)
    if seen.told and not quiet and row["is_spike"] and (grown or (new and seen.members)):
        return _made("update", told, row, day, announce=True, children=new, before=seen.told_at_risk)
    return _made("update", seen, row, day, announce=False)


def _is_open(incident: Incident | None) -> bool:
    return incident is not None and incident.resolved_on is None


def _came_back(incident: Incident | None, day: date) -> bool:
    resolved = incident.resolved_on if incident is not None else None
    return resolved is not None and (day - resolved).days <= COOLDOWN_DAYS


def _made(
    kind: Kind, incident: Incident, row: dict[str, Any], day: date, *, announce: bool,
    children: tuple[Key, ...] = (), before: int = 0,
) -> IncidentChange:  # fmt: skip
    return IncidentChange(
        kind, incident, day, row["scored"], row["at_risk"], row["share"], row["baseline"], row["z"],
        row["value_at_risk"], announce, children, before, row.get("at_risk_baseline"), row.get("value_baseline"),
    )  # fmt: skip
