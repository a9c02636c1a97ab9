"""What the demo's contacts with support measure, told by the plan of events: truth/support.csv, contact by contact."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestion.demo.clock import DAY
from ingestion.demo.office import Office, office_of
from ingestion.demo.truth_numbers import DayTruth, write_csv
from ingestion.demo.vendors.amazon_connect import contact_id
from ingestion.demo.words import TOPICS
from ingestion.demo.world import World

#: Minutes to the first reply, as kizuna.yaml has them where the demo says nothing.
SLA = {"urgent": 60, "high": 240, "normal": 1440, "medium": 1440, "low": 2880}
HEADER = (
    "as_of", "interaction", "component", "topic", "first_response", "first_response_business", "first_resolution",
    "first_resolution_business", "resolution", "resolution_business", "reopens", "handoffs", "resolved", "open",
    "sla_met", "fcr", "fcr_proxy", "abandoned", "queue", "talk", "hold", "acw",
)  # fmt: skip
_SETTLED = 7 * DAY


@dataclass(slots=True)
class _Contact:
    """One ticket, call or case as a day knows it; moments are epoch seconds, 0 = not by then."""

    name: str
    label: str
    topic: str
    opened: int
    replied: int = 0
    first_solved: int = 0
    solved: int = 0
    reopens: int = 0
    handoffs: int = 0
    priority: str = ""
    abandoned: bool = False
    work: tuple[int, int, int, int] | None = None
    again: int = 0
    again_on_topic: int = 0

    @property
    def open(self) -> bool:
        """Waits for a solution."""
        return not self.solved and not self.abandoned


def write_support_metrics(world: World, days: Sequence[DayTruth], folder: Path) -> None:
    """One row per contact and day; durations in seconds, empty where there is none yet."""
    office = office_of(world.calendar)
    rows: list[tuple[object, ...]] = []
    for truth in days:
        cut = world.cut(truth.day)
        contacts = [*_tickets(world, truth, cut), *_calls(world, truth, cut), *_cases(world, truth, cut)]
        _see_who_comes_again(contacts)
        rows += [_row(contact, truth.as_of, cut, office) for contact in contacts]
    write_csv(folder, "support.csv", HEADER, rows)


def _by(moment: int, cut: int) -> int:
    return moment if 0 < moment < cut else 0


def _tickets(world: World, truth: DayTruth, cut: int) -> Iterator[_Contact]:
    for ticket in world.tickets:
        if ticket.created < cut:
            first = _by(ticket.first_solved, cut)
            yield _Contact(
                name=f"zendesk:{ticket.ticket_id}",
                label=truth.component["zendesk.user", str(world.people[ticket.person].zendesk_id)],
                topic="delivery_failure" if ticket.spike else ticket.topic,
                opened=ticket.created,
                replied=_by(ticket.replied, cut),
                first_solved=first,
                solved=_by(ticket.solved, cut),
                reopens=ticket.reopens if first else 0,
                handoffs=int(ticket.ticket_id % 9 == 0),
                priority=ticket.priority,
            )


def _calls(world: World, truth: DayTruth, cut: int) -> Iterator[_Contact]:
    for call in world.calls:
        if call.started < cut:
            answered = call.agent >= 0
            ended = call.ended if answered else 0
            yield _Contact(
                name=f"amazon_connect:{contact_id(call)}",
                label="" if call.withheld else truth.component["amazon_connect.caller", world.people[call.person].e164],
                topic="",
                opened=call.started,
                replied=call.started + 20 + call.wait if answered else 0,
                first_solved=ended,
                solved=ended,
                abandoned=not answered,
                work=(call.wait, call.talk - call.hold, call.hold, call.wrap) if answered else (call.wait, -1, -1, -1),
            )


def _cases(world: World, truth: DayTruth, cut: int) -> Iterator[_Contact]:
    for case in world.cases:
        if case.created < cut:
            record = ("salesforce.contact", case.contact_id) if case.contact_id else ("salesforce.case", case.case_id)
            closed = _by(case.closed, cut)
            yield _Contact(
                name=f"salesforce:{case.case_id}",
                label=truth.component.get(record, ""),
                topic=TOPICS[case.topic][0],
                opened=case.created,
                first_solved=closed,
                solved=closed,
                priority=case.priority.lower(),
            )


def _see_who_comes_again(contacts: list[_Contact]) -> None:
    """Walk each customer's contacts from the last to the first and note when the next one began."""
    following: dict[tuple[str, str], int] = {}
    for contact in sorted(contacts, key=lambda c: (c.opened, c.name), reverse=True):
        if contact.label:
            contact.again = following.get((contact.label, ""), 0)
            following[contact.label, ""] = contact.opened
            if contact.topic:
                contact.again_on_topic = following.get((contact.label, contact.topic), 0)
                following[contact.label, contact.topic] = contact.opened


def _once(contact: _Contact, again: int, cut: int) -> object:
    """1 when one contact was enough, 0 when not, empty while nobody can know."""
    if not contact.label or not contact.solved:
        return ""
    if contact.reopens or (again and again < contact.solved + _SETTLED):
        return 0
    return "" if contact.solved + _SETTLED > cut else 1


def _on_time(contact: _Contact, cut: int) -> object:
    target = SLA.get(contact.priority)
    if target is None:
        return ""
    if contact.replied:
        return int(contact.replied - contact.opened <= target * 60)
    return 0 if contact.open and cut - contact.opened > target * 60 else ""


def _row(contact: _Contact, as_of: str, cut: int, office: Office) -> tuple[object, ...]:
    spans: list[object] = []
    for moment in (contact.replied, contact.first_solved, contact.solved):
        spans.append(moment - contact.opened if moment else "")
        spans.append(office.seconds(contact.opened, moment) if moment else "")
    work = contact.work or (-1, -1, -1, -1)
    return (
        as_of,
        contact.name,
        contact.label,
        contact.topic,
        *spans,
        contact.reopens,
        contact.handoffs,
        int(contact.solved > 0),
        int(contact.open),
        _on_time(contact, cut),
        _once(contact, contact.again_on_topic, cut) if contact.topic else "",
        _once(contact, contact.again, cut),
        int(contact.abandoned),
        *("" if seconds < 0 else seconds for seconds in work),
    )
