"""Zendesk incremental exports: cursor pages of 1,000 tickets with metric sets, and of users. Pages repeat records."""

import json
from base64 import b64encode
from collections.abc import Sequence

from ingestion.demo.care import AGENTS, Ticket
from ingestion.demo.clock import DAY, stamp_z
from ingestion.demo.delivery import Deliveries
from ingestion.demo.office import Office, office_of
from ingestion.demo.people import Person
from ingestion.demo.render import email_text, phone_text
from ingestion.demo.shopping import CALL_CENTRE
from ingestion.demo.world import World

PAGE = 1_000
FIRST_RUN_BEFORE = 30
AGENT_ID = 380_000_000_001
GROUP_ID = 380_100_000_001
_HOST = "https://kizuna-store.zendesk.example.com/api/v2"
CLOSE_AFTER = 4 * DAY


def users_since(world: World) -> dict[int, int]:
    """Requesters and when Zendesk came to know them: their first ticket."""
    known: dict[int, int] = {}
    for ticket in world.tickets:
        known[ticket.person] = min(known.get(ticket.person, ticket.created), ticket.created)
    return known


def care_phone(person: Person) -> str:
    """National number on the user; for some the call centre's, because an agent opened the ticket from a call."""
    if person.index % 31 == 7:
        return CALL_CENTRE
    return person.phone if person.care_phone else ""


def write(world: World, book: Deliveries) -> None:
    """Day 1: two runs, one a month ago and one of what changed since. Day 2: what changed on the last day."""
    calendar = world.calendar
    early = calendar.cut1 - FIRST_RUN_BEFORE * DAY
    folder = f"zendesk/{calendar.end:%Y-%m}"
    first = [_ticket(ticket, world, early) for ticket in world.tickets if ticket.created < early]
    number = _pages(book, 1, f"{folder}/tickets", "tickets", first)
    changed = _changed(world, early, calendar.cut1)
    # A run begins with the last records of the one before; a page has one metric set per ticket, so each ticket once.
    moved = {ticket.ticket_id for ticket in changed}
    again = [record for record in first[-20:] if record[0]["id"] not in moved]
    later = [_ticket(ticket, world, calendar.cut1) for ticket in changed]
    _pages(book, 1, f"{folder}/tickets", "tickets", again + later, number)
    _pages(book, 1, f"{folder}/users", "users", _users(world, 0, calendar.cut1))
    folder = f"zendesk/{calendar.end:%Y-%m-%d}"
    embedded = [
        _embed(_ticket(ticket, world, calendar.cut2)) for ticket in _changed(world, calendar.cut1, calendar.cut2)
    ]
    _pages(book, 2, f"{folder}/tickets", "tickets", [(ticket, None) for ticket in embedded])
    _pages(book, 2, f"{folder}/users", "users", _users(world, calendar.cut1, calendar.cut2))


_Record = tuple[dict[str, object], dict[str, object] | None]


def _events(ticket: Ticket) -> tuple[int, ...]:
    closed = ticket.solved + CLOSE_AFTER if ticket.solved else 0
    return (ticket.created, ticket.replied, ticket.first_solved, ticket.solved, ticket.rated, closed)


def updated_at(ticket: Ticket, cut: int) -> int:
    """Latest change before the cut."""
    return max(moment for moment in _events(ticket) if moment < cut)


def stations(ticket: Ticket) -> int:
    """Agents whom the ticket was assigned to; the first of two passes it on at once."""
    return 1 + (ticket.ticket_id % 9 == 0)


def reply_moments(ticket: Ticket) -> list[int]:
    """When agents wrote to the customer: one to three times, two minutes apart."""
    return [ticket.replied + 120 * number for number in range(1 + ticket.ticket_id % 3)] if ticket.replied else []


def status_at(ticket: Ticket, cut: int) -> str:
    """Status before the cut. A reopened ticket is open between its first and its final solution."""
    if 0 < ticket.solved < cut:
        return "closed" if ticket.solved + CLOSE_AFTER < cut else "solved"
    if 0 < ticket.first_solved < cut:
        return "open"
    return "pending" if 0 < ticket.replied < cut else ("open" if ticket.spike else "new")


