"""Files of nobody's vendor: each canonical entity through a mapping contract and its staging model, row by row."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any


def at(text: str) -> datetime:
    """A moment of June 2026 in UTC, written `day hour:minute`."""
    return datetime.strptime(f"2026-06-{text}", "%Y-%m-%d %H:%M")


CLUB = "source_name = 'club'"


def test_of_a_call_the_newest_version_counts_and_an_unknown_caller_is_the_line(staged: Any) -> None:
    """The older version came in the later file; c3 is of July, and of c4 nobody knows the direction."""
    columns = (
        "call_key, person_source, person_record_key, direction, talk_seconds, is_abandoned, started_at, answered_at"
    )
    assert staged.rows("staging.stg_mapped__call", columns) == [
        ("c1", "mapped.club", "m1", "inbound", 300, False, at("10 01:00"), at("10 01:01")),
        ("c2", "mapped.club.caller", "090-0000-0201", "inbound", None, True, at("10 02:00"), None),
    ]


def test_of_a_web_event_s_repeats_the_one_that_knows_the_user_counts(staged: Any) -> None:
    columns = "event_name, device_source, device_id, user_source, user_id, page, occurred_at, session_key IS NULL"
    who = ("mapped.club.device", "d1", "mapped.club.user", "7")
    assert staged.rows("staging.canonical__web_event", columns, where=CLUB) == [
        ("add", *who, None, at("20 03:01"), True),
        ("page_view", *who, "https://example.com/", at("20 03:00"), False),
    ]


def test_messages_take_their_direction_from_mapped_words(staged: Any) -> None:
    columns = "message_key, interaction_key, direction, author_kind, person_source, email, body, sent_at"
    assert staged.rows("staging.stg_mapped__message", columns) == [
        ("x1", "k1", "inbound", "customer", "mapped.club.message", "ann@example.com", "Where is it,\nplease?",
         at("12 00:00")),
        ("x2", "k1", "internal", "agent", None, None, "ask the depot", at("12 00:10")),
    ]  # fmt: skip


def test_a_touch_without_a_key_that_two_files_tell_is_one(staged: Any) -> None:
    columns = "touched_at, touch_kind, campaign, email, person_source, touched_on"
    assert staged.rows("staging.stg_mapped__campaign_touch", columns) == [
        (at("01 00:00"), "sent", "June", "ann@example.com", "mapped.club.campaign_touch", date(2026, 6, 1)),
        (at("01 01:00"), "opened", "June", "ann@example.com", "mapped.club.campaign_touch", date(2026, 6, 1)),
    ]


def test_each_statement_of_consent_stands_by_itself(staged: Any) -> None:
    columns = "stated_at, person_source, person_record_key, purpose, is_granted"
    assert staged.rows("staging.stg_mapped__consent", columns) == [
        (at("01 00:00"), "mapped.club", "m1", "mail", True),
        (at("05 00:00"), "mapped.club", "m1", "mail", False),
    ]


def test_who_was_shown_a_variant_is_the_customer_else_the_login_else_the_device(staged: Any) -> None:
    columns = "exposed_at, person_source, person_record_key, experiment, variant"
    assert staged.rows("staging.stg_mapped__experiment_exposure", columns) == [
        (at("01 00:00"), "mapped.club", "m1", "button", "red"),
        (at("02 00:00"), "mapped.club.user", "7", "button", "red"),
        (at("03 00:00"), "mapped.club.device", "d2", "button", "blue"),
    ]


def test_a_refund_counts_from_its_day_on(staged: Any) -> None:
    columns = "refund_key, order_key, amount, currency, refunded_at"
    assert staged.rows("staging.stg_mapped__refund", columns) == [("r1", "o1", Decimal(500), "JPY", at("15 00:00"))]


def test_a_line_without_a_number_is_one_however_many_files_tell_it(staged: Any) -> None:
    """Two lines of one file that say the same are two."""
    columns = "order_key, sku, quantity, unit_price"
    lines = [("o1", "A", 1, Decimal(500)), ("o1", "A", 1, Decimal(500)), ("o2", "B", 3, Decimal(70))]
    assert staged.rows("staging.stg_mapped__order_line", columns) == lines


def test_a_step_without_a_key_that_two_files_tell_is_one(staged: Any) -> None:
    columns = "order_key, step, stepped_at"
    found = [("o1", "shipped", at("03 00:00")), ("o2", "shipped", at("04 00:00"))]
    assert staged.rows("staging.stg_mapped__order_step", columns) == found
