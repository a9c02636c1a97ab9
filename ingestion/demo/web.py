"""Web sessions: people on their own devices, anonymous visitors, family tablets and the kiosk in the store."""

from dataclasses import dataclass

import numpy as np

from ingestion.demo.clock import DAY, Calendar
from ingestion.demo.people import Person
from ingestion.demo.shopping import Order

LOGIN_WINDOW_DAYS = 30
KIOSK = "2088000001.1719700000"


@dataclass(slots=True)
class Session:
    """One visit. `user` is the login (Shopify customer id), `login_step` the event with which it begins (0 = at once).

    `late` events at the end of the session arrive in a later file.
    """

    device: str
    start: int
    person: int
    user: str
    login_step: int
    pages: int
    source: int
    kind: str = "browse"  # browse | purchase
    order: int = -1
    number: int = 1
    late: bool = False
    place: str = "own"  # own | tablet | kiosk | anonymous


@dataclass(frozen=True, slots=True)
class Tablet:
    """A device that two people of one household use in turn."""

    device: str
    people: tuple[int, int]


def make_sessions(
    rng: np.random.Generator, calendar: Calendar, people: list[Person], orders: list[Order]
) -> tuple[list[Session], list[Tablet]]:
    """All sessions in order of time, numbered per device, with a start that is unique per device."""
    sessions = _own_sessions(rng, calendar, people, orders)
    sessions += _anonymous(rng, calendar, len(people))
    tablets = _tablets(rng, calendar, people, sessions)
    _kiosk(rng, calendar, people, sessions)
    sessions = [session for session in sessions if calendar.begin - 60 * DAY < session.start < calendar.cut2 - 60]
    sessions.sort(key=lambda session: (session.start, session.device))
    last: dict[str, tuple[int, int]] = {}
    late = rng.random(len(sessions))
    for session, roll in zip(sessions, late, strict=True):
        start, number = last.get(session.device, (0, 0))
        session.start = max(session.start, start + 1_900)
        session.number = number + 1
        last[session.device] = (session.start, session.number)
        days_before = (calendar.cut1 - session.start) / DAY
        session.late = bool(roll < (0.15 if 0 < days_before < 3 else 0.01))
    return [session for session in sessions if session.start < calendar.cut2 - 60], tablets


def _own_sessions(
    rng: np.random.Generator, calendar: Calendar, people: list[Person], orders: list[Order]
) -> list[Session]:
    sessions: list[Session] = []

    def visit(person: Person, start: int, login: float, kind: str = "browse", order: int = -1) -> None:
        roll = rng.random(4)
        device = person.devices[int(roll[0] ** 2 * len(person.devices))]
        known = bool(person.shop_id) and roll[1] < login
        sessions.append(
            Session(
                device,
                start,
                person.index,
                person.shop_id if known else "",
                int(roll[1] / login * 3) if known else 0,
                1 + int(roll[2] * 3),
                int(roll[3] * 6),
                kind,
                order,
            )
        )

    first_seen: dict[int, int] = {}
    for index, order in enumerate(orders):
        first_seen.setdefault(order.person, order.created)
        person = people[order.person]
        if not person.devices or order.channel != "web" or order.is_test or rng.random() > 0.8:
            continue
        visit(person, order.created - 240 - int(rng.random() * 600), 0.8, "purchase", index)
        if rng.random() < 0.8:
            visit(person, max(person.entry, order.created - int((0.1 + 6 * rng.random()) * DAY)), 0.4)
    visits = rng.poisson(2.3, size=len(people))
    for person in people:
        if person.devices:
            for _ in range(int(visits[person.index])):
                visit(person, person.entry + int(rng.random() * (calendar.cut2 - person.entry)), 0.35)
    return sessions


def _anonymous(rng: np.random.Generator, calendar: Calendar, people: int) -> list[Session]:
    """Visitors who never log in and of whom nothing else is known."""
    sessions = []
    count = int(people * 0.7)
    starts = calendar.moments(rng.random(count) * calendar.horizon)
    for index in range(count):
        device = f"{(index * 611_957 + 7) % 90_000_000 + 10_000_000}.{int(starts[index])}"
        for visit in range(1 + int(rng.random() < 0.35)):
            start = int(starts[index]) + int(visit * (1 + 12 * rng.random()) * DAY)
            sessions.append(
                Session(device, start, -1, "", 0, 1 + int(rng.random() * 2), int(rng.integers(6)), place="anonymous")
            )
    return sessions


def _tablets(
    rng: np.random.Generator, calendar: Calendar, people: list[Person], sessions: list[Session]
) -> list[Tablet]:
    """Two logins take turns. Unnamed visits lie between logins (previous login's), up to 20 days before the first
    login (the next one's) and 75 days before it (nobody's)."""
    ready = [p for p in people if p.shop_id and p.entry < calendar.cut1 - 150 * DAY]
    tablets = []
    for index in range(max(2, len(people) // 250)):
        if 2 * index + 1 >= len(ready):
            break
        pair = (ready[2 * index], ready[2 * index + 1])
        device = f"{2_077_000_000 + index * 31}.{calendar.begin + index * 7_001}"
        begin = max(pair[0].entry, pair[1].entry) + 80 * DAY
        tablets.append(Tablet(device, (pair[0].index, pair[1].index)))
        plan: list[tuple[float, int]] = [(-75.0, -1), (-18.0, -1), (-6.0, -1)]
        plan += [(turn * 6.0, turn % 2) for turn in range(8)] + [(turn * 6.0 + 2.5, -1) for turn in range(0, 8, 2)]
        for day, who in plan:
            start = begin + int((day + rng.random()) * DAY)
            person = pair[who] if who >= 0 else None
            user = person.shop_id if person else ""
            number = person.index if person else -1
            sessions.append(
                Session(device, start, number, user, int(rng.integers(3)) if user else 0, 2, 1, place="tablet")
            )
    return tablets


def _kiosk(rng: np.random.Generator, calendar: Calendar, people: list[Person], sessions: list[Session]) -> None:
    """The terminal in the shop: every visitor is somebody else, and many log in once."""
    ready = [p for p in people if p.shop_id and p.entry < calendar.cut1 - 10 * DAY]
    guests = rng.permutation(len(ready))[: max(20, len(people) // 30)]
    for guest in guests:
        person = ready[int(guest)]
        start = person.entry + int((0.05 + 0.9 * rng.random()) * (calendar.cut1 - person.entry))
        sessions.append(Session(KIOSK, start, person.index, person.shop_id, int(rng.integers(2)), 2, 1, place="kiosk"))
    for moment in calendar.moments(rng.random(max(15, len(people) // 60)) * calendar.horizon):
        sessions.append(Session(KIOSK, int(moment), -1, "", 0, 2, 1, place="kiosk"))