def _minutes(office: Office, begin: int, moment: int, cut: int) -> dict[str, int | None]:
    if not 0 < moment < cut:
        return {"calendar": None, "business": None}
    return {"calendar": (moment - begin) // 60, "business": office.seconds(begin, moment) // 60}


def _when(moment: int, cut: int) -> str | None:
    return stamp_z(moment) if 0 < moment < cut else None


def _ticket(ticket: Ticket, world: World, cut: int) -> _Record:
    changed = updated_at(ticket, cut)
    person = world.people[ticket.person]
    rated = 0 < ticket.rated < cut
    office = office_of(world.calendar)
    record: dict[str, object] = {
        "url": f"{_HOST}/tickets/{ticket.ticket_id}.json",
        "id": ticket.ticket_id,
        "external_id": None,
        "via": {"channel": ticket.channel, "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": stamp_z(ticket.created),
        "updated_at": stamp_z(changed),
        "generated_timestamp": changed + 2,
        "type": "problem" if ticket.spike else "question",
        "subject": ticket.subject,
        "raw_subject": ticket.subject,
        "description": f"{ticket.subject}\nよろしくお願いします。\n{person.last}",
        "priority": ticket.priority,
        "status": status_at(ticket, cut),
        "recipient": "support@example.jp",
        "requester_id": person.zendesk_id,
        "submitter_id": person.zendesk_id,
        "assignee_id": AGENT_ID + ticket.agent,
        "organization_id": None,
        "group_id": GROUP_ID,
        "collaborator_ids": [],
        "follower_ids": [],
        "problem_id": None,
        "has_incidents": False,
        "due_at": None,
        "tags": ["complaint", "delivery_failure"] if ticket.spike else [ticket.topic],
        "custom_fields": [],
        "satisfaction_rating": {
            "id": 700_000 + ticket.ticket_id,
            "score": ticket.rating,
            "comment": ticket.rating_comment,
        }
        if rated
        else {"score": "offered" if 0 < ticket.solved < cut else "unoffered"},
        "sharing_agreement_ids": [],
        "brand_id": 380_200_000_001,
        "allow_channelback": False,
    }
    reopened = ticket.reopens if 0 < ticket.first_solved < cut else 0
    metrics: dict[str, object] = {
        "url": f"{_HOST}/ticket_metrics/{ticket.ticket_id + 5_000_000}.json",
        "id": ticket.ticket_id + 5_000_000,
        "ticket_id": ticket.ticket_id,
        "created_at": stamp_z(ticket.created),
        "updated_at": stamp_z(changed),
        "group_stations": 1,
        "assignee_stations": stations(ticket),
        "reopens": reopened,
        "replies": sum(moment < cut for moment in reply_moments(ticket)),
        "assignee_updated_at": _when(ticket.replied, cut),
        "requester_updated_at": stamp_z(ticket.created),
        "status_updated_at": stamp_z(changed),
        "initially_assigned_at": stamp_z(ticket.created + 60),
        "assigned_at": stamp_z(ticket.created + 60),
        "solved_at": _when(ticket.solved, cut),
        "latest_comment_added_at": stamp_z(ticket.replied if 0 < ticket.replied < cut else ticket.created),
        "reply_time_in_minutes": _minutes(office, ticket.created, ticket.replied, cut),
        "first_resolution_time_in_minutes": _minutes(office, ticket.created, ticket.first_solved, cut),
        "full_resolution_time_in_minutes": _minutes(office, ticket.created, ticket.solved, cut),
        "agent_wait_time_in_minutes": {"calendar": None, "business": None},
        "requester_wait_time_in_minutes": _minutes(office, ticket.created, ticket.solved, cut),
        "on_hold_time_in_minutes": {"calendar": 0, "business": 0},
    }
    return record, metrics


def _embed(record: _Record) -> dict[str, object]:
    """The other shape of the sideload: the metric set inside the ticket."""
    return {**record[0], "metric_set": record[1]}


def _changed(world: World, since: int, cut: int) -> list[Ticket]:
    """Tickets that changed between two runs of the export."""
    return [ticket for ticket in world.tickets if ticket.created < cut and updated_at(ticket, cut) >= since]


def _users(world: World, since: int, cut: int) -> list[_Record]:
    users: list[_Record] = []
    if since == 0:
        for number, name in enumerate(AGENTS):
            begin = stamp_z(world.calendar.begin)
            users.append(
                (
                    {
                        "id": AGENT_ID + number,
                        "name": name,
                        "email": f"{name}@example.jp",
                        "phone": None,
                        "external_id": None,
                        "role": "agent",
                        "organization_id": None,
                        "tags": [],
                        "suspended": False,
                        "created_at": begin,
                        "updated_at": begin,
                    },
                    None,
                )
            )
    for index, moment in sorted(users_since(world).items(), key=lambda item: (item[1], item[0])):
        if since <= moment < cut:
            person = world.people[index]
            phone = phone_text(care_phone(person), index + 1) or None
            users.append(
                (
                    {
                        "id": person.zendesk_id,
                        "url": f"{_HOST}/users/{person.zendesk_id}.json",
                        "name": f"{person.last}{person.first}",
                        "email": email_text(person.care_email, index + 5),
                        "phone": phone,
                        "external_id": None,
                        "role": "end-user",
                        "organization_id": None,
                        "tags": [],
                        "suspended": False,
                        "locale": "ja",
                        "time_zone": "Osaka",
                        "created_at": stamp_z(moment - 30),
                        "updated_at": stamp_z(moment - 30),
                    },
                    None,
                )
            )
    return users


def _pages(book: Deliveries, day: int, stem: str, name: str, records: Sequence[_Record], written: int = 0) -> int:
    """Write the pages of one run, numbered from `written` + 1; each begins with the last record of the one before."""
    parts: list[Sequence[_Record]] = [records[:PAGE]]
    for begin in range(PAGE - 1, len(records) - 1, PAGE - 1):
        parts.append(records[begin : begin + PAGE])
    for number, part in enumerate(parts, start=written + 1):
        cursor = b64encode(f"{day}|{number}||{len(part)}".encode()).decode()
        page: dict[str, object] = {name: [record for record, _ in part]}
        metric_sets = [metrics for _, metrics in part if metrics is not None]
        if metric_sets:
            page["metric_sets"] = metric_sets
        page |= {
            "after_url": f"{_HOST}/incremental/{name}/cursor.json?cursor={cursor}",
            "after_cursor": cursor,
            "before_url": None,
            "before_cursor": None,
            "end_of_stream": number == written + len(parts),
        }
        file = book.lines(day, f"{stem}_{number:05d}.json")
        file.write(json.dumps(page, ensure_ascii=False, separators=(",", ":")))
        file.truth.rows = len(part)
        file.close()
    return written + len(parts)
