"""Each vendor's file, in the vendor's shape, through contract and staging: exactly these rows and no others."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any


def at(text: str) -> datetime:
    """A moment of June 2026 in UTC, written `day hour:minute`."""
    return datetime.strptime(f"2026-06-{text}", "%Y-%m-%d %H:%M")


def test_every_row_of_every_sample_has_one_fate(staged: Any) -> None:
    files = staged.report.files
    fates = {
        file.path: (file.rows_in, file.accepted, file.quarantined, file.duplicates) for file in staged.report.files
    }
    assert {file.status for file in files} == {"accepted"}
    assert fates == {
        "amazon_connect/part-1.jsonl": (9, 8, 0, 1),
        "amazon_connect/part-2.jsonl": (10, 10, 0, 0),
        "club/calls_1.csv": (4, 3, 1, 0),
        "club/calls_2.csv": (1, 1, 0, 0),
        "club/consents.csv": (3, 2, 1, 0),
        "club/events_1.ndjson": (3, 3, 0, 0),
        "club/events_2.ndjson": (2, 2, 0, 0),
        "club/lines_1.csv": (2, 2, 0, 0),
        "club/lines_2.csv": (3, 3, 0, 0),
        "club/mailing_1.csv": (2, 2, 0, 0),
        "club/mailing_2.csv": (2, 1, 1, 0),
        "club/messages.csv": (2, 2, 0, 0),
        "club/refunds.csv": (2, 2, 0, 0),
        "club/steps_1.csv": (1, 1, 0, 0),
        "club/steps_2.csv": (3, 2, 0, 1),
        "club/trials.csv": (3, 3, 0, 0),
        "freshdesk/tickets.csv": (4, 3, 1, 0),
        "hubspot/all-contacts_ja.csv": (1, 1, 0, 0),
        "hubspot/contacts-internal.csv": (2, 2, 0, 0),
        "hubspot/email-events-1.json": (7, 7, 0, 0),
        "hubspot/hubspot-crm-exports-all-companies-2026-06-20.csv": (2, 2, 0, 0),
        "hubspot/hubspot-crm-exports-all-contacts-2026-06-20.csv": (3, 3, 0, 0),
        "hubspot/hubspot-crm-exports-all-deals-2026-06-20.csv": (3, 3, 0, 0),
        "hubspot/tickets.csv": (2, 2, 0, 0),
        "intercom/conversations_1.json": (3, 3, 0, 0),
        "intercom/conversations_full.ndjson": (2, 2, 0, 0),
        "matomo/visits_1.json": (2, 2, 0, 0),
        "matomo/visits_2.jsonl": (1, 1, 0, 0),
        "medallia/feedback.csv": (5, 5, 0, 0),
        "plausible/imported_pages_20260601_20260630.csv": (1, 1, 0, 0),
        "plausible/imported_sources_20260601_20260630.csv": (2, 2, 0, 0),
        "plausible/imported_visitors_20260601_20260630.csv": (2, 2, 0, 0),
        "plausible/imported_visitors_20260630_20260701.csv": (2, 2, 0, 0),
        "qualtrics/relationship_june.csv": (8, 7, 1, 0),
        "salesforce/WE_1/Lead.csv": (1, 1, 0, 0),
        "salesforce/WE_2/CampaignMember.csv": (4, 4, 0, 0),
        "salesforce/WE_2/CaseComment.csv": (3, 3, 0, 0),
        "salesforce/WE_2/CaseHistory.csv": (5, 5, 0, 0),
        "salesforce/WE_2/Lead.csv": (5, 5, 0, 0),
        "salesforce/WE_2/Task.csv": (4, 4, 0, 0),
        "snowplow/run=2026-06-20/part-00000.tsv": (7, 6, 1, 0),
        "stripe/customers.csv": (2, 2, 0, 0),
        "stripe/payments.csv": (7, 6, 1, 0),
        "stripe/unified_payments.csv": (2, 2, 0, 0),
        "typeform/delivery.csv": (3, 3, 0, 0),
        "typeform/delivery_2019.csv": (1, 1, 0, 0),
        "zendesk/comments_7.json": (6, 5, 1, 0),
        "zendesk/organizations.json": (2, 2, 0, 0),
        "zendesk/satisfaction_ratings.json": (3, 3, 0, 0),
        "zendesk/ticket_audits_7.jsonl": (1, 1, 0, 0),
        "zendesk/ticket_events_1.json": (4, 3, 0, 1),
        "zendesk/ticket_metric_8.json": (1, 1, 0, 0),
        "zendesk/tickets_full_export.jsonl": (2, 2, 0, 0),
        "zendesk/tickets_time_1.json": (2, 2, 0, 0),
        "zendesk/tickets_time_2.json": (2, 2, 0, 0),
        "zendesk/users.json": (2, 2, 0, 0),
    }


def test_stripe_amounts_are_major_units_and_only_moved_money_counts(staged: Any) -> None:
    """Both header generations; yen have no minor unit; a failed or uncaptured payment is no order."""
    columns = "order_key, currency, gross_amount, refunded_amount, status, is_voided, is_test, ordered_at"
    assert staged.rows("staging.stg_stripe__payments", columns) == [
        ("ch_1", "JPY", Decimal(4980), Decimal(1000), "partially_refunded", False, False, at("01 03:00")),
        ("ch_2", "USD", Decimal("1250.50"), Decimal("250.50"), "refunded", False, False, at("02 03:00")),
        ("ch_3", "JPY", Decimal(3200), Decimal(0), "failed", True, False, at("03 03:00")),
        ("ch_4", "JPY", Decimal(5000), Decimal(0), "paid", True, False, at("04 03:00")),
        ("ch_5", "JPY", Decimal(700), Decimal(0), "paid", False, True, at("05 03:00")),
        # Given back in July: as of June it was paid in full.
        ("ch_8", "JPY", Decimal(2000), Decimal(0), "paid", False, False, at("08 03:00")),
    ]


def test_stripe_names_the_customer_else_the_payment_itself(staged: Any) -> None:
    who = staged.rows("staging.stg_stripe__payments", "order_key, person_source, person_record_key, email")
    assert who[:2] == [
        ("ch_1", "stripe.customer", "cus_1", "ann@example.com"),
        ("ch_2", "stripe.payment", "ch_2", "bob@example.com"),
    ]
    assert staged.rows("staging.stg_stripe__customers", "contact_key, email, phone, is_delinquent") == [
        ("cus_1", "ann@example.com", "090-0000-0001", False),
        ("cus_2", None, None, True),
    ]


def test_a_stripe_refund_is_dated_where_the_export_dates_it(staged: Any) -> None:
    columns = "refund_key, order_key, amount, currency, refunded_at, refunded_on"
    assert staged.rows("staging.stg_stripe__refunds", columns) == [
        ("ch_1:refund", "ch_1", Decimal(1000), "JPY", at("20 01:30"), date(2026, 6, 20))
    ]


def test_intercom_conversations_of_a_page_and_of_lines(staged: Any) -> None:
    columns = "interaction_key, direction, person_record_key, email, status, channel, csat_score, is_resolved"
    assert staged.rows("staging.stg_intercom__conversations", columns) == [
        ("c1", "inbound", "u1", "ann@example.com", "closed", "chat", 5, True),
        # A campaign that nobody answered is no contact; once answered it is one.
        ("c2", "outbound", "u2", None, "open", "email", None, False),
        ("c3", "inbound", "u3", None, "open", "email", None, False),
        ("c4", "inbound", "u1", "ann@example.com", "open", "chat", None, False),
    ]
    times = "interaction_key, opened_at, first_response_at, resolved_at, first_response_business_minutes, handoffs"
    assert staged.rows("staging.stg_intercom__conversations", times) == [
        ("c1", at("01 01:00"), at("01 02:00"), at("01 05:00"), Decimal(5), 1),
        ("c2", at("01 01:00"), None, None, None, 0),
        ("c3", at("01 02:00"), at("01 02:30"), None, None, 0),
        ("c4", at("01 01:00"), at("01 02:00"), None, Decimal(5), 1),
    ]


def test_intercom_parts_become_messages_without_assignments_and_closes(staged: Any) -> None:
    columns = "message_key, interaction_key, direction, author_kind, person_record_key, body"
    assert staged.rows("staging.stg_intercom__messages", columns) == [
        ("c1:source", "c1", "inbound", "customer", "u1", "<p>Where is it?</p>"),
        ("c2:source", "c2", "outbound", "agent", None, "<p>News</p>"),
        ("c3:source", "c3", "outbound", "agent", None, "<p>News</p>"),
        ("c4:source", "c4", "inbound", "customer", "u1", "<p>Where is it?</p>"),
        ("p1", "c1", "outbound", "agent", None, "<p>Soon</p>"),
        ("p2", "c1", "internal", "agent", None, "<p>angry</p>"),
        ("p4", "c1", "inbound", "customer", "u1", "<p>Thanks</p>"),
    ]


def test_freshdesk_counts_moments_before_durations(staged: Any) -> None:
    """101 has moments and no durations, 102 durations and no moments, 103 was answered after the day of the build."""
    columns = (
        "interaction_key, opened_at, first_response_at, resolved_at, first_response_minutes, resolution_minutes, "
        "is_resolved, status, csat_score"
    )
    assert staged.rows("staging.stg_freshdesk__tickets", columns) == [
        ("101", at("01 00:00"), at("01 01:30"), at("01 12:00"), None, None, True, "closed", 5),
        ("102", at("02 00:00"), None, None, Decimal("1565.50"), Decimal(2880), True, "resolved", 2),
        ("103", at("30 14:00"), None, None, None, None, False, "open", None),
    ]
    who = "interaction_key, person_source, person_record_key, email, phone, channel"
    assert staged.rows("staging.stg_freshdesk__tickets", who) == [
        ("101", "freshdesk.contact", "9001", "ann@example.com", "090-0000-0001", "email"),
        ("102", "freshdesk.ticket", "102", "bob@example.com", None, "web"),
        ("103", "freshdesk.contact", "9003", None, "03-0000-0003", "phone"),
    ]


def test_qualtrics_keeps_the_reason_why_a_response_does_not_count(staged: Any) -> None:
    columns = "response_key, exclusion_reason, nps_score, csat_score, person_source"
    assert staged.rows("staging.stg_qualtrics__responses", columns) == [
        ("R_1", None, 10, 5, "mapped.crm"),
        ("R_2", None, 6, None, "qualtrics.response"),
        ("R_3", "preview", 9, 5, None),
        ("R_4", "partial", 3, None, "qualtrics.response"),
        ("R_5", "spam", 10, None, None),
        ("R_6", "no_score", None, None, None),
    ]


def test_qualtrics_words_and_codes_are_the_same_answer(staged: Any) -> None:
    """One response answers two questions; the comment stands with the first."""
    columns = "response_key, survey_type, score, survey, comment, responded_at, identity_namespace, email, _line"
    assert staged.rows("staging.stg_qualtrics__answers", columns) == [
        ("R_1:csat", "csat", 5, "relationship", None, datetime(2026, 6, 10, 0, 2, 1), "crm", "ann@example.com", 5),
        ("R_1:nps", "nps", 10, "relationship", "Quick,\nand kind", datetime(2026, 6, 10, 0, 2, 1), "crm",
         "ann@example.com", 5),
        ("R_2:nps", "nps", 6, "relationship", None, datetime(2026, 6, 10, 1, 2, 1), "qualtrics_response",
         "bob@example.com", 7),
    ]  # fmt: skip


def test_typeform_choices_of_one_cell_and_of_a_column_each(staged: Any) -> None:
    columns = "response_key, exclusion_reason, csat_score, choices, person_record_key"
    assert staged.rows("staging.stg_typeform__responses", columns) == [
        ("f0", None, 4, "Price / Speed", None),
        ("f1", None, 5, "Speed / Packaging", "f1"),
        ("f2", None, 2, "Price", "f2"),
        ("f3", "partial", 4, None, "f3"),
    ]
    answers = staged.rows("staging.stg_typeform__answers", "response_key, score, touchpoint, email, responded_at")
    assert answers == [
        ("f0:csat", 4, "delivery", None, datetime(2019, 6, 11, 1, 2)),
        ("f1:csat", 5, "delivery", "ann@example.com", at("11 01:02")),
        ("f2:csat", 2, "delivery", "bob@example.com", at("11 02:02")),
    ]


def test_medallia_tells_how_many_were_asked_reached_and_answered(staged: Any) -> None:
    """m5 answered after the day of the build: asked, and not yet answered."""
    columns = "response_key, is_sent, is_delivered, is_answered, csat_score, exclusion_reason"
    assert staged.rows("staging.stg_medallia__feedback", columns) == [
        ("m1", True, True, True, 5, None),
        ("m2", True, True, False, None, "not_answered"),
        ("m3", True, False, False, None, "not_answered"),
        ("m4", False, False, False, None, "not_answered"),
        ("m5", True, False, False, None, "not_answered"),
    ]
    columns = "response_key, survey_type, score, comment, person_source, email, sent_at, responded_at"
    assert staged.rows("staging.stg_medallia__answers", columns) == [
        ("m1:csat", "csat", 5, "Great", "medallia.customer", "ann@example.com", at("12 00:01"), at("12 03:00"))
    ]


def test_zendesk_pages_repeat_tickets_and_ratings_have_times_of_their_own(staged: Any) -> None:
    """Ticket 7 stands in three files in two versions; it says `offered`, and its last rating by the day says bad."""
    columns = "ticket_id, status, satisfaction_score, satisfaction_comment, updated_at, as_of_note"
    assert staged.rows("staging.stg_zendesk__tickets", columns) == [
        ("7", "solved", "bad", "ok", at("02 00:00"), None),
        ("8", "open", None, None, datetime(2026, 7, 1), "state_after_as_of"),
        ("9", "open", "unoffered", None, at("01 00:10"), None),
    ]


def test_a_zendesk_user_s_organization_is_an_account_where_it_was_exported(staged: Any) -> None:
    assert staged.rows("staging.canonical__account", "account_id, account_name", where="source_name = 'zendesk'") == [
        ("zendesk:910", "Example 株式会社")
    ]
    users = staged.rows("staging.stg_zendesk__users", "zendesk_user_id, organization_id, account_key")
    assert users == [("500", "911", None), ("71", "910", "zendesk:910")]


def test_zendesk_comments_say_who_wrote_and_to_whom(staged: Any) -> None:
    columns = "message_key, interaction_key, direction, author_kind, person_record_key, body"
    assert staged.rows("staging.stg_zendesk__comments", columns) == [
        ("1", "7", "inbound", "customer", "71", "Hello"),
        ("2", "7", "outbound", "agent", None, "Hi!"),
        ("3", "7", "internal", "agent", None, "check"),
        ("4", "7", "outbound", "system", None, "Closed"),
    ]


def test_amazon_connect_redelivers_and_the_newest_version_counts(staged: Any) -> None:
    """Two versions of each of five contacts in two files, the newest delivered up to three times and never last."""
    columns = "contact_id, after_contact_work_seconds, updated_at"
    assert staged.rows("raw.amazon_connect__contact_records", "count(*)") == [(18,)]
    assert staged.rows("staging.stg_amazon_connect__contact_records", columns) == [
        (f"k{number}", 40 + number, at("01 01:20")) for number in range(1, 6)
    ]


def test_the_canonical_layer_holds_what_the_vendors_tell(staged: Any) -> None:
    """What identity and core read: each vendor by entity, with as many rows as its staging models have."""
    found = {}
    for entity in (
        "contact",
        "order",
        "refund",
        "interaction",
        "message",
        "survey_response",
        "campaign_touch",
        "web_event",
    ):
        counted = staged.rows(
            f"(SELECT source_name, count(*) AS rows FROM staging.canonical__{entity} GROUP BY 1)", "source_name, rows"
        )
        found[entity] = dict(counted)
    assert found == {
        "contact": {"stripe": 2, "salesforce": 4, "hubspot": 9},
        "order": {"stripe": 6},
        "refund": {"stripe": 1, "club": 1},
        "interaction": {"intercom": 4, "freshdesk": 3, "hubspot": 2},
        "message": {"intercom": 7, "zendesk": 4, "salesforce": 6, "club": 2},
        "campaign_touch": {"hubspot": 6, "salesforce": 3, "club": 2},
        "web_event": {"snowplow": 4, "matomo": 4, "club": 2},
        "survey_response": {"qualtrics": 3, "typeform": 3, "medallia": 1},
    }
    assert staged.rows("staging.canonical__order", "order_id, customer_key", where="order_key = 'ch_1'") == [
        ("stripe:ch_1", "cus_1")
    ]
