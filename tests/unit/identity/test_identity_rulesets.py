"""The same evidence under stricter and looser rules: what each joins, and that the usual map stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from analytics.identity.rulesets import LOOSE, STRICT

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Outcome, World

BOTH = (STRICT, LOOSE)
ALL = ("strict", "default", "loose")


def together(found: Outcome, ruleset: str, *records: str) -> bool:
    """Whether these records, and possibly others, are one customer."""
    if ruleset == "default":
        return len({found.customer_of[record] for record in records}) == 1
    return len({found.under(ruleset)[record][0] for record in records}) == 1


def test_a_phone_joins_nobody_under_strict_rules_and_an_address_does(world: World) -> None:
    world.record("crm.contact", "1", email="a@example.jp", phone="09012345671")
    world.record("shop.order", "2", email="a@example.jp")
    world.record("shop.order", "3", phone="09012345671")
    found = world.resolve(rulesets=BOTH)
    pairs = {rules: together(found, rules, "crm.contact 1", "shop.order 3") for rules in ALL}
    assert pairs == {"strict": False, "default": True, "loose": True}
    assert together(found, "strict", "crm.contact 1", "shop.order 2")


def test_a_caller_is_somebody_under_strict_rules_too(world: World) -> None:
    """A line known by its own number only: not joined with anybody, and not lost."""
    world.record("calls.caller", "+819012345671", phone="+819012345671")
    world.record("crm.contact", "1", phone="09012345671", email="a@example.jp")
    found = world.resolve(rulesets=BOTH)
    assert found.under("strict")["calls.caller +819012345671"] == (frozenset({"calls.caller +819012345671"}), True)
    assert together(found, "loose", "calls.caller +819012345671", "crm.contact 1")


def test_the_one_login_of_a_device_says_whose_it_is_but_not_under_strict_rules(world: World) -> None:
    world.record("web.device", "d1", device_id="d1").record("web.user", "u1", user_id="u1").login("d1", "u1")
    found = world.resolve(rulesets=BOTH)
    pairs = {rules: together(found, rules, "web.device d1", "web.user u1") for rules in ALL}
    assert pairs == {"strict": False, "default": True, "loose": True}
    assert found.under("strict")["web.device d1"][1] is False
    assert found.under("strict")["web.user u1"][1] is True


def test_people_who_share_a_device_are_one_only_under_loose_rules(world: World) -> None:
    world.record("web.device", "d1", device_id="d1")
    for user in ("u1", "u2"):
        world.record("web.user", user, user_id=user).login("d1", user)
    found = world.resolve(rulesets=BOTH)
    pairs = {rules: together(found, rules, "web.user u1", "web.user u2") for rules in ALL}
    assert pairs == {"strict": False, "default": False, "loose": True}


def test_a_terminal_is_nobody_under_loose_rules_too(world: World) -> None:
    world.record("web.device", "d1", device_id="d1")
    for number in range(4):
        world.record("web.user", f"u{number}", user_id=f"u{number}").login("d1", f"u{number}")
    found = world.resolve(rulesets=BOTH)
    assert "web.device d1" not in found.under("loose")
    assert len({group for group, _ in found.under("loose").values()}) == 4


def test_limits_are_wider_under_loose_rules_and_still_limits(world: World) -> None:
    for number in range(16):
        world.record("shop.order", f"{number}", email=f"m{number}@example.jp", phone="09012345671")
    found = world.resolve(rulesets=BOTH)
    sizes = {rules: max(len(group) for group, _ in found.under(rules).values()) for rules in ("strict", "loose")}
    assert sizes["strict"] == 1
    assert sizes["loose"] < 16, "sixteen addresses are above three times the limit of five"
    fewer = type(world)(world.records[:12], world.identifiers[:24], [])
    assert {group for group, _ in fewer.resolve(rulesets=BOTH).under("loose").values()} == {
        frozenset(f"shop.order {number}" for number in range(12))
    }


def test_likely_links_count_by_how_far_they_are_believed(world: World) -> None:
    for number in range(4):
        world.record("crm.contact", f"{number}", email=f"m{number}@example.jp")

    def link(left: str, right: str, probability: float) -> pa.Table:
        row = {"source_a": "crm.contact", "record_key_a": left, "source_b": "crm.contact", "record_key_b": right}
        return pa.Table.from_pylist([row | {"probability": probability, "explanation": "alike"}])

    found = world.resolve(probable=link("0", "1", 0.97), possible=link("2", "3", 0.8), rulesets=BOTH)
    believed = {
        rules: together(found, rules, "crm.contact 0", "crm.contact 1") for rules in ("strict", "default", "loose")
    }
    possible = {
        rules: together(found, rules, "crm.contact 2", "crm.contact 3") for rules in ("strict", "default", "loose")
    }
    assert believed == {"strict": False, "default": True, "loose": True}
    assert possible == {"strict": False, "default": False, "loose": True}


def test_other_rules_leave_the_usual_tables_as_they_are(world: World) -> None:
    world.record("crm.contact", "1", email="a@example.jp", phone="09012345671")
    world.record("shop.order", "3", phone="09012345671").record("web.device", "d1", device_id="d1")
    alone, beside = world.resolve().rows, world.resolve(rulesets=BOTH).rows
    assert alone.pop("customer_map_by_ruleset") == []
    assert len(beside.pop("customer_map_by_ruleset")) == 6
    assert alone == beside
