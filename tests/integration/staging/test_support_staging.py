"""What help desks tell of changes: status, priority and assignee of any time, the same from every vendor."""

from __future__ import annotations

from datetime import datetime
from typing import Any

COLUMNS = "event_id, interaction_id, event_kind, old_value, new_value, happened_at"


def changes(staged: Any, source: str) -> list[tuple[Any, ...]]:
    return list(staged.rows("staging.canonical__interaction_event", COLUMNS, where=f"source_name = '{source}'"))


def test_zendesk_s_events_and_audits_are_the_same_changes_each_once(staged: Any) -> None:
    """Event 1002 came twice; the close lies after the day of the build; subject and tags are no changes of state."""
    created, taken, solved = (datetime(2026, 6, day, 0, minute) for day, minute in ((1, 0), (1, 20), (2, 0)))
    assert changes(staged, "zendesk") == [
        ("zendesk:1", "zendesk:7", "status", None, "new", created),
        ("zendesk:2", "zendesk:7", "priority", None, "low", created),
        ("zendesk:4", "zendesk:7", "assignee", None, "500", taken),
        ("zendesk:5", "zendesk:7", "priority", "low", "high", taken),
        ("zendesk:6", "zendesk:7", "status", "open", "solved", solved),
    ]


def test_salesforce_s_case_history_names_an_owner_by_id_and_leaves_out_what_was_deleted(staged: Any) -> None:
    assert changes(staged, "salesforce") == [
        ("salesforce:0170K02", "salesforce:5000K01", "status", "New", "Closed", datetime(2026, 6, 11, 2)),
        ("salesforce:0170K04", "salesforce:5000K01", "assignee", "0050K01", "0050K02", datetime(2026, 6, 11, 2, 30)),
    ]


def test_intercom_s_parts_tell_of_closes(staged: Any) -> None:
    found = changes(staged, "intercom")
    assert ("intercom:p3", "intercom:c1", "status", None, "closed", datetime(2026, 6, 1, 4)) in found
    assert {kind for _, _, kind, *_ in found} <= {"status", "assignee"}


def test_metrics_that_come_by_themselves_fill_a_ticket_up_to_the_day(staged: Any) -> None:
    """The solution took 90,000 minutes, which the day of the build has not seen yet."""
    columns = "ticket_id, first_reply_minutes, first_reply_minutes_business, full_resolution_minutes, reopens, replies"
    assert staged.rows("staging.stg_zendesk__tickets", columns, where="ticket_id = '8'") == [("8", 12, 6, None, 2, 3)]


def test_messages_name_who_of_the_company_wrote_them(staged: Any) -> None:
    found = staged.rows("staging.canonical__message", "message_id, author_key", where="interaction_id = 'zendesk:7'")
    assert found == [("zendesk:1", None), ("zendesk:2", "500"), ("zendesk:3", "500"), ("zendesk:4", "-1")]
