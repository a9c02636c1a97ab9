"""HubSpot CRM exports: English headers on day 1, Japanese ones on day 2, merged contacts in a chain, e-mail events.

Of three records of one person the second took in the first and the third the second. The export of day 1 still shows
the second, that of day 2 only the third; a ticket names the first.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.demo.clock import DAY, local
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_csv
from ingestion.demo.people import Person
from ingestion.demo.world import World

CONTACTS_EN = (
    "Record ID", "First Name", "Last Name", "Email", "Phone Number", "Lifecycle Stage", "Create Date",
    "Last Modified Date", "Contact owner", "Associated Company IDs", "Merged object IDs", "State/Region",
)  # fmt: skip
CONTACTS_JA = (
    "レコードID", "名", "姓", "Eメール", "電話番号", "ライフサイクルステージ", "作成日", "最終更新日",
    "コンタクト担当者", "関連付けられた会社ID", "マージ済みオブジェクトID", "都道府県/地域",
)  # fmt: skip
COMPANIES = ("Record ID", "Company name", "Website URL", "Company owner", "Create Date", "Industry", "Country/Region")
DEALS = (
    "Record ID", "Deal Name", "Deal Stage", "Amount", "Close Date", "Deal owner", "Create Date",
    "Associated Company IDs", "Associated Contact IDs",
)  # fmt: skip
TICKETS = (
    "Ticket ID", "Ticket name", "Ticket status", "Priority", "Category", "Source", "Ticket owner", "Create date",
    "First agent reply date", "Close date", "Last modified date", "Associated Contact IDs", "Associated Company IDs",
)  # fmt: skip

FIRST, SECOND, LAST = 600_000, 500_000, 100_000
_COMPANY, _DEAL, _TICKET = 9_000, 8_000, 7_000
_CAMPAIGN = "55001"


@dataclass(frozen=True)
class _Ticket:
    person: Person
    contact: int
    opened: int

    @property
    def closed(self) -> int:
        return self.opened + 26 * 3_600


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: everything in English. Day 2: contacts in Japanese, with the last merges, and the new tickets."""
    calendar = world.calendar
    people = [p for p in world.people if p.index % 3 == 0 and "@" in p.email and p.entry < calendar.cut1 - 30 * DAY]
    chained = [person for person in people if person.index % 15 == 0]
    tickets = list(_tickets(people, chained, calendar.cut1))
    for day, header, merged in ((1, CONTACTS_EN, False), (2, CONTACTS_JA, True)):
        rows = [_contact(person, header, merged=merged and person in chained) for person in people]
        if not merged:
            rows += [_second(person, header) for person in chained]
        name = "hubspot-crm-exports-all-contacts" if day == 1 else "all-contacts"
        write_csv(book, day, f"hubspot/{name}-{calendar.end:%Y-%m}-{day}.csv", header, rows)
    deals = list(_deals(world, people))
    stem = f"hubspot/hubspot-crm-exports-all-{{}}-{calendar.end:%Y-%m}.csv"
    write_csv(book, 1, stem.format("companies"), COMPANIES, [_company(world, index) for index in _companies(world)])
    write_csv(book, 1, stem.format("deals"), DEALS, deals)
    write_csv(book, 1, "hubspot/tickets.csv", TICKETS, [_ticket(t, n) for n, t in enumerate(tickets)])
    events = list(_email_events(people, calendar.cut1 - 20 * DAY))
    file = book.lines(1, "hubspot/email-events-1.json")
    file.write(json.dumps({"hasMore": False, "offset": "AAA=", "events": events}, ensure_ascii=False))
    file.truth.rows = len(events)
    file.close()
    touches = "core.fct_campaign_touches"
    same = "identity.customer_map AS a JOIN identity.customer_map AS b ON a.customer_id = b.customer_id"
    return [
        Planted("core.fct_interactions", "source = 'hubspot' AND customer_id IS NOT NULL", len(tickets)),
        Planted("core.dim_accounts", "source = 'hubspot'", len(_companies(world))),
        Planted("core.dim_accounts", "source = 'hubspot'", len(deals) - len(deals) // 2, "sum(open_opportunities)"),
        Planted("core.dim_accounts", "source = 'hubspot'", len(deals) // 2, "sum(won_opportunities)"),
        *(
            Planted(touches, f"source = 'hubspot' AND touch_kind = '{kind}' AND customer_id IS NOT NULL",
                    sum(event["type"] == word for event in events))
            for word, kind in (("SENT", "sent"), ("OPEN", "opened"), ("BOUNCE", "bounced"))
        ),
        # The first record of a chain, known from its ticket alone, is the person of the last one.
        Planted(
            same,
            "a.source = 'hubspot.contact' AND b.source = 'hubspot.contact' AND "
            f"CAST(a.record_key AS BIGINT) - {FIRST} = CAST(b.record_key AS BIGINT) - {LAST}",
            len(chained),
        ),
    ]  # fmt: skip


def _when(epoch: int) -> str:
    return f"{local(epoch):%Y-%m-%d %H:%M}"


def _contact(person: Person, header: tuple[str, ...], *, merged: bool) -> dict[str, object]:
    company = f"{_COMPANY + person.company};{_COMPANY}" if person.company >= 0 else ""
    values = (
        LAST + person.index, person.first, person.last, person.email, person.phone, "Customer", _when(person.entry),
        _when(person.entry + DAY + (DAY if header is CONTACTS_JA else 0)), "営業一課", company,
        SECOND + person.index if merged else "", person.prefecture.name,
    )  # fmt: skip
    return dict(zip(header, values, strict=True))


def _second(person: Person, header: tuple[str, ...]) -> dict[str, object]:
    values = (
        SECOND + person.index, person.first, "", f"second.{person.index}@example.net", "", "Lead",
        _when(person.entry - DAY), _when(person.entry), "", "", FIRST + person.index, "",
    )  # fmt: skip
    return dict(zip(header, values, strict=True))


def _companies(world: World) -> list[int]:
    return [company.index for company in world.companies]


def _company(world: World, index: int) -> dict[str, object]:
    values = (
        _COMPANY + index, world.companies[index].name, f"c{index}.example.jp", "営業一課", _when(world.calendar.begin),
        "RETAIL", "日本",
    )  # fmt: skip
    return dict(zip(COMPANIES, values, strict=True))


def _deals(world: World, people: list[Person]) -> Iterator[dict[str, object]]:
    """One per company; every second one is won. The first contact of two is who it is about."""
    for index in _companies(world):
        won, start = index % 2 == 1, world.calendar.cut1 - (40 + index) * DAY
        contacts = ";".join(str(LAST + person.index) for person in people[index : index + 2])
        values = (
            _DEAL + index, f"{world.companies[index].name} 御中", "Closed Won" if won else "Appointment Scheduled",
            f"{(index + 1) * 120_000:,}.50", _when(start + 30 * DAY) if won else "", "営業一課", _when(start),
            str(_COMPANY + index), contacts,
        )  # fmt: skip
        yield dict(zip(DEALS, values, strict=True))


def _tickets(people: list[Person], chained: list[Person], cut: int) -> Iterator[_Ticket]:
    for person in people:
        if person.index % 2 == 0 and person not in chained:
            yield _Ticket(person, LAST + person.index, cut - (5 + person.index % 90) * DAY)
    for person in chained:
        yield _Ticket(person, FIRST + person.index, cut - (4 + person.index % 90) * DAY)


def _ticket(ticket: _Ticket, number: int) -> dict[str, object]:
    values = (
        _TICKET + number, "お問い合わせ", "Closed", "MEDIUM", "GENERAL_INQUIRY", "EMAIL", "窓口", _when(ticket.opened),
        _when(ticket.opened + 2_700), _when(ticket.closed), _when(ticket.closed), str(ticket.contact), "",
    )  # fmt: skip
    return dict(zip(TICKETS, values, strict=True))


def _email_events(people: list[Person], sent: int) -> Iterator[dict[str, object]]:
    for person in people:
        kinds = ("SENT", "BOUNCE") if person.index % 33 == 0 else ("SENT", "DELIVERED", "OPEN")
        for step, kind in enumerate(kinds):
            yield {
                "id": f"hs-{person.index}-{step}",
                "type": kind,
                "created": (sent + person.index + step * 3_600) * 1_000,
                "recipient": person.email,
                "portalId": 4_727_653,
                "appId": 113,
                "emailCampaignId": int(_CAMPAIGN),
                **({"subject": "六月のお便り"} if kind == "SENT" else {}),
            }
