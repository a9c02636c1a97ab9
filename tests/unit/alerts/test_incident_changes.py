from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from analytics.alerts import EVALUATED_SCHEMA, Incident, IncidentChange, incident_changes

DAY = date(2026, 6, 1)
KEY = ("region", "east")


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def evaluated(day: date, statuses: dict[tuple[str, str], str], z: float = 6.0) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "segment_type": kind, "segment": segment, "day": day, "scored": 300, "at_risk": 90, "share": 0.3,
            "value_at_risk": Decimal("1000.00"), "baseline": 0.1, "z": z, "status": status,
            "is_spike": status == "spike" or (status == "level_shift" and z > 0),
        }
        for (kind, segment), status in statuses.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=EVALUATED_SCHEMA)


def play(statuses: list[str], key: tuple[str, str] = KEY) -> list[list[IncidentChange]]:
    """One build a day; the store keeps the latest state per key."""
    stored: dict[str, Incident] = {}
    told = []
    for k, status in enumerate(statuses):
        changes = incident_changes(list(stored.values()), evaluated(after(k), {key: status}), after(k))
        stored |= {c.incident.key: c.incident for c in changes}
        told.append(changes)
    return told


def announced(told: list[list[IncidentChange]]) -> list[tuple[int, str]]:
    """Messages as an outbox with unique keys would send them."""
    seen: set[str] = set()
    sent = []
    for k, changes in enumerate(told):
        for c in changes:
            if c.announce and c.message_key not in seen:
                seen.add(c.message_key)
                sent.append((k, c.kind))
    return sent


def test_one_message_when_it_starts_and_one_after_three_calm_days() -> None:
    told = play(["calm", "spike", "spike", "warn", "calm", "calm", "calm"])
    assert announced(told) == [(1, "open"), (5, "resolve")]
    assert told[5][0].incident.reason == "back_to_normal" and told[6] == []


def test_a_level_shift_is_told_once_and_closed() -> None:
    told = play(["spike", "spike", "level_shift", "calm", "calm", "calm", "calm"])
    assert announced(told) == [(0, "open"), (2, "resolve")]
    assert told[2][0].incident.reason == "new_level"


def test_a_shift_seen_first_as_a_shift_is_told_too() -> None:
    assert announced(play(["warn", "warn", "level_shift", "calm", "calm", "calm"])) == [(2, "open"), (5, "resolve")]


def test_flapping_a_hundred_times_is_two_messages_at_most() -> None:
    assert announced(play(["spike", "calm"] * 100)) == [(0, "open")]
    assert announced(play(["spike", "calm", "calm", "calm"] * 100)) == [(0, "open"), (3, "resolve")]


def test_a_new_spike_after_the_cooldown_is_a_new_incident() -> None:
    told = play(["spike", "calm", "calm", "calm", *["calm"] * 8, "spike"])
    assert announced(told) == [(0, "open"), (3, "resolve"), (12, "open")]


def test_the_same_build_twice_says_nothing_again() -> None:
    table = evaluated(DAY, {KEY: "spike"})
    opened = incident_changes([], table, DAY)
    assert [c.message_key for c in opened] == ["churn:region:east:2026-06-01:open"]
    assert incident_changes([], table, DAY) == opened
    assert incident_changes([c.incident for c in opened], table, DAY) == []


def test_no_judgement_leaves_an_incident_open() -> None:
    opened = [c.incident for c in incident_changes([], evaluated(DAY, {KEY: "spike"}), DAY)]
    assert incident_changes(opened, evaluated(after(1), {KEY: "too_little_history"}), after(1)) == []
    assert incident_changes(opened, evaluated(after(1), {}), after(1)) == []


def test_only_the_day_of_the_build_opens_incidents() -> None:
    table = pa.concat_tables([evaluated(DAY, {KEY: "spike"}), evaluated(after(1), {KEY: "calm"})])
    assert incident_changes([], table, after(1)) == []


def test_the_whole_company_speaks_for_its_regions() -> None:
    statuses = {("region", f"r{k}"): "spike" for k in range(10)} | {("overall", "all"): "spike"}
    changes = incident_changes([], evaluated(DAY, statuses), DAY)
    assert [(c.kind, c.incident.segment, c.announce) for c in changes] == [("open", "all", True)]
    assert len(changes[0].children) == 10


def test_two_regions_are_two_incidents() -> None:
    changes = incident_changes([], evaluated(DAY, {KEY: "spike", ("region", "west"): "spike"}), DAY)
    assert [c.incident.segment for c in changes] == ["east", "west"]
