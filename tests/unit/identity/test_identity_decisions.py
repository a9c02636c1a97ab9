"""What a steward decides holds over all evidence, in every order, over builds, and is reported where it cannot."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pytest

from analytics.identity.decisions import Decision, End
from analytics.identity.evidence import IdentityInputError

if TYPE_CHECKING:
    from tests.unit.identity.conftest import Outcome, World


def end(text: str) -> End:
    name, _, value = text.partition(" ")
    if not value:
        return End("customer", "", name)
    return End("record" if "." in name else "identifier", name, value)


def decide(kind: Literal["force", "forbid"], *ends: str, line: int = 1, on: date = date(2026, 6, 1)) -> Decision:
    return Decision(
        "force" if kind == "force" else "forbid", tuple(map(end, ends)), "seen in the shop", "desk", on, line
    )


def conflicts(found: Outcome) -> list[tuple[int, str]]:
    return [(row["line"], row["problem"]) for row in found.tables.decision_conflicts.to_pylist()]


def probable(*rows: tuple[str, str, float]) -> pa.Table:
    names = ("source_a", "record_key_a", "source_b", "record_key_b", "probability", "explanation")
    return pa.table(
        dict(
            zip(
                names,
                zip(*((*a.split(), *b.split(), p, "family name and postcode agree") for a, b, p in rows), strict=True),
                strict=True,
            )
        )
    )


def two(world: World) -> World:
    world.record("zendesk.user", "young", 9, email="young@example.jp")
    world.record("zendesk.user", "old", 2, email="old@example.jp")
    return world


@pytest.mark.parametrize(
    "ends",
    [
        ("zendesk.user young", "zendesk.user old"),
        ("email YOUNG@example.jp", "zendesk.user old"),
        ("email young@example.jp", "email ｏｌｄ@example.jp"),
    ],
)
def test_a_force_joins_records_and_holders_of_identifiers(world: World, ends: tuple[str, str]) -> None:
    found = two(world).resolve(decisions=[decide("force", *ends)])
    assert len(found.partition) == 1
    rows = [row for row in found.tables.identity_links.to_pylist() if row["rule"] == "steward"]
    assert [(row["evidence"], row["confidence"], row["identifier_type"]) for row in rows] == [
        ("seen in the shop", 1.0, "steward")
    ] * 2
    assert {row["identifier_type"] for row in found.tables.customer_identifiers.to_pylist()} == {"email", "record"}


def test_a_force_joins_across_limits_and_brings_the_limits_of_both_along(world: World) -> None:
    for name in "ab":
        world.record("shopify.customer", name, user_id=name, email=[f"{name}{i}@example.jp" for i in range(5)])
    world.record("zendesk.user", "c", user_id="c", email="a0@example.jp")
    found = world.resolve(decisions=[decide("force", "shopify.customer a", "shopify.customer b")])
    assert found.partition == {
        frozenset({"shopify.customer a", "shopify.customer b"}),
        frozenset({"zendesk.user c"}),
    }
    assert {drop[:2] for drop in found.drops} == {("email", "over_limit")}


def test_a_forbid_keeps_apart_whatever_the_evidence_and_loses_no_more_than_it_must(world: World) -> None:
    for name in ("father", "son"):
        world.record("salesforce.contact", name, salesforce_contact_id=name, email=f"{name}@example.jp")
    world.record("shopify.order", "#1", 20, email=["father@example.jp", "son@example.jp"], phone="090-3333-1111")
    world.record("shopify.order", "#2", 30, email="son@example.jp", phone="090-3333-1111")
    assert len(world.resolve().partition) == 1
    line = decide("forbid", "salesforce.contact father", "salesforce.contact son")
    found = world.resolve(decisions=[line])
    assert len(found.partition) == 2
    assert found.customer_of["salesforce.contact father"] != found.customer_of["salesforce.contact son"]
    assert {drop[1] for drop in found.drops} == {"steward_forbid"}
    details = {row["detail"] for row in found.tables.identity_drops.to_pylist()}
    assert details == {"decisions.yaml, line 1, keeps these apart"}
    for seed in range(10):
        assert world.shuffled(seed).resolve(decisions=[line]).rows == found.rows


def test_a_forbid_cuts_the_weakest_evidence_and_leaves_the_strong(world: World) -> None:
    world.record("zendesk.user", "a", user_id="a", email="a@example.jp")
    world.record("zendesk.user", "b", user_id="a", email="b@example.jp", phone="090-3333-1111")
    world.record("zendesk.user", "c", email="c@example.jp", phone="090-3333-1111")
    found = world.resolve(decisions=[decide("forbid", "zendesk.user a", "email c@example.jp")])
    assert found.partition == {frozenset({"zendesk.user a", "zendesk.user b"}), frozenset({"zendesk.user c"})}
    assert found.drops == [("phone", "steward_forbid", 1)]


def test_three_ends_are_three_people(world: World) -> None:
    for name in "abc":
        world.record("zendesk.user", name, email="all@example.jp")
    found = world.resolve(decisions=[decide("forbid", *(f"zendesk.user {name}" for name in "abc"))])
    assert len(found.partition) == 3


def test_the_undo_of_a_merge_is_one_line_and_both_have_their_own_id_again(world: World) -> None:
    """Three builds: two people, wrongly one, two again. The id of the younger one was made from a record that is not
    its oldest any more, and comes back all the same."""
    first = two(world).resolve()
    old, young = first.customer_of["zendesk.user old"], first.customer_of["zendesk.user young"]
    world.record("shopify.order", "#0", 5, email="young@example.jp")
    world.record("shopify.order", "#1", 20, email=["young@example.jp", "old@example.jp"])
    merged = world.resolve(registry=first.registry)
    assert merged.changes == [("merged", old, young, "email")]
    undo = decide("forbid", old, young)
    found = world.resolve(registry=merged.registry, decisions=[undo], former_ids=[young])
    assert found.customer_of["zendesk.user old"] == old
    assert found.customer_of["zendesk.user young"] == found.customer_of["shopify.order #0"] == young
    assert found.changes == [("split", young, old, "steward")]
    again = world.shuffled(3).resolve(registry=found.registry, decisions=[undo], former_ids=[young])
    assert again.customer_of == found.customer_of
    assert again.changes == []


def test_a_force_by_customer_id_still_holds_when_one_of_the_ids_is_gone(world: World) -> None:
    first = two(world).resolve()
    old, young = first.customer_of["zendesk.user old"], first.customer_of["zendesk.user young"]
    line = decide("force", young, old)
    found = world.resolve(registry=first.registry, decisions=[line])
    assert found.changes == [("merged", old, young, "steward")]
    again = world.resolve(registry=found.registry, decisions=[line])
    assert (again.changes, set(again.customer_of.values()), conflicts(again)) == ([], {old}, [])


def test_a_customer_id_whose_first_record_is_gone_is_found_through_the_registry(world: World) -> None:
    world.record("zendesk.user", "gone", 0, email="old@example.jp")
    first = two(world).resolve()
    old, young = first.customer_of["zendesk.user old"], first.customer_of["zendesk.user young"]
    world.records, world.identifiers = world.records[1:], world.identifiers[1:]
    found = world.resolve(registry=first.registry, decisions=[decide("force", old, young)])
    assert (len(found.partition), conflicts(found)) == (1, [])


def test_a_forbid_wins_over_forces_directly_and_through_a_chain(world: World) -> None:
    for name in "abc":
        world.record("zendesk.user", name, email=f"{name}@example.jp")
    a, b, c = (f"zendesk.user {name}" for name in "abc")
    direct = world.resolve(decisions=[decide("forbid", a, b), decide("force", b, a, line=2)])
    assert (len(direct.partition), conflicts(direct)) == (3, [(2, "contradiction")])
    # The older force is followed, whichever line it stands on.
    chain = [
        decide("force", b, c, line=1, on=date(2026, 6, 9)),
        decide("force", a, b, line=2),
        decide("forbid", a, c, line=3),
    ]
    found = world.resolve(decisions=chain)
    assert found.partition == {frozenset({a, b}), frozenset({c})}
    assert conflicts(found) == [(1, "contradiction")]
    assert "line 3" in found.tables.decision_conflicts["what_to_do"][0].as_py()


def test_ends_that_match_nothing_are_reported_and_the_rest_is_followed(world: World) -> None:
    two(world).record("zendesk.user", "z", email="info@example.jp")
    found = world.resolve(
        decisions=[
            decide("force", "zendesk.user old", "zendesk.user young", "zendesk.user typo"),
            decide("forbid", "zendesk.user old", "email nobody@example.jp", line=2),
            decide("forbid", "zendesk.user old", "c_00000000000000000000", line=3),
            decide("force", "zendesk.user old", "email info@example.jp", line=4),
            decide("force", "zendesk.user old", "zendesk.user old", line=5),
            decide("force", "zendesk.user old", "loyalty_card 7", line=6),
        ]
    )
    assert len(found.partition) == 2
    assert conflicts(found) == [
        (1, "no_match"),
        (2, "no_match"),
        (3, "no_match"),
        (4, "blocked"),
        (5, "same_record"),
        (6, "no_match"),
    ]
    assert "@" not in str(found.tables.decision_conflicts.to_pylist())


def test_a_probable_link_joins_is_explained_and_is_the_first_to_go(world: World) -> None:
    two(world).record("zendesk.user", "c", 1, user_id="c")
    links = probable(("zendesk.user young", "zendesk.user old", 0.91), ("zendesk.user old", "zendesk.user young", 0.97))
    found = world.resolve(probable=links)
    assert len(found.partition) == 2
    rows = [row for row in found.tables.identity_links.to_pylist() if row["rule"] == "probable_match"]
    assert [(row["confidence"], row["evidence"]) for row in rows] == [(0.97, "family name and postcode agree")] * 2
    assert world.shuffled(4).resolve(probable=links.take([1, 0])).rows == found.rows
    # Two logins are two people, however alike they are; of two likenesses the better one stays.
    world.record("zendesk.user", "d", 1, user_id="d")
    links = probable(
        ("zendesk.user c", "zendesk.user old", 0.92),
        ("zendesk.user d", "zendesk.user old", 0.95),
        ("zendesk.user c", "zendesk.user d", 0.99),
    )
    found = world.resolve(probable=links)
    assert frozenset({"zendesk.user d", "zendesk.user old"}) in found.partition
    assert found.drops == [("probable_match", "over_limit", 2)] * 2


def test_a_forbid_wins_over_a_likeness(world: World) -> None:
    found = two(world).resolve(
        probable=probable(("zendesk.user young", "zendesk.user old", 0.99)),
        decisions=[decide("forbid", "zendesk.user young", "zendesk.user old")],
    )
    assert len(found.partition) == 2
    assert found.drops == [("probable_match", "steward_forbid", 2)]


def test_a_likeness_to_an_unknown_record_is_refused(world: World) -> None:
    with pytest.raises(IdentityInputError, match="1 ends name a record"):
        two(world).resolve(probable=probable(("zendesk.user young", "zendesk.user x", 0.9)))


def test_no_file_can_bring_a_link_of_kizunas_own(world: World) -> None:
    world.record("mapped.pos", "1", steward="00000001")
    with pytest.raises(IdentityInputError, match="steward"):
        world.resolve()


def test_two_anonymous_devices_that_are_alike_stay_anonymous(world: World) -> None:
    for name in ("d1", "d2"):
        world.record("ga4.device", name, device_id=name)
    found = world.resolve(probable=probable(("ga4.device d1", "ga4.device d2", 0.9)))
    assert set(found.known.values()) == {False}
    assert len(found.partition) == 1
