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


def test_an_incident_that_grows_is_told_in_its_thread_and_the_bar_rises() -> None:
    stored: dict[str, Incident] = {}
    told = []
    for k, at_risk in enumerate([90, 100, 134, 136, 150, 203, 204, 60]):
        table = evaluated(after(k), {KEY: "spike"})
        table = table.set_column(4, "at_risk", pa.array([at_risk], pa.int64()))
        for change in incident_changes(list(stored.values()), table, after(k)):
            stored[change.incident.key] = change.incident
            if change.announce:
                told.append((k, change.kind, change.before, change.at_risk))
    assert told == [(0, "open", 0, 90), (3, "update", 90, 136), (6, "update", 136, 204)]


def test_three_regions_on_one_day_are_one_message_of_the_whole_company() -> None:
    statuses = {("region", f"r{k}"): "spike" for k in range(3)} | {("overall", "all"): "calm"}
    (opened,) = incident_changes([], evaluated(DAY, statuses), DAY)
    assert (opened.kind, opened.incident.segment, len(opened.children)) == ("open", "all", 3)
    (on,) = incident_changes([opened.incident], evaluated(after(1), statuses), after(1))
    assert (on.kind, on.announce, on.incident.calm_days) == ("update", False, 0), "as long as its regions are up"
    one_left = {("region", "r0"): "spike", ("region", "r1"): "calm", ("overall", "all"): "calm"}
    state = on.incident
    for k in (2, 3, 4):
        (change,) = incident_changes([state], evaluated(after(k), one_left), after(k))
        state = change.incident
    assert (change.kind, change.announce) == ("resolve", True)


def test_a_snoozed_region_is_kept_and_told_when_it_still_goes_on() -> None:
    table = evaluated(DAY, {KEY: "spike", ("region", "west"): "spike"})
    east, west = incident_changes([], table, DAY, snoozed={KEY})
    assert (east.announce, east.incident.told, west.announce) == (False, False, True)
    (late,) = incident_changes([east.incident], evaluated(after(1), {KEY: "spike"}), after(1))
    assert (late.kind, late.announce, late.message_key) == ("open", True, east.message_key)
    quiet = east.incident
    for k in (1, 2, 3):
        (change,) = incident_changes([quiet], evaluated(after(k), {KEY: "calm"}), after(k))
        quiet = change.incident
    assert (change.kind, change.announce) == ("resolve", False), "nobody was told that it began"


def test_data_in_doubt_neither_tells_nor_ends_an_incident() -> None:
    (opened,) = incident_changes([], evaluated(DAY, {KEY: "spike"}), DAY)
    assert incident_changes([opened.incident], evaluated(after(1), {KEY: "calm"}), after(1), in_doubt=True) == []
    (held,) = incident_changes([], evaluated(after(1), {KEY: "spike"}), after(1), in_doubt=True)
    assert not held.announce and not held.incident.told
    (told,) = incident_changes([held.incident], evaluated(after(2), {KEY: "spike"}), after(2))
    assert (told.kind, told.announce) == ("open", True)


def test_a_region_that_joins_the_whole_company_is_told_in_its_thread_once() -> None:
    first = {("region", "r0"): "spike", ("region", "r1"): "calm", ("overall", "all"): "spike"}
    (opened,) = incident_changes([], evaluated(DAY, first), DAY)
    both = first | {("region", "r1"): "spike"}
    (joined,) = incident_changes([opened.incident], evaluated(after(1), both), after(1))
    assert (joined.kind, joined.announce, joined.children) == ("update", True, (("region", "r1"),))
    (same,) = incident_changes([joined.incident], evaluated(after(2), both), after(2))
    assert not same.announce
    # The company is back to normal: a region that starts now is news of its own.
    calm = {("region", "r0"): "calm", ("region", "r1"): "calm", ("region", "r2"): "spike", ("overall", "all"): "calm"}
    changes = incident_changes([same.incident], evaluated(after(3), calm), after(3))
    assert [(c.incident.segment, c.kind, c.announce) for c in changes] == [
        ("all", "update", False),
        ("r2", "open", True),
    ]


