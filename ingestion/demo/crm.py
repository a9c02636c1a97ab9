"""Salesforce: contacts with duplicates, merge trails and junk, and the cases and opportunities around them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ingestion.demo.clock import DAY, Calendar
from ingestion.demo.people import Company, Person, salesforce_id

JUNK_EMAILS = ("test@test.com", "info@example.jp", "null", "noreply@example.com")
JUNK_PHONES = ("000-0000-0000", "null", "0", "090-0000-0000")
_NEVER = 1 << 60
_Add = Callable[[Person, str, str, int], "Contact"]


@dataclass(slots=True)
class Contact:
    """One Contact record. From `merged_at` on it is deleted and points to `master`; an empty master is a deletion."""

    contact_id: str
    person: int
    email: str
    phone: str
    created: int
    company: int = -1
    modified: int = 0
    merged_at: int = _NEVER
    master: str = ""
    junk: bool = False

    def is_deleted(self, cut: int) -> bool:
        """True when merged or deleted before the cut."""
        return self.merged_at < cut

    def stamp(self, cut: int) -> int:
        """SystemModstamp as an export before the cut shows it."""
        shown = self.modified if self.created < self.modified < cut else self.created
        return self.merged_at if self.is_deleted(cut) else shown


@dataclass(frozen=True, slots=True)
class Case:
    """One Case. `closed` is 0 while it never closes."""

    number: int
    person: int
    contact_id: str
    created: int
    closed: int
    topic: int
    priority: str
    supplied_email: str

    @property
    def case_id(self) -> str:
        """18-character id."""
        return salesforce_id("500", self.number)


@dataclass(frozen=True, slots=True)
class Opportunity:
    """One deal of a company, in yen."""

    number: int
    company: int
    contact_id: str
    created: int
    close: int
    stage: str
    amount: int


def make_contacts(rng: np.random.Generator, calendar: Calendar, people: list[Person]) -> list[Contact]:
    """One contact per person in the CRM; 5 in 100 have a second one, most of these merged, some in a chain of three."""
    dice = rng.random((len(people), 6))
    contacts: list[Contact] = []
    merges = 0

    def add(person: Person, email: str, phone: str, created: int) -> Contact:
        made = Contact(salesforce_id("003", len(contacts) + 101), person.index, email, phone, created, person.company)
        contacts.append(made)
        return made

    for person in people:
        if not person.in_crm:
            continue
        roll = dice[person.index]
        created = min(person.entry + int(roll[0] * 20 * DAY), calendar.cut2 - 7_200)
        phone = person.phone if person.crm_phone else ""
        main = add(person, person.crm_email, phone, created)
        main.modified = created + int(roll[1] * 200 * DAY)
        if roll[2] < 0.012:
            main.email = JUNK_EMAILS[person.index % 4]
            main.phone, main.junk = JUNK_PHONES[(person.index // 4) % 4], True
        elif roll[2] > 0.94 and created < calendar.cut1 - 120 * DAY:
            merges += _duplicate(add, person, main, float(roll[3]), float(roll[4]), chained=merges % 5 == 1)
        elif roll[5] < 0.004 and person.crm_email == person.email and person.shop_id:
            main.merged_at = min(created + 30 * DAY, calendar.cut1 - DAY)
    _plant_late_merges(contacts, calendar)
    return contacts


def _duplicate(add: _Add, person: Person, main: Contact, kind: float, when: float, *, chained: bool) -> bool:
    """A second record: kept, merged, or merged through a third one. True when it was merged."""
    born = main.created + int((5 + 40 * when) * DAY)
    if kind > 0.6:
        add(person, main.email, main.phone, born)
        return False
    loser = add(person, _old_email(person, "old"), "", born)
    loser.master, loser.merged_at = main.contact_id, born + int((3 + 50 * when) * DAY)
    if chained:
        older = add(person, _old_email(person, "older"), "", born + DAY)
        older.master, older.merged_at = loser.contact_id, born + 2 * DAY
    return True


def _old_email(person: Person, prefix: str) -> str:
    """The care address if it differs, so that only the merge trail ties the support requester to the person."""
    return person.care_email if prefix == "old" and person.care_email != person.email else f"{prefix}.{person.email}"


def _plant_late_merges(contacts: list[Contact], calendar: Calendar) -> None:
    """Two merges happen on day 2: two customers of day 1 become one."""
    losers = [c for c in contacts if c.master and c.email.startswith("old.") and c.merged_at < calendar.cut1]
    chained = {c.master for c in contacts if c.master}
    for index, loser in enumerate([c for c in losers if c.contact_id not in chained][-2:]):
        loser.merged_at = calendar.cut1 + (10 + index) * 3_600


def make_cases(
    rng: np.random.Generator, calendar: Calendar, people: list[Person], contacts: list[Contact]
) -> list[Case]:
    """Cases of CRM contacts, about 0.15 per contact and year; a few name only the sender's address."""
    count = rng.poisson(0.15 * calendar.days / 365, size=len(contacts))
    rows: list[tuple[int, int, float, float]] = []
    for index, contact in enumerate(contacts):
        for _ in range(int(count[index])):
            span = calendar.cut2 - contact.created
            created = contact.created + int(rng.random() * span)
            rows.append((created, index, float(rng.random()), float(rng.random())))
    rows.sort()
    cases = []
    for number, (created, index, roll, wait) in enumerate(rows, start=1):
        contact = contacts[index]
        anonymous = roll < 0.04 and not contact.junk
        cases.append(
            Case(
                number=number,
                person=contact.person,
                contact_id="" if anonymous else contact.contact_id,
                created=created,
                closed=created + int((0.2 + 4 * wait) * DAY),
                topic=int(roll * 600) % 6,
                priority="High" if roll > 0.93 else ("Low" if roll < 0.2 else "Medium"),
                supplied_email=people[contact.person].email if anonymous else "",
            )
        )
    return cases


def make_opportunities(
    rng: np.random.Generator, calendar: Calendar, companies: list[Company], contacts: list[Contact]
) -> list[Opportunity]:
    """About two deals per company, named after one of its contacts where there is one."""
    by_company = {contact.company: contact.contact_id for contact in reversed(contacts) if contact.company >= 0}
    deals = []
    for number in range(1, 2 * len(companies) + 1):
        company = companies[int(rng.integers(len(companies)))]
        created = calendar.begin + int(rng.random() * (calendar.cut1 - calendar.begin))
        stage = ("Closed Won", "Closed Lost", "Proposal", "Prospecting")[int(rng.choice(4, p=[0.45, 0.25, 0.2, 0.1]))]
        amount = int(rng.gamma(2.0, 60_000)) // 1_000 * 1_000 + 10_000
        close = created + int((10 + rng.random() * 80) * DAY)
        deals.append(
            Opportunity(number, company.index, by_company.get(company.index, ""), created, close, stage, amount)
        )
    return deals
