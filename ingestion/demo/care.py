"""Support and surveys: Zendesk tickets, Amazon Connect calls, Delighted answers. Base rates are calm on purpose."""

from dataclasses import dataclass

import numpy as np

from ingestion.demo.clock import DAY, Calendar, epoch_of, local_day
from ingestion.demo.people import Person
from ingestion.demo.shopping import Order
from ingestion.demo.words import COMMENTS_BAD, COMMENTS_GOOD, COMMENTS_MIDDLE, TOPICS, TROUBLE_SUBJECTS

AGENTS = ("agent.sasaki", "agent.ono", "agent.kikuchi", "agent.sugawara", "agent.hirano", "agent.nomura")
SURVEY_GAP_DAYS = 90
_YEAR = 365 * DAY


@dataclass(slots=True)
class Ticket:
    """One Zendesk ticket over its life; moments are epoch seconds, 0 = never."""

    ticket_id: int
    person: int
    created: int
    reply_minutes: int
    solved: int
    first_solved: int
    reopens: int
    topic: str
    subject: str
    priority: str
    channel: str
    agent: int
    rating: str = ""
    rating_comment: str = ""
    rated: int = 0
    spike: bool = False

    @property
    def replied(self) -> int:
        """When the first human answer went out."""
        return self.created + self.reply_minutes * 60 if self.reply_minutes else 0


@dataclass(frozen=True, slots=True)
class Call:
    """One Amazon Connect voice contact; `agent` is -1 when the caller hung up first."""

    number: int
    person: int
    started: int
    wait: int
    talk: int
    hold: int
    wrap: int
    agent: int
    withheld: bool

    @property
    def ended(self) -> int:
        """When the line was cut."""
        return self.started + 20 + self.wait + self.talk


@dataclass(slots=True)
class Answer:
    """One Delighted response; `revised` is the score that an update on day 2 gives, -1 for none."""

    person: int
    kind: str
    sent: int
    created: int
    score: int
    comment: str
    touchpoint: str
    response_id: str = ""
    revised: int = -1
    spike: bool = False

    def score_at(self, day: int) -> int:
        """Score as known on day 1 or day 2."""
        return self.revised if day == 2 and self.revised >= 0 else self.score


def make_tickets(
    rng: np.random.Generator, calendar: Calendar, people: list[Person], orders: list[Order]
) -> list[Ticket]:
    """Calm tickets: 15 in 100 orders lead to one, and every known person asks something every seventh year or so.

    An order that went wrong always does: it is urgent to whoever writes, mostly says so, takes days and is mostly rated
    badly.
    """
    moments: list[tuple[int, int, bool]] = []
    after = rng.random((len(orders), 2))
    for order, roll in zip(orders, after, strict=True):
        if (order.trouble or roll[0] < 0.1) and not order.is_test:
            delay = (0.4 + 4 * roll[1]) if order.trouble else (0.4 + 8 * roll[1])
            moments.append((order.created + int(delay * DAY), order.person, order.trouble))
    count = rng.poisson(0.15 * calendar.days / 365, size=len(people))
    for person in people:
        for _ in range(int(count[person.index])):
            moments.append((person.entry + int(rng.random() * (calendar.cut2 - person.entry)), person.index, False))
    moments = sorted(moment for moment in moments if moment[0] < calendar.cut2)
    size = len(moments)
    reply = np.clip(rng.lognormal(np.log(95), 0.9, size=size), 3, 4_000).astype(np.int64)
    solve = np.clip(rng.lognormal(np.log(800), 0.8, size=size), 5, 9_000).astype(np.int64)
    dice = rng.random((size, 6))
    tickets = []
    for i, (created, person_index, trouble) in enumerate(moments):
        roll = dice[i]
        if trouble:
            solve[i] += int((2 + 8 * roll[0]) * 24 * 60)
        topic, subject = TOPICS[int(roll[0] * len(TOPICS))]
        first_solved = created + int(reply[i] + solve[i]) * 60
        reopened = bool(roll[1] < 0.06)
        ticket = Ticket(
            ticket_id=20_001 + i,
            person=person_index,
            created=created,
            reply_minutes=int(reply[i]),
            first_solved=first_solved,
            solved=first_solved + (int((0.5 + roll[1] * 20) * DAY) if reopened else 0),
            reopens=int(reopened),
            topic=topic,
            subject=TROUBLE_SUBJECTS[i % len(TROUBLE_SUBJECTS)] if trouble else subject,
            priority="urgent"
            if roll[2] < (0.3 if trouble else 0.01)
            else ("high" if trouble or roll[2] < 0.08 else ("low" if roll[2] > 0.8 else "normal")),
            channel="email" if roll[3] < 0.5 else ("web" if roll[3] < 0.85 else "chat"),
            agent=int(roll[4] * len(AGENTS)),
        )
        if roll[5] < (0.7 if trouble else 0.28):
            bad = roll[5] < (0.65 if trouble else 0.01)
            ticket.rating, ticket.rated = ("bad" if bad else "good"), ticket.solved + 3_600
            ticket.rating_comment = COMMENTS_BAD[i % 4] if bad else COMMENTS_GOOD[i % len(COMMENTS_GOOD)]
        tickets.append(ticket)
    return tickets


