"""Everything that is true in the demo, before any vendor writes it down, and the planted spike."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from ingestion.demo.care import AGENTS, Answer, Call, Ticket, make_answers, make_calls, make_tickets
from ingestion.demo.clock import DAY, Calendar
from ingestion.demo.crm import Case, Contact, Opportunity, make_cases, make_contacts, make_opportunities
from ingestion.demo.people import Company, Person, make_companies, make_people
from ingestion.demo.shopping import Order, make_orders
from ingestion.demo.web import Session, Tablet, make_sessions
from ingestion.demo.words import SPIKE_COMMENTS, SPIKE_SUBJECTS

SPIKE_REGION = "九州"
SPIKE_SHARE = 0.45
ACTIVE_DAYS = 180


@dataclass(frozen=True)
class Spike:
    """The planted event: region, day, who counted as active there and who complained (person indices)."""

    region: str
    day: date
    active: list[int]
    affected: list[int]


@dataclass(frozen=True)
class World:
    """The whole company, seeded."""

    seed: int
    calendar: Calendar
    people: list[Person]
    companies: list[Company]
    contacts: list[Contact]
    cases: list[Case]
    deals: list[Opportunity]
    orders: list[Order]
    tickets: list[Ticket]
    calls: list[Call]
    answers: list[Answer]
    sessions: list[Session]
    tablets: list[Tablet]
    spike: Spike

    def cut(self, day: int) -> int:
        """Epoch second at which the delivery of day 1 or day 2 ends."""
        return self.calendar.cut1 if day == 1 else self.calendar.cut2


def make_world(people: int, seed: int, days: int, end: date) -> World:
    """Draw the company. Each part has its own generator, so that a change in one leaves the others as they were."""
    calendar = Calendar(end - timedelta(days=days - 1), end)
    rngs = [np.random.default_rng([seed, part]) for part in range(10)]
    companies = make_companies(rngs[0], people)
    persons = make_people(rngs[1], calendar, people, len(companies))
    orders = make_orders(rngs[2], rngs[9], calendar, persons)
    contacts = make_contacts(rngs[3], calendar, persons)
    cases = make_cases(rngs[4], calendar, persons, contacts)
    deals = make_opportunities(rngs[4], calendar, companies, contacts)
    tickets = make_tickets(rngs[5], calendar, persons, orders)
    calls = make_calls(rngs[6], calendar, persons)
    answers = make_answers(rngs[6], calendar, orders, tickets, calls)
    sessions, tablets = make_sessions(rngs[7], calendar, persons, orders)
    spike = _plant_spike(rngs[8], calendar, persons, orders, tickets, answers)
    for number, answer in enumerate(answers):
        answer.response_id = str(640_000_000 + number * 17)
    return World(
        seed,
        calendar,
        persons,
        companies,
        contacts,
        cases,
        deals,
        orders,
        tickets,
        calls,
        answers,
        sessions,
        tablets,
        spike,
    )


def _plant_spike(
    rng: np.random.Generator,
    calendar: Calendar,
    people: list[Person],
    orders: list[Order],
    tickets: list[Ticket],
    answers: list[Answer],
) -> Spike:
    """A delivery failure in one region on the last day: urgent open tickets, bad ratings and NPS 0 to 3.

    Affected are customers whom e-mail ties to their orders, so that the complaint reaches the right customer.
    """
    recent = {
        order.person
        for order in orders
        if calendar.cut1 - ACTIVE_DAYS * DAY <= order.created < calendar.cut1
        and order.email == people[order.person].email
        and not order.is_test
        and not order.cancelled
    }
    active = sorted(index for index in recent if people[index].region == SPIKE_REGION)
    open_to_blame = [index for index in active if people[index].care_email == people[index].email]
    wanted = min(round(SPIKE_SHARE * len(active)), len(open_to_blame))
    affected = sorted(
        int(index) for index in rng.choice(np.array(open_to_blame, dtype=np.int64), wanted, replace=False)
    )
    first_id = tickets[-1].ticket_id + 1 if tickets else 20_001
    moments = np.sort(rng.integers(calendar.cut1 + 8 * 3_600, calendar.cut1 + 20 * 3_600, size=wanted))
    dice = rng.random((wanted, 4))
    for k, index in enumerate(rng.permutation(np.array(affected, dtype=np.int64))):
        created, roll = int(moments[k]), dice[k]
        bad = bool(roll[0] < 0.6)
        tickets.append(
            Ticket(
                ticket_id=first_id + k,
                person=int(index),
                created=created,
                reply_minutes=0,
                solved=0,
                first_solved=0,
                reopens=0,
                topic="delivery",
                subject=SPIKE_SUBJECTS[k % 3],
                priority="urgent",
                channel="web" if roll[1] < 0.5 else "email",
                agent=int(roll[1] * len(AGENTS)),
                rating="bad" if bad else "",
                rating_comment=SPIKE_COMMENTS[k % 3] if bad else "",
                rated=created + 5_400 if bad else 0,
                spike=True,
            )
        )
        answered = created + 600 + int(roll[2] * 3 * 3_600)
        score = int(roll[3] * 4)
        answers.append(
            Answer(int(index), "nps", created - 3_600, answered, score, SPIKE_COMMENTS[k % 3], "delivery", spike=True)
        )
    answers.sort(key=lambda answer: (answer.created, answer.person, answer.kind))
    return Spike(SPIKE_REGION, calendar.end, active, affected)
