"""CRM and web analytics: each vendor's file, in the vendor's shape, through contract and staging, row by row."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any


def at(text: str) -> datetime:
    """A moment of June 2026 in UTC, written `day hour:minute`."""
    return datetime.strptime(f"2026-06-{text}", "%Y-%m-%d %H:%M")


LEAD = "contact_key, email, other_phone, crm_contact_id, not_customer_reason, has_opted_out, is_converted, updated_at"


def test_salesforce_leads_newest_version_with_what_became_of_them(staged: Any) -> None:
    """Converted, merged and deleted for good; one of the next day is not there yet; an older export changes nothing."""
    assert staged.rows("staging.stg_salesforce__lead", LEAD) == [
        ("00Q0K01", "ann@example.com", None, "0030K01", None, True, True, at("10 01:00")),
        ("00Q0K02", "bob@example.com", "090-0000-0002", None, None, False, False, at("02 00:00")),
        ("00Q0K03", "bobby@example.com", None, None, None, False, False, at("05 00:00")),
        ("00Q0K04", None, None, None, "deleted", False, False, at("05 00:00")),
    ]
    assert staged.rows(
        "staging.stg_salesforce__lead_merges", "person_record_key, identifier_type, raw_value, seen_at"
    ) == [("00Q0K03", "salesforce_lead_id", "00Q0K02", at("05 00:00"))]


def test_salesforce_case_comments_shown_and_internal(staged: Any) -> None:
    columns = "message_key, interaction_key, direction, author_kind, body, person_source, sent_at"
    assert staged.rows("staging.stg_salesforce__case_comment", columns) == [
        ("00a0K01", "5000K01", "outbound", "agent", "We sent a new one.\nSorry!", None, at("11 02:00")),
        ("00a0K02", "5000K01", "internal", "agent", "Third time this month", None, at("11 02:05")),
    ]


def test_salesforce_tasks_are_messages_once_they_are_done(staged: Any) -> None:
    """The third was done after the day of the build: what is known then is that somebody planned it."""
    columns = "message_key, interaction_key, person_source, person_record_key, direction, channel, sent_at, as_of_note"
    assert staged.rows("staging.stg_salesforce__task", columns) == [
        ("00T0K01", "5000K01", "salesforce.contact", "0030K01", "outbound", "call", at("12 03:00"), None),
        ("00T0K02", None, "salesforce.lead", "00Q0K02", "inbound", "call", at("13 03:00"), None),
        ("00T0K03", None, "salesforce.contact", "0030K01", "internal", "email", at("14 00:00"), "state_after_as_of"),
        ("00T0K04", None, None, None, "internal", "task", at("15 00:00"), None),
    ]


def test_salesforce_campaign_members_contact_before_lead(staged: Any) -> None:
    """A response of the next day has not happened; a deleted member is none."""
    columns = "touch_key, campaign_key, person_source, person_record_key, touch_kind, touched_at, touched_on"
    assert staged.rows("staging.stg_salesforce__campaign_member", columns) == [
        ("00v0K01", "7010K01", "salesforce.contact", "0030K01", "responded", at("08 15:00"), date(2026, 6, 9)),
        ("00v0K02", "7010K01", "salesforce.lead", "00Q0K02", "sent", at("05 00:00"), date(2026, 6, 5)),
        ("00v0K03", "7010K01", "salesforce.contact", "0030K02", "targeted", at("05 00:00"), date(2026, 6, 5)),
    ]


def test_hubspot_contacts_of_three_header_generations_are_one_table(staged: Any) -> None:
    """English headers in account time, Japanese ones, internal names with UTC; the newest version counts."""
    columns = "contact_key, first_name, last_name, email, phone, other_phone, account_key, has_opted_out, created_at"
    assert staged.rows("staging.stg_hubspot__contacts", columns) == [
        ("101", "Ann", "Example", "ann@example.com", "03-0000-0001", None, "hubspot:901", True,
         datetime(2026, 3, 12, 0, 14)),
        ("102", "Robert", "Example", "robert@example.com", None, "090-0000-0102", None, None,
         datetime(2026, 3, 15, 5, 30)),
        ("103", "Cid", "Example", "cid@example.com", None, None, None, False, datetime(2026, 5, 31, 23, 0)),
        ("104", "花子", "見本", "hanako@example.jp", "090-0000-0104", None, "hubspot:901", None,
         datetime(2026, 5, 1, 0, 0)),
    ]  # fmt: skip


def test_hubspot_merges_are_followed_in_both_spellings(staged: Any) -> None:
    """104 took in 101, which had taken in 99 and 98: a chain of two exports. Older ones write number:milliseconds."""
    columns = "person_record_key, identifier_type, raw_value"
    assert staged.rows("staging.stg_hubspot__contact_identifiers", columns, order="1, 2, 3") == [
        ("101", "email", "ann.old@example.com"),
        ("101", "email", "ann2@example.com"),
        ("101", "hubspot_contact_id", "104"),
        ("95", "hubspot_contact_id", "102"),
        ("96", "hubspot_contact_id", "102"),
        ("97", "hubspot_contact_id", "104"),
        ("98", "hubspot_contact_id", "101"),
        ("99", "hubspot_contact_id", "101"),
    ]
    # 101 stands in an earlier export; the others are known by number only.
    assert staged.rows("staging.stg_hubspot__merged_contacts", "contact_key, survivor_key, email") == [
        ("95", "102", None),
        ("96", "102", None),
        ("97", "104", None),
        ("98", "101", None),
        ("99", "101", None),
    ]


def test_hubspot_companies_and_deals(staged: Any) -> None:
    columns = "account_id, account_name, industry, country"
    assert staged.rows("staging.canonical__account", columns, where="source_name = 'hubspot'") == [
        ("hubspot:901", "Example Trading", "RETAIL", "Japan"),
        ("hubspot:902", "Example Ltd", None, None),
    ]
    columns = "opportunity_id, account_key, person_record_key, stage, currency, amount, is_closed, is_won, close_on"
    assert staged.rows("staging.canonical__opportunity", columns) == [
        ("hubspot:801", "hubspot:901", "104", "Closed Won", "JPY", Decimal("120000.50"), True, True,
         date(2026, 6, 10)),
        ("hubspot:802", "hubspot:901", "102", "Appointment Scheduled", "JPY", None, False, False, None),
        ("hubspot:803", None, None, "失注", "JPY", Decimal("5000.00"), True, False, date(2026, 6, 11)),
    ]  # fmt: skip


def test_hubspot_tickets_name_their_first_contact(staged: Any) -> None:
    columns = "interaction_key, person_record_key, status, is_resolved, opened_at, first_response_at, resolved_at"
    assert staged.rows("staging.stg_hubspot__tickets", columns) == [
        ("701", "101", "Closed", True, at("10 00:00"), at("10 00:45"), at("11 09:00")),
        # Closed on the next day: still open.
        ("702", None, None, False, at("30 11:00"), None, None),
    ]


def test_hubspot_email_events_touch_an_address(staged: Any) -> None:
    columns = "touch_key, person_source, person_record_key, campaign_key, touch_kind, touched_at"
    assert staged.rows("staging.stg_hubspot__email_events", columns) == [
        ("e1", "hubspot.recipient", "ann@example.com", "55", "sent", at("20 01:00")),
        ("e2", "hubspot.recipient", "ann@example.com", "55", "delivered", at("20 01:00")),
        ("e3", "hubspot.recipient", "ann@example.com", "55", "opened", at("20 03:00")),
        ("e4", "hubspot.recipient", "ann@example.com", "55", "clicked", at("20 04:00")),
        ("e5", "hubspot.recipient", "nobody@example.com", "55", "bounced", at("20 01:00")),
        ("e6", "hubspot.recipient", "ann@example.com", "55", "other", at("21 01:00")),
    ]


def test_snowplow_copies_are_one_event_and_reused_ids_are_two(staged: Any) -> None:
    """131 columns by place, quotes as they are; a row of two cells is quarantined and the rest is used."""
    columns = "event_key, device_id, user_id, event_name, transaction_id, traffic_source, page, occurred_at"
    page = 'https://example.com/?q="a b"'
    seen = datetime(2026, 6, 20, 3, 0, 0, 900_000)
    assert staged.rows("staging.stg_snowplow__events", columns) == [
        ("ev-1:f1", "d-1", None, "page_view", None, "newsletter", page, seen),
        ("ev-1:f2", "d-1", None, "page_view", None, "newsletter", page, seen),
        ("ev-2:f3", "d-1", "7", "purchase", "#9", "newsletter", page, at("20 03:04")),
        ("ev-3", "n-1", None, "add", None, "newsletter", page, seen),
    ]


def test_snowplow_sessions_belong_to_one_device(staged: Any) -> None:
    """ev-3 came without the first-party cookie: the same session number on another device is another session."""
    found = staged.db.execute(
        "SELECT device_id, count(DISTINCT session_key) FROM staging.stg_snowplow__events GROUP BY 1 ORDER BY 1"
    ).fetchall()
    together = staged.db.execute("SELECT count(DISTINCT session_key) FROM staging.stg_snowplow__events").fetchall()
    assert (found, together) == ([("d-1", 1), ("n-1", 1)], [(2,)])


def test_matomo_actions_of_the_fullest_export_up_to_the_day(staged: Any) -> None:
    """The visit was exported twice, with two actions and then with three; of the other one action is of July."""
    columns = "event_key, session_key, device_id, user_id, event_name, page, transaction_id, occurred_at"
    assert staged.rows("staging.stg_matomo__events", columns) == [
        ("1:11:0", "1:11", "aa11", "7", "page_view", "https://example.com/", None, at("21 01:00")),
        ("1:11:1", "1:11", "aa11", "7", "add", "https://example.com/cup", None, at("21 01:05")),
        ("1:11:2", "1:11", "aa11", "7", "purchase", None, "#9", at("21 01:20")),
        ("1:12:0", "1:12", "bb22", None, "page_view", "https://example.com/a", None, at("30 14:59")),
    ]


def test_plausible_totals_stay_out_of_sessions(staged: Any) -> None:
    """Two exports overlap on the 30th; the later one, of the whole day, counts. July is not there yet."""
    assert staged.rows("staging.stg_plausible__visitors", "day, visitors, visits, pageviews, bounces") == [
        (date(2026, 6, 29), 10, 12, 30, 4),
        (date(2026, 6, 30), 11, 13, 25, 3),
    ]
    assert staged.rows("staging.stg_plausible__pages", "hostname, page, visitors, seconds_on_page") == [
        ("example.com", "/", 10, 300)
    ]
    columns = "traffic_source, utm_source, utm_medium, visitors, pageviews"
    assert staged.rows("staging.stg_plausible__sources", columns, order="1 nulls last") == [
        ("Google", None, None, 9, 20),
        (None, "newsletter", "email", 2, 5),
    ]
    assert staged.rows("staging.canonical__web_event", "count(*)", where="source_name = 'plausible'") == [(0,)]