def make_calls(rng: np.random.Generator, calendar: Calendar, people: list[Person]) -> list[Call]:
    """Calls of people with a phone, about one in five years and person a quarter; 8 in 100 give up in the queue."""
    rows: list[tuple[int, int]] = []
    count = rng.poisson(0.28 * calendar.days / 365, size=len(people))
    for person in people:
        for _ in range(int(count[person.index]) if person.phone else 0):
            rows.append((person.entry + int(rng.random() * (calendar.cut2 - person.entry)), person.index))
    rows = sorted((_office_hours(moment), person) for moment, person in rows)
    rows = [row for row in rows if row[0] < calendar.cut2]
    size = len(rows)
    wait = np.clip(rng.exponential(70, size=size), 4, 900).astype(int)
    talk = np.clip(rng.lognormal(np.log(240), 0.6, size=size), 20, 3_000).astype(int)
    wrap = np.clip(rng.lognormal(np.log(75), 0.5, size=size), 5, 900).astype(int)
    dice = rng.random((size, 3))
    calls = []
    for i, (moment, person_index) in enumerate(rows):
        lost = bool(dice[i][0] < 0.08)
        calls.append(
            Call(
                number=i + 1,
                person=person_index,
                started=moment,
                wait=int(wait[i]) * (3 if lost else 1),
                talk=0 if lost else int(talk[i]),
                hold=0 if lost or dice[i][1] > 0.25 else int(talk[i] * 0.2),
                wrap=0 if lost else int(wrap[i]),
                agent=-1 if lost else int(dice[i][1] * len(AGENTS)),
                withheld=bool(dice[i][2] < 0.05),
            )
        )
    return calls


def _office_hours(moment: int) -> int:
    """Move a moment to between 9:00 and 18:00 local time of its day."""
    midnight = epoch_of(local_day(moment))
    return midnight + 9 * 3_600 + (moment - midnight) * 9 // 24


def make_answers(
    rng: np.random.Generator, calendar: Calendar, orders: list[Order], tickets: list[Ticket], calls: list[Call]
) -> list[Answer]:
    """NPS five days after an order, at most every 90 days and person; CSAT after some calls; trouble costs points."""
    trouble: dict[int, list[int]] = {}
    for ticket in tickets:
        trouble.setdefault(ticket.person, []).append(ticket.created)
    answers: list[Answer] = []
    last_sent: dict[int, int] = {}
    dice = rng.random((len(orders), 3))
    noise = rng.normal(0.0, 1.35, size=len(orders))
    for i, order in enumerate(orders):
        sent = order.created + 5 * DAY
        usable = order.email and "." in order.email and not order.is_test and not order.cancelled
        junk = order.email.startswith(("info@", "null", "not-", "test@"))
        if not usable or junk or sent - last_sent.get(order.person, 0) < SURVEY_GAP_DAYS * DAY:
            continue
        last_sent[order.person] = sent
        created = sent + 600 + int(dice[i][1] ** 3 * 3 * DAY)
        if dice[i][0] > 0.32 or created >= calendar.cut2:
            continue
        hurt = sum(1 for moment in trouble.get(order.person, ()) if 0 < created - moment < 40 * DAY)
        score = int(np.clip(round(8.75 + noise[i] - 2.2 * min(hurt, 2) - (1.5 if order.refunds[0] else 0)), 0, 10))
        answers.append(Answer(order.person, "nps", sent, created, score, _comment(score, i), "post_purchase"))
    after = rng.random((len(calls), 3))
    for call, roll in zip(calls, after, strict=True):
        created = call.ended + 3_600 + int(roll[1] * DAY)
        if call.agent >= 0 and roll[0] < 0.2 and created < calendar.cut2:
            score = 5 if roll[2] > 0.45 else (4 if roll[2] > 0.18 else int(1 + roll[2] * 16))
            answers.append(Answer(call.person, "csat", call.ended + 1_800, created, score, "", "support_call"))
    answers.sort(key=lambda answer: (answer.created, answer.person, answer.kind))
    _plant_revisions(answers, calendar)
    return answers


def _comment(score: int, salt: int) -> str:
    words = COMMENTS_GOOD if score >= 9 else (COMMENTS_MIDDLE if score >= 7 else COMMENTS_BAD)
    return words[salt % len(words)]


def _plant_revisions(answers: list[Answer], calendar: Calendar) -> None:
    """Two answers of the last calm weeks are changed by their authors on day 2."""
    recent = [
        a for a in answers if a.kind == "nps" and a.score >= 7 and calendar.cut1 - 40 * DAY < a.created < calendar.cut1
    ]
    for answer in recent[-2:]:
        answer.revised = 6 if answer.score >= 9 else 10
