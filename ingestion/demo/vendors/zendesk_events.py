"""Changes of the demo's Zendesk tickets, in the shape of the incremental export of ticket events."""

from collections.abc import Iterator

from ingestion.demo.care import AGENTS, Ticket
from ingestion.demo.clock import stamp_z
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_page
from ingestion.demo.vendors.zendesk import AGENT_ID, CLOSE_AFTER, stations
from ingestion.demo.world import World

_Change = dict[str, object]


def was_low(ticket: Ticket) -> bool:
    """Every eighth ticket came in as low and got its priority half a minute after the first reply, or never."""
    return ticket.ticket_id % 8 == 5 and ticket.priority != "low" and ticket.reply_minutes > 0


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: one page of all changes so far. Day 2: those of the last day."""
    calendar = world.calendar
    pages: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    raised = 0
    for ticket in world.tickets:
        raised += was_low(ticket) and ticket.replied + 30 < calendar.cut2
        for number, (moment, changes) in enumerate(_changes(ticket)):
            if moment < calendar.cut2:
                pages[calendar.delivery(moment)].append(_event(ticket, number, moment, changes))
    for day, events in pages.items():
        write_page(book, day, f"zendesk/more/ticket_events_day{day}.json", {"ticket_events": events}, len(events))
    tickets = [ticket for ticket in world.tickets if ticket.created < calendar.cut2]
    solved = sum(0 < ticket.first_solved < calendar.cut2 for ticket in tickets)
    rows = sum(stations(ticket) for ticket in tickets)
    source = "source = 'zendesk'"
    return [
        Planted("marts.support_interactions", source, rows),
        Planted("marts.support_interactions", f"{source} and is_owner", len(tickets)),
        Planted("marts.support_interactions", f"{source} and priority <> 'low' and sla_priority = 'low'", raised),
        Planted("marts.support_parity", f"{source} and metric = 'reopens' and reason = 'equal'", len(tickets)),
        Planted("marts.support_parity", f"{source} and metric = 'handoffs' and reason = 'equal'", len(tickets)),
        Planted("marts.support_parity", f"{source} and metric = 'replies' and reason = 'equal'", len(tickets)),
        Planted(
            "marts.support_parity",
            f"{source} and metric like 'first_resolution%' and reason in ('equal', 'whole_minutes')",
            2 * solved,
        ),
        Planted("marts.support_parity", "reason = 'unexplained'", 0),
    ]


def _changes(ticket: Ticket) -> Iterator[tuple[int, list[_Change]]]:
    owner = AGENT_ID + ticket.agent
    first = AGENT_ID + (ticket.agent + 1) % len(AGENTS) if stations(ticket) > 1 else owner
    priority = "low" if was_low(ticket) else ticket.priority
    yield (
        ticket.created,
        [_set("status", "new"), _set("priority", priority), _set("assignee_id", first)],
    )
    if first != owner:
        yield ticket.created, [_set("assignee_id", owner, first)]
    if ticket.replied:
        yield ticket.replied, [_set("status", "pending", "new")]
        if was_low(ticket):
            yield ticket.replied + 30, [_set("priority", ticket.priority, "low")]
    if ticket.first_solved:
        yield ticket.first_solved, [_set("status", "solved", "pending")]
        if ticket.reopens:
            yield ticket.first_solved + 60, [_set("status", "open", "solved")]
            yield ticket.solved, [_set("status", "solved", "open")]
        yield ticket.solved + CLOSE_AFTER, [_set("status", "closed", "solved")]


def _set(field: str, value: object, previous: object = None) -> _Change:
    kind = "Create" if previous is None else "Change"
    return {field: value, "event_type": kind} | ({} if previous is None else {"previous_value": previous})


def _event(ticket: Ticket, number: int, moment: int, changes: list[_Change]) -> dict[str, object]:
    key = ticket.ticket_id * 100 + number * 10
    return {
        "id": key,
        "ticket_id": ticket.ticket_id,
        "created_at": stamp_z(moment),
        "timestamp": moment,
        "updater_id": AGENT_ID + ticket.agent,
        "event_type": "Audit",
        "child_events": [{"id": key + place, **change} for place, change in enumerate(changes, start=1)],
    }
