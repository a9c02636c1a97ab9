"""A telephone number that nobody showed for years belongs to somebody else; nothing changes because time passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from analytics.identity.rules import RuleTable, default_rules

if TYPE_CHECKING:
    from tests.unit.identity.conftest import World

NUMBER = "090-3333-1111"
START = datetime(2025, 1, 1)


def lives(days: int | None) -> RuleTable:
    table = default_rules()
    return replace(
        table,
        rules=tuple(
            replace(rule, time_to_live_days=days) if rule.identifier_type == "phone" else rule for rule in table.rules
        ),
    )


def handed_on(world: World) -> World:
    world.record("shopify.order", "#1", 0, phone=NUMBER, email="before@example.jp")
    world.record("shopify.order", "#2", 100, phone=NUMBER)
    world.record("shopify.order", "#3", 100 + 731, phone=NUMBER)
    world.record("shopify.order", "#4", 100 + 800, phone=NUMBER, email="after@example.jp")
    return world


def test_a_number_has_a_new_holder_after_two_silent_years(world: World) -> None:
    found = handed_on(world).resolve()
    assert found.partition == {
        frozenset({"shopify.order #1", "shopify.order #2"}),
        frozenset({"shopify.order #3", "shopify.order #4"}),
    }
    assert found.drops == [("phone", "expired", 2)]
    (drop,) = found.tables.identity_drops.to_pylist()
    assert drop["detail"] == "2 holders, silent in between for more than 730 days"
    assert len(world.resolve(lives(None)).partition) == 1
    for seed in range(5):
        assert world.shuffled(seed).resolve().rows == found.rows


def test_a_gap_of_exactly_two_years_is_none(world: World) -> None:
    world.record("shopify.order", "#1", 0, phone=NUMBER).record("shopify.order", "#2", 730, phone=NUMBER)
    assert len(world.resolve().partition) == 1
    assert len(world.resolve(lives(729)).partition) == 2


def test_three_holders_and_a_record_without_a_time_that_speaks_of_now(world: World) -> None:
    for number, day in enumerate((0, 1000, 2000)):
        world.record("shopify.order", f"#{number}", day, phone=NUMBER)
    world.record("shopify.customer", "now", None, phone=NUMBER)
    found = world.resolve()
    assert found.partition == {
        frozenset({"shopify.order #0"}),
        frozenset({"shopify.order #1"}),
        frozenset({"shopify.order #2", "shopify.customer now"}),
    }
    assert found.drops == [("phone", "expired", 2)]


def test_who_is_known_by_more_than_the_number_stays_one_and_nothing_is_told(world: World) -> None:
    for row, day in enumerate((0, 900)):
        world.record("shopify.order", f"#{row}", day, phone=NUMBER, email="same@example.jp")
    found = world.resolve()
    assert (len(found.partition), found.drops) == (1, [])
    held = [r for r in found.tables.customer_identifiers.to_pylist() if r["identifier_type"] == "phone"]
    assert [(row["last_seen_at"] - row["first_seen_at"]).days for row in held] == [900]


def test_a_sighting_in_between_closes_the_gap(world: World) -> None:
    handed_on(world).record("shopify.order", "#9", 400, phone=NUMBER)
    assert len(world.resolve().partition) == 1


def test_a_record_that_spans_the_years_leaves_no_gap(world: World) -> None:
    handed_on(world)
    source, key, kind, value, seen = world.identifiers[0]
    assert (kind, seen is None) == ("phone", False)
    world.identifiers.append((source, key, kind, value, START + timedelta(days=500)))
    assert len(world.resolve().partition) == 1


@pytest.mark.parametrize("seed", range(3))
def test_published_ids_stay_when_a_number_changes_hands(world: World, seed: int) -> None:
    handed_on(world)
    first = world.resolve()
    again = world.shuffled(seed).resolve(registry=first.registry)
    assert again.customer_of == first.customer_of
    assert again.changes == []
