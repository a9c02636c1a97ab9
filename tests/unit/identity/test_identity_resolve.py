"""Who becomes one customer, who does not, and what is written down about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from analytics.identity.evidence import IdentityInputError
from analytics.identity.pseudonym import pseudonym
from analytics.identity.rules import default_rules

if TYPE_CHECKING:
    from tests.unit.identity.conftest import World


START = datetime(2025, 1, 1)


def mixed(world: World) -> World:
    """A bit of everything: links, junk, trails, a shared device, a contested mail, anonymous devices."""
    for i in range(40):
        world.record("salesforce.contact", f"s{i}", i, salesforce_contact_id=f"s{i}", email=f"p{i % 25}@example.jp")
        world.record("shopify.order", f"#{i}", i % 9, email=f"P{i % 31}@example.jp", phone=f"090-3{i % 17:03d}-1111")
        world.record("ga4.device", f"d{i}", i % 5, device_id=f"d{i}")
        world.record("ga4.user", f"u{i % 40}", i % 5, user_id=f"u{i}", email=f"p{i % 20}@example.jp")
        world.login(f"d{i % 13}", f"u{i % 26}", i)
    world.record("salesforce.contact", "lost", 3, salesforce_contact_id=["lost", "s1"], email="null")
    world.record("shopify.order", "junk", None, email="test@test.com", phone="0")
    return world


def test_records_that_share_an_address_or_number_are_one_customer(world: World) -> None:
    world.record("zendesk.user", "1", email="TARO@example.jp", phone="090-3333-1111")
    world.record("shopify.order", "#1", email="ｔａｒｏ@example.jp")
    world.record("amazon_connect.caller", "+819033331111", phone="+819033331111")
    world.record("zendesk.user", "2", email="hanako@example.jp")
    assert world.resolve().partition == {
        frozenset({"zendesk.user 1", "shopify.order #1", "amazon_connect.caller +819033331111"}),
        frozenset({"zendesk.user 2"}),
    }


def test_the_same_text_under_another_type_is_no_link(world: World) -> None:
    world.record("zendesk.user", "1", zendesk_user_id="42").record("shopify.customer", "2", shopify_customer_id="42")
    assert len(world.resolve().partition) == 2


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_input_gives_the_same_tables(world: World, seed: int) -> None:
    mixed(world)
    assert world.shuffled(seed).resolve().rows == world.resolve().rows


def test_the_id_is_that_of_the_oldest_record_not_of_the_first_row(world: World) -> None:
    world.record("zendesk.user", "9", 5, email="a@example.jp")
    world.record("shopify.customer", "1", None, email="a@example.jp")
    world.record("shopify.order", "#7", 2, email="a@example.jp")
    world.record("shopify.order", "#3", 2, email="a@example.jp")
    (customer,) = set(world.resolve(key="secret").customer_of.values())
    assert customer == "c_" + pseudonym("secret", "customer", "shopify.order\x1f#3")[:20]


def test_a_merge_trail_is_followed_to_its_end(world: World) -> None:
    names = [f"003-{i}" for i in range(8)]
    for i, name in enumerate(names):
        master = names[i + 1 : i + 2]
        world.record("salesforce.contact", name, i, salesforce_contact_id=[name, *master], email=f"old{i}@example.jp")
    found = world.resolve(default_rules(limit_default=8))
    assert len(found.partition) == 1
    rules = [row["rule"] for row in found.tables.identity_links.to_pylist()]
    assert rules.count("merge_trail") == 7
    # The ids merged away do not count against the limit of ids, only against that of e-mails.
    strict = world.resolve(default_rules(limit_default=5))
    assert len(strict.partition) == 1
    assert [drop[:2] for drop in strict.drops] == [("email", "over_limit")] * 3


def test_a_vendor_that_the_table_does_not_name_has_a_merge_trail_too(world: World) -> None:
    """Seven records were merged into one; what the vendor decided is not cut by a limit of five ids."""
    world.record("hubspot.contact", "10", 9, hubspot_contact_id="10", email="now@example.jp")
    for i in range(1, 8):
        world.record("hubspot.contact", f"1{i}", i, hubspot_contact_id=[f"1{i}", "10"])
    world.record("hubspot.contact", "20", 1, hubspot_contact_id="20")
    found = world.resolve()
    assert {len(group) for group in found.partition} == {8, 1}
    assert found.drops == []


def test_a_device_with_one_login_joins_its_person(world: World) -> None:
    world.record("shopify.customer", "77", user_id="77", email="a@example.jp")
    world.record("ga4.device", "d1", device_id="d1").login("d1", "77")
    world.record("ga4.device", "d2", device_id="d2", user_id="77")
    world.record("ga4.device", "d3", device_id="d3")
    found = world.resolve()
    assert found.partition == {
        frozenset({"shopify.customer 77", "ga4.device d1", "ga4.device d2"}),
        frozenset({"ga4.device d3"}),
    }
    assert found.known == {
        "shopify.customer 77": True,
        "ga4.device d1": True,
        "ga4.device d2": True,
        "ga4.device d3": False,
    }


@pytest.mark.parametrize("through", ["log", "identifiers"])
def test_a_shared_device_is_a_switch_not_a_merge(world: World, through: str) -> None:
    users = [f"u{i}" for i in range(2)]
    for user in users:
        world.record("ga4.user", user, user_id=user)
    if through == "log":
        world.record("ga4.device", "tablet", device_id="tablet")
        for user in users:
            world.login("tablet", user)
    else:
        world.record("ga4.device", "tablet", device_id="tablet", user_id=users)
    found = world.resolve()
    assert found.partition == {frozenset({"ga4.user u0"}), frozenset({"ga4.user u1"})}
    assert found.unmapped == {"ga4.device tablet": "shared_device"}
    assert found.drops == [("device_id", "shared_device", 1)]


def test_a_kiosk_collapses_nobody(world: World) -> None:
    world.record("ga4.device", "kiosk", device_id="kiosk")
    for i in range(300):
        world.record("ga4.user", f"u{i}", user_id=f"u{i}").login("kiosk", f"u{i}")
        world.record("shopify.order", f"#{i}", device_id="kiosk", email=f"p{i}@example.jp")
    found = world.resolve()
    assert len(found.partition) == 600
    assert found.unmapped == {"ga4.device kiosk": "shared_device"}


def test_junk_is_refused_and_told_but_its_buyer_stays(world: World) -> None:
    for i in range(3):
        world.record("shopify.order", f"#{i}", email="test@test.com", phone="000-0000-0000")
        world.record("salesforce.contact", f"c{i}", salesforce_contact_id=f"c{i}", email="info@example.jp")
        world.record("zendesk.user", f"z{i}", zendesk_user_id=f"z{i}", email="not-specified", phone="0120-444-444")
    found = world.resolve()
    assert len(found.partition) == 9
    assert found.drops == [
        ("email", "blocked_value", 3),
        ("email", "blocked_value", 3),
        ("email", "invalid", 3),
        ("phone", "blocked_value", 3),
        ("phone", "invalid", 3),
    ]
    assert not found.unmapped


def test_a_blocked_line_is_not_a_person(world: World) -> None:
    rules = default_rules().with_blocked({"phone": ["+81335803311"]})
    world.record("amazon_connect.caller", "+81335803311", phone="+81335803311")
    world.record("amazon_connect.caller", "anonymous", phone="anonymous")
    world.record("shopify.order", "#1", phone="03-3580-3311").record("shopify.order", "#2", phone="03-3580-3311")
    found = world.resolve(rules)
    assert found.unmapped == {
        "amazon_connect.caller +81335803311": "blocked_value",
        "amazon_connect.caller anonymous": "invalid",
    }
    assert found.partition == {frozenset({"shopify.order #1"}), frozenset({"shopify.order #2"})}


def test_no_table_but_the_restricted_one_holds_an_address(world: World) -> None:
    mixed(world)
    rows = world.resolve().rows
    for name in ("identity_links", "identity_drops", "identity_changes"):
        assert "@" not in "".join(rows[name]), name
    assert "p1@example.jp" in "".join(rows["customer_identifiers"])


def test_an_empty_text_is_no_evidence(world: World) -> None:
    world.record("zendesk.user", "1", email=["", "  "]).record("zendesk.user", "2", email=["", "\u3000"])
    found = world.resolve()
    assert len(found.partition) == 2
    assert not found.drops


def test_contradicting_tables_are_refused(world: World) -> None:
    world.record("zendesk.user", "1").record("zendesk.user", "1")
    with pytest.raises(IdentityInputError, match="unique"):
        world.resolve()
    world.records.pop()
    world.identifiers.append(("zendesk.user", "2", "email", "a@example.jp", None))
    with pytest.raises(IdentityInputError, match="1 rows name a record that is not in source_records"):
        world.resolve()


def test_an_empty_company_resolves_to_nothing(world: World) -> None:
    found = world.resolve()
    assert all(rows == [] for rows in found.rows.values())


def test_times_of_an_identifier_span_its_evidence(world: World) -> None:
    world.record("shopify.order", "#1", 3, email="a@example.jp").record("shopify.order", "#2", 9, email="a@example.jp")
    world.record("shopify.customer", "1", None, email="a@example.jp")
    rows = world.resolve().tables.customer_identifiers.to_pylist()
    spans = {
        row["source"]: (
            row["first_seen_at"] and row["first_seen_at"].day,
            row["last_seen_at"] and row["last_seen_at"].day,
        )
        for row in rows
        if row["identifier_type"] == "email"
    }
    assert spans == {"shopify.order": (4, 10), "shopify.customer": (None, None)}
    assert sum(row["identifier_type"] == "record" for row in rows) == 3


def test_two_spellings_on_one_record_are_one_link_over_both_times(world: World) -> None:
    world.record("zendesk.user", "1", 9, email="A@example.jp")
    world.identifiers.append(("zendesk.user", "1", "email", "a@example.jp", START + timedelta(days=3)))
    found = world.resolve()
    assert found.tables.identity_links.num_rows == 1
    rows = found.tables.customer_identifiers.to_pylist()
    assert [(r["first_seen_at"].day, r["last_seen_at"].day) for r in rows if r["identifier_type"] == "email"] == [
        (4, 10)
    ]
