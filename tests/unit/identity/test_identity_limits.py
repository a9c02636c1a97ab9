"""Limits hold in every component, the weakest evidence goes, and no order of arrival changes which."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from analytics.identity.rules import RuleTable, default_rules

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Outcome, World


def unlimited() -> RuleTable:
    rules = default_rules()
    free = tuple(
        replace(rule, limit_per_customer=10**9, value_limit=None, partner_limit=None, unique=False)
        for rule in rules.rules
    )
    return replace(rules, rules=free)


def most_held(found: Outcome) -> dict[str, int]:
    """The largest number of distinct values of each type in one customer."""
    held = Counter(
        {
            (row["customer_id"], row["identifier_type"], row["identifier_hash"])
            for row in found.tables.customer_identifiers.to_pylist()
        }
    )
    count = Counter((customer, kind) for customer, kind, _ in held)
    most: dict[str, int] = {}
    for (_, kind), values in count.items():
        most[kind] = max(most.get(kind, 0), values)
    return most


def chain(world: World, length: int) -> World:
    for i in range(length):
        world.record("zendesk.user", f"{i}", i % 700, email=[f"p{i}@example.jp", f"p{i + 1}@example.jp"])
    return world


def test_a_star_of_junk_is_blocked_and_logged(world: World) -> None:
    for i in range(5000):
        world.record("zendesk.user", f"{i}", zendesk_user_id=f"z{i}", email="nobody.knows@example.jp")
    found = world.resolve()
    assert len(found.partition) == 5000
    assert found.drops == [("email", "blocked_value", 5000)]
    assert len(world.resolve(unlimited()).partition) == 1


def test_a_star_of_nothing_else_is_blocked_too(world: World) -> None:
    for i in range(1001):
        world.record("shopify.order", f"{i}", email="nobody.knows@example.jp")
    assert len(world.resolve().partition) == 1001
    world.records.pop()
    world.identifiers.pop()
    assert len(world.resolve().partition) == 1


def test_a_long_chain_is_one_component_without_limits_and_cut_with_them(world: World) -> None:
    chain(world, 10_000)
    assert len(world.resolve(unlimited()).partition) == 1
    found = world.resolve()
    assert most_held(found)["email"] == 5
    # Nothing left out could be put back, so pieces are on average more than half full.
    assert 2000 <= len(found.partition) < 4000
    assert {drop[:2] for drop in found.drops} == {("email", "over_limit")}


@pytest.mark.parametrize("seed", range(20))
def test_a_chain_is_cut_at_the_same_places_in_every_order(world: World, seed: int) -> None:
    chain(world, 300)
    assert world.shuffled(seed).resolve().rows == world.resolve().rows


def test_two_logins_are_two_people_whatever_they_share(world: World) -> None:
    for name in ("a", "b"):
        world.record("shopify.customer", name, user_id=name, email=f"{name}@example.jp", phone="03-3580-3311")
    found = world.resolve()
    assert len(found.partition) == 2
    assert found.drops == [("phone", "over_limit", 2)]


def test_weak_evidence_goes_before_strong(world: World) -> None:
    """Six e-mails, one record each, on one login: five stay. Linked by the phone instead, the phone goes."""
    for i in range(6):
        world.record("zendesk.user", f"{i}", user_id="u", email=f"p{i}@example.jp", phone="03-3580-3311")
    found = world.resolve()
    assert len(found.partition) == 1
    assert found.drops == [("email", "over_limit", 1)]
    for row, (source, key, kind, _, seen) in enumerate(world.identifiers):
        if kind == "user_id":
            world.identifiers[row] = (source, key, kind, f"u{key}", seen)
    found = world.resolve()
    assert len(found.partition) == 6
    assert found.drops == [("phone", "blocked_value", 6)]


def test_a_contested_address_stays_with_a_clear_owner(world: World) -> None:
    for i in range(4):
        world.record("zendesk.user", f"a{i}", user_id="a", email="both@example.jp")
    world.record("zendesk.user", "b", user_id="b", email="both@example.jp")
    world.record("shopify.order", "#1", email="both@example.jp")
    found = world.resolve()
    assert found.partition == {
        frozenset({*(f"zendesk.user a{i}" for i in range(4)), "shopify.order #1"}),
        frozenset({"zendesk.user b"}),
    }
    assert found.drops == [("email", "over_limit", 1)]


def test_without_a_clear_owner_nobody_gets_a_contested_address(world: World) -> None:
    for name in ("a", "b"):
        world.record("zendesk.user", name, user_id=name, email="both@example.jp")
    world.record("shopify.order", "#1", email="both@example.jp").record("shopify.order", "#2", email="both@example.jp")
    assert world.resolve().partition == {
        frozenset({"zendesk.user a"}),
        frozenset({"zendesk.user b"}),
        frozenset({"shopify.order #1", "shopify.order #2"}),
    }


def test_a_number_met_with_many_addresses_is_shared(world: World) -> None:
    for i in range(25):
        world.record("shopify.order", f"#{i}", email=f"p{i}@example.jp", phone="03-3580-3311")
    found = world.resolve()
    assert len(found.partition) == 25
    (drop,) = found.tables.identity_drops.to_pylist()
    assert (drop["reason"], drop["detail"]) == ("blocked_value", "met with 25 different values of email")


def test_the_account_of_all_guests_is_no_person(world: World) -> None:
    """A till books every guest on one customer number: neither the number nor the guests' own records collapse."""
    emails = [f"p{i}@example.jp" for i in range(60)]
    world.record("mapped.pos", "guest-01", customer_key="pos:guest-01", email=emails)
    for i, email in enumerate(emails):
        world.record("shopify.order", f"#{i}", email=email, phone=f"090-3333-1{i:03d}")
    found = world.resolve()
    assert len(found.partition) == 61
    assert {drop[:2] for drop in found.drops} == {("email", "over_limit")}


def test_a_terminal_login_keeps_the_same_devices_in_every_order(world: World) -> None:
    world.record("ga4.user", "till", user_id="till")
    for i in range(60):
        world.record("ga4.device", f"d{i:02d}", device_id=f"d{i:02d}").login(f"d{i:02d}", "till")
    found = world.resolve()
    assert max(len(group) for group in found.partition) == 1 + 50
    assert most_held(found)["device_id"] == 50
    for seed in range(5):
        assert world.shuffled(seed).resolve().rows == found.rows


def test_a_customer_with_many_orders_stays_one(world: World) -> None:
    for i in range(400):
        world.record("shopify.order", f"#{i}", i, email="faithful@example.jp", phone="090-3333-1111")
    assert len(world.resolve().partition) == 1


@pytest.mark.parametrize("seed", range(5))
def test_limits_hold_in_a_tangle(world: World, seed: int) -> None:
    import random

    dice = random.Random(seed)
    for i in range(400):
        world.record(
            "zendesk.user",
            f"{i}",
            dice.randrange(300),
            email=[f"p{dice.randrange(150)}@example.jp" for _ in range(dice.choice([0, 1, 1, 2]))],
            phone=[f"090-3333-{1000 + dice.randrange(90)}" for _ in range(dice.choice([0, 1, 2]))],
            user_id=[f"u{dice.randrange(120)}"] * dice.choice([0, 1]),
        )
    found = world.resolve()
    most = most_held(found)
    assert most["user_id"] == 1
    assert most["email"] <= 5
    assert most["phone"] <= 5
    assert world.shuffled(seed).resolve().rows == found.rows
