"""Published ids outlive rebuilds; merges keep the older one, splits leave it with the oldest evidence."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow as pa

from analytics.identity.rules import default_rules

if TYPE_CHECKING:
    from tests.unit.identity.conftest import World


def two(world: World) -> World:
    world.record("zendesk.user", "young", 9, email="young@example.jp")
    world.record("zendesk.user", "old", 2, email="old@example.jp")
    return world


def test_the_first_build_creates_everybody(world: World) -> None:
    found = two(world).resolve()
    assert found.changes == sorted(("created", name, None, "first_build") for name in found.customer_of.values())


def test_the_same_input_changes_nothing(world: World) -> None:
    first = two(world).resolve()
    again = world.shuffled(1).resolve(registry=first.registry)
    assert again.customer_of == first.customer_of
    assert again.changes == []


def test_an_older_record_found_later_takes_the_published_id(world: World) -> None:
    first = two(world).resolve()
    world.record("shopify.order", "#1", 0, email="young@example.jp")
    found = world.resolve(registry=first.registry)
    assert found.customer_of["shopify.order #1"] == first.customer_of["zendesk.user young"]
    assert found.changes == []
    assert world.resolve().customer_of["shopify.order #1"] != first.customer_of["zendesk.user young"]


def test_a_merge_keeps_the_older_id_and_names_its_cause(world: World) -> None:
    first = two(world).resolve()
    world.record("shopify.order", "#1", 20, email=["young@example.jp", "old@example.jp"])
    found = world.resolve(registry=first.registry)
    old, young = first.customer_of["zendesk.user old"], first.customer_of["zendesk.user young"]
    assert set(found.customer_of.values()) == {old}
    assert found.changes == [("merged", old, young, "email")]
    assert world.resolve(registry=found.registry).changes == []


def test_ids_published_at_the_same_moment_are_ordered_by_name(world: World) -> None:
    for name in "ab":
        world.record("zendesk.user", name, email=f"{name}@example.jp")
    first = world.resolve()
    world.record("shopify.order", "#1", email=["a@example.jp", "b@example.jp"])
    kept, gone = sorted(first.customer_of.values())
    assert world.resolve(registry=first.registry).changes == [("merged", kept, gone, "email")]


def test_a_split_leaves_the_id_with_the_oldest_evidence(world: World) -> None:
    two(world).record("shopify.order", "#1", 20, email=["young@example.jp", "old@example.jp"])
    first = world.resolve()
    (was,) = set(first.customer_of.values())
    world.identifiers = [row for row in world.identifiers if row[:2] != ("shopify.order", "#1")]
    found = world.resolve(registry=first.registry)
    assert found.customer_of["zendesk.user old"] == was
    split = {found.customer_of["zendesk.user young"], found.customer_of["shopify.order #1"]}
    assert was not in split
    assert found.changes == sorted(("split", name, was, "evidence_gone") for name in split)
    # The merge of two published customers can be undone: both have their own id again.
    assert found.customer_of["zendesk.user young"] == two(type(world)()).resolve().customer_of["zendesk.user young"]


def test_an_id_ends_with_a_word_when_its_device_proves_shared(world: World) -> None:
    first = world.record("ga4.device", "tablet", 1, device_id="tablet").resolve()
    (was,) = set(first.customer_of.values())
    for day in range(40):
        world.record("shop.login", f"u{day}", 2, user_id=f"u{day}").login("tablet", f"u{day}", day)
    found = world.resolve(registry=first.registry)
    assert found.unmapped == {"ga4.device tablet": "shared_device"}
    assert [change for change in found.changes if change[0] != "created"] == [("retired", was, None, "shared_device")]
    assert [change for change in world.resolve(registry=found.registry).changes if change[0] == "retired"] == []


def test_an_id_ends_with_a_word_when_its_records_are_no_longer_sent(world: World) -> None:
    first = two(world).resolve()
    world.records = world.records[:1]
    world.identifiers = world.identifiers[:1]
    gone = first.customer_of["zendesk.user old"]
    assert world.resolve(registry=first.registry).changes == [("retired", gone, None, "evidence_gone")]


def test_a_split_names_the_rule_that_cut(world: World) -> None:
    world.record("zendesk.user", "a", 1, email="both@example.jp").record(
        "zendesk.user", "b", 2, email="both@example.jp"
    )
    first = world.resolve()
    found = world.resolve(default_rules().with_blocked({"email": ["both@example.jp"]}), registry=first.registry)
    (was,) = set(first.customer_of.values())
    assert found.customer_of["zendesk.user a"] == was
    assert found.changes == [("split", found.customer_of["zendesk.user b"], was, "blocked_value:email")]


def test_an_id_is_never_given_twice(world: World) -> None:
    """The record that gave an id its name leaves the customer that keeps the id: it must not take the name along."""
    world.record("zendesk.user", "a", 5, email="both@example.jp").record(
        "zendesk.user", "b", 9, email="both@example.jp"
    )
    first = world.resolve()
    (was,) = set(first.customer_of.values())
    # Published when the help desk still gave b an earlier time than a.
    registry = first.registry.to_pylist()
    for row, name in zip(registry, first.tables.customer_identifiers["normalized_value"].to_pylist(), strict=True):
        if name == "zendesk.user|b":
            row["first_seen_at"] = row["first_seen_at"].replace(year=2020)
    blocked = default_rules().with_blocked({"email": ["both@example.jp"]})
    found = world.resolve(blocked, registry=pa.Table.from_pylist(registry, schema=first.registry.schema))
    assert found.customer_of["zendesk.user b"] == was
    assert len(set(found.customer_of.values())) == 2


def test_new_data_leaves_published_ids_alone(world: World) -> None:
    dice = random.Random(3)
    for i in range(2000):
        world.record("shopify.order", f"#{i}", i % 300, email=f"p{dice.randrange(900)}@example.jp")
    first = world.resolve()
    for i in range(100):
        world.record("shopify.order", f"new{i}", 300, email=f"p{dice.randrange(950)}@example.jp")
    found = world.resolve(registry=first.registry)
    now = found.customer_of
    assert all(now[record] == name for record, name in first.customer_of.items())
    assert {change[0] for change in found.changes} == {"created"}


def test_arrival_in_any_schedule_ends_at_the_same_partition(world: World) -> None:
    dice = random.Random(5)
    for i in range(60):
        world.record("shopify.order", f"#{i}", i, email=[f"p{dice.randrange(40)}@example.jp" for _ in range(2)])
    whole = world.resolve().partition
    for seed in range(20):
        order = world.shuffled(seed).records
        registry = None
        for part in (15, 40, 60):
            here = {row[:2] for row in order[:part]}
            arrived = type(world)(order[:part], [row for row in world.identifiers if row[:2] in here])
            found = arrived.resolve(registry=registry)
            registry = found.registry
        assert found.partition == whole