def cut(
    day: date, cells: dict[tuple[str, str], tuple[int, int, float]], measure: str = "share", calm: tuple[str, ...] = ()
) -> pa.Table:
    """Rows with (scored, at_risk, usual share); all of them spike in `measure`, but the segments in `calm`."""
    columns = {"share": "status", "number": "at_risk_status", "value": "value_status"}
    rows = []
    for (kind, segment), (scored, at_risk, usual) in cells.items():
        statuses = dict.fromkeys(columns.values(), "calm")
        if segment not in calm:
            statuses[columns[measure]] = "spike"
        rows.append(
            {
                "segment_type": kind, "segment": segment, "day": day, "scored": scored, "at_risk": at_risk,
                "share": at_risk / scored, "value_at_risk": Decimal(1000 * at_risk), "baseline": usual, "z": 6.0,
                "at_risk_baseline": usual * scored, "at_risk_z": 6.0, "value_baseline": 1000 * usual * scored,
                "value_z": 6.0, "is_spike": segment not in calm, **statuses,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=EVALUATED_SCHEMA)


EAST = {("region", "east"): (100, 48, 0.1)}
SAME = {
    ("value_tier", "top"): (244, 50, 0.1),
    ("value_tier", "next"): (288, 44, 0.1),
    ("age_band", "30-39"): (90, 25, 0.1),
}
CALM_COMPANY = {("overall", "all"): (880, 120, 0.1)}


def test_one_cause_in_four_cuts_is_one_message_of_the_cut_that_shows_it_best() -> None:
    table = cut(DAY, EAST | SAME | CALM_COMPANY, calm=("all",))
    (change,) = incident_changes([], table, DAY)
    assert (change.kind, change.incident.segment, change.announce) == ("open", "east", True)
    assert set(change.children) == set(SAME)
    # The next days too, and when the region is calm before the others are.
    later = cut(after(1), EAST | SAME | {("age_band", "40-49"): (80, 20, 0.1)} | CALM_COMPANY, calm=("all",))
    (second,) = incident_changes([change.incident], later, after(1))
    assert second.incident.segment == "east" and not second.announce
    calm = cut(after(2), {("region", "east"): (100, 10, 0.1)} | SAME | CALM_COMPANY, calm=("all", "east"))
    assert not any(c.announce for c in incident_changes([second.incident], calm, after(2)))


def test_what_an_incident_cannot_explain_is_one_of_its_own() -> None:
    opened = [c.incident for c in incident_changes([], cut(DAY, EAST), DAY)]
    other = cut(after(1), EAST | {("value_tier", "top"): (244, 120, 0.1)} | CALM_COMPANY, calm=("all",))
    told = [(c.kind, c.incident.segment) for c in incident_changes(opened, other, after(1)) if c.announce]
    assert told == [("open", "top")]


def test_a_parent_speaks_instead_of_its_ten_children_in_every_cut() -> None:
    regions = {("region", f"r{k}"): (100, 40, 0.1) for k in range(10)}
    ages = {("age_band", f"{k}0"): (250, 90, 0.1) for k in range(1, 5)}
    changes = incident_changes([], cut(DAY, regions | ages | {("overall", "all"): (1000, 400, 0.1)}), DAY)
    assert [(c.kind, c.incident.segment, c.announce) for c in changes] == [("open", "all", True)]
    assert set(changes[0].children) == set(regions) | set(ages)


def test_an_incident_of_value_lives_and_ends_by_the_value() -> None:
    big = {("region", "east"): (300, 30, 0.1)}
    opened = [c.incident for c in incident_changes([], cut(DAY, big, "value"), DAY)]
    assert [i.measure for i in opened] == ["value"]
    table = cut(after(1), big, "value")
    shifted = table.set_column(table.column_names.index("value_status"), "value_status", pa.array(["level_shift"]))
    (ended,) = incident_changes(opened, shifted, after(1))
    assert (ended.kind, ended.incident.reason) == ("resolve", "new_level")
