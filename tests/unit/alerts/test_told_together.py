"""Buyers and contracts that spike on one day are one message; everything else about contracts answers in its thread."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from analytics.alerts import EVALUATED_SCHEMA, Incident, IncidentChange, incident_changes, told_apart

DAY = date(2026, 6, 1)
ALL, EAST, WEST = ("overall", "all"), ("region", "east"), ("region", "west")
CONTRACTS = ("contracts", "all contracts")


def looked_at(day: date, at_risk: dict[tuple[str, str], int], calm: tuple[tuple[str, str], ...] = ()) -> pa.Table:
    """Rows of 1,000 customers or payers each, usually 100 of them at risk; all but those in `calm` spike."""
    rows: list[dict[str, Any]] = [
        {
            "segment_type": kind, "segment": segment, "day": day, "scored": 1000, "at_risk": number,
            "share": number / 1000, "value_at_risk": Decimal(number), "baseline": 0.1, "z": 9.0,
            "status": "calm" if (kind, segment) in calm else "spike", "is_spike": (kind, segment) not in calm,
        }
        for (kind, segment), number in at_risk.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=EVALUATED_SCHEMA)


def said(changes: list[IncidentChange]) -> list[tuple[str, str, str]]:
    """(kind, segment, segment whose thread it is told in) of what is announced, in order."""
    names = {c.incident.key: c.incident.segment for c in changes}
    return [(c.kind, c.incident.segment, names.get(c.within, "")) for c in changes if c.announce]


def test_buyers_and_contracts_on_one_day_are_one_message() -> None:
    changes = incident_changes([], looked_at(DAY, {EAST: 500, CONTRACTS: 300}), DAY)
    assert said(changes) == [("open", "east", ""), ("open", "all contracts", "east")]
    east, contracts = changes
    assert east.beside is not None and (east.beside.at_risk, east.beside.scored) == (300, 1000)
    assert contracts.beside is None
    assert {c.incident.key for c in changes} == {f"churn:region:east:{DAY}", f"churn:contracts:all contracts:{DAY}"}


def test_the_whole_company_is_the_root_and_else_the_largest_excess() -> None:
    whole = looked_at(DAY, {EAST: 500, WEST: 200, CONTRACTS: 300, ALL: 400})
    assert said(incident_changes([], whole, DAY)) == [("open", "all", ""), ("open", "all contracts", "all")]
    two = looked_at(DAY, {EAST: 300, WEST: 500, CONTRACTS: 900, ALL: 100}, calm=(ALL,))
    assert said(incident_changes([], two, DAY)) == [
        ("open", "east", ""), ("open", "west", ""), ("open", "all contracts", "west"),
    ]  # fmt: skip


def test_each_alone_and_on_different_days_speaks_for_itself() -> None:
    for alone in (EAST, CONTRACTS):
        assert said(incident_changes([], looked_at(DAY, {alone: 500}), DAY)) == [("open", alone[1], "")]
    opened = [c.incident for c in incident_changes([], looked_at(DAY, {EAST: 500}), DAY)]
    later = DAY + timedelta(days=1)
    changes = incident_changes(opened, looked_at(later, {EAST: 500, CONTRACTS: 300}), later)
    assert said(changes) == [("open", "all contracts", "")]
    assert all(c.beside is None for c in changes)


def test_who_is_snoozed_is_neither_root_nor_line() -> None:
    table = looked_at(DAY, {EAST: 500, CONTRACTS: 300})
    assert said(incident_changes([], table, DAY, snoozed={EAST})) == [("open", "all contracts", "")]
    changes = incident_changes([], table, DAY, snoozed={CONTRACTS})
    assert said(changes) == [("open", "east", "")] and len(changes) == 2
    assert all(c.beside is None and c.within == "" for c in changes)


def test_what_was_in_doubt_is_told_together_when_the_data_is_whole() -> None:
    table = looked_at(DAY, {EAST: 500, CONTRACTS: 300})
    held = incident_changes([], table, DAY, in_doubt=True)
    assert said(held) == [] and all(c.beside is None and c.within == "" for c in held)
    later = DAY + timedelta(days=1)
    changes = incident_changes([c.incident for c in held], looked_at(later, {EAST: 500, CONTRACTS: 300}), later)
    assert said(changes) == [("open", "east", ""), ("open", "all contracts", "east")]


def test_each_goes_on_and_ends_by_itself() -> None:
    stored: dict[str, Incident] = {}
    told = []
    for k in range(6):
        day = DAY + timedelta(days=k)
        calm = ((EAST,) if k > 0 else ()) + ((CONTRACTS,) if k > 2 else ())
        changes = incident_changes(list(stored.values()), looked_at(day, {EAST: 500, CONTRACTS: 300}, calm), day)
        stored |= {c.incident.key: c.incident for c in changes}
        told += [(k, *line) for line in said(changes)]
    assert told == [
        (0, "open", "east", ""), (0, "open", "all contracts", "east"),
        (3, "resolve", "east", ""), (5, "resolve", "all contracts", ""),
    ]  # fmt: skip


def test_told_apart_they_are_two_messages() -> None:
    changes = incident_changes([], looked_at(DAY, {EAST: 500, CONTRACTS: 300}), DAY)
    assert said(told_apart(changes)) == [("open", "east", ""), ("open", "all contracts", "")]
    assert all(c.beside is None for c in told_apart(changes))
