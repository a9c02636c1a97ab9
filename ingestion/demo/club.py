"""The demo's club: subscriptions of the shop's people, with what makes them end, and how likely that is at best."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from ingestion.demo.clock import DAY, Floats, Ints, local_day
from ingestion.demo.world import World

#: Share of the people who join, and per plan: name, yen a period, months of a period, share of the members, chance to
#: leave in a month. Who pays for a year can only leave at its end.
JOINS = 0.5
PLANS = (("light", 980, 1, 0.5, 0.05), ("plus", 1_980, 1, 0.3, 0.02), ("yearly", 11_760, 12, 0.2, 0.0))
YEARLY_LEAVES = 0.30
YEARLY, YEAR_DAYS = 2, 365
#: A third pays more from some day on: for so many days they leave so many times as often.
RAISED, RAISE_FACTOR, RAISE_DAYS = 1.25, 3.0, 90
#: Likewise who had an urgent problem.
TROUBLE_FACTOR, TROUBLE_DAYS = 4.0, 180
#: Every second one declares the end so many days ahead.
NOTICE_DAYS = 14
_MONTH = 365 / 12


@dataclass(frozen=True)
class Club:
    """Members, one element each; days count from the first day of the calendar, -1 where there is none.

    stop: day on which the end was declared; end: first day that is no longer paid for.
    """

    person: Ints
    plan: Ints
    start: Ints
    raised: Ints
    stop: Ints
    end: Ints


@dataclass(frozen=True)
class Leaving:
    """Members kept at the end of `as_of`: chance that they leave in the horizon, by the process that drew it and what
    had happened by then, and whether they did; troubled: an urgent problem was known."""

    as_of: date
    person: Ints
    probability: Floats
    left: Ints
    troubled: Ints


def make_club(world: World) -> Club:
    """Draw it, day by day, all members at once."""
    rng = np.random.default_rng([world.seed, 113])
    days = world.calendar.days
    joins = rng.random(len(world.people)) < JOINS
    person = np.array([p.index for p in world.people if p.buyer and p.shop_id and joins[p.index]], dtype=np.int64)
    size = len(person)
    entry = np.array([(world.people[p].entry - world.calendar.begin) // DAY for p in person], dtype=np.int64)
    start = np.clip(entry, 0, days - 1) + (rng.random(size) * np.clip(days - entry, 1, 200)).astype(np.int64)
    start = np.minimum(start, days - 1)
    plan = rng.choice(len(PLANS), size=size, p=[p[3] for p in PLANS])
    raised = np.where((rng.random(size) < 0.33) & (plan != YEARLY), start + rng.integers(60, 400, size), -1)
    raised = np.where(raised < days, raised, -1)
    trouble = _trouble(world, person, days)
    stop = np.full(size, -1, dtype=np.int64)
    for day in range(days):
        kept = (start < day) & (stop < 0)
        hazard = _hazard(plan, start, raised, trouble[:, day], day)
        stop[kept & (rng.random(size) < hazard)] = day
    notice = np.where(rng.random(size) < 0.5, NOTICE_DAYS, 0)
    return Club(person, plan, start, np.where((stop >= 0) & (raised >= stop), -1, raised), stop,
                np.where(stop >= 0, stop + notice, -1))  # fmt: skip


def leaving(world: World, club: Club, as_of: date, horizon_days: int) -> Leaving:
    """Truth at the end of `as_of`: nobody can know of problems and prices that are still to come."""
    day = (as_of - world.calendar.start).days
    kept = np.flatnonzero((club.start <= day) & ((club.stop < 0) | (club.stop > day)))
    known = _trouble(world, club.person[kept], day + 1)
    last = np.where(known.any(axis=1), day - np.argmax(known[:, ::-1], axis=1), -1)
    # A problem is felt until its days are over; the last day on which it is felt now tells when that will be.
    first = _latest_problem(world, club.person[kept], day)
    raised = np.where(club.raised[kept] <= day, club.raised[kept], -1)
    stays = np.ones(len(kept))
    for ahead in range(day + 1, day + horizon_days + 1):
        felt = (first >= 0) & (ahead - first < TROUBLE_DAYS)
        stays *= 1 - _hazard(club.plan[kept], club.start[kept], raised, felt, ahead)
    left = (club.stop[kept] >= 0) & (club.stop[kept] <= day + horizon_days)
    return Leaving(as_of, club.person[kept], 1 - stays, left.astype(np.int64), (last == day).astype(np.int64))


def _hazard(plan: Ints, start: Ints, raised: Ints, troubled: np.ndarray, day: int) -> Floats:
    """Chance to leave on a day."""
    months = np.maximum(day - start, 0) / _MONTH
    monthly = np.array([p[4] for p in PLANS])[plan] / _MONTH * np.exp(-0.35 * np.log1p(months)) * 1.6
    dearer = (raised >= 0) & (day >= raised) & (day - raised < RAISE_DAYS)
    factor = np.where(dearer, RAISE_FACTOR, 1.0) * np.where(troubled, TROUBLE_FACTOR, 1.0)
    renews = (plan == YEARLY) & (day > start) & ((day - start) % YEAR_DAYS == 0)
    chance: Floats = np.where(renews, YEARLY_LEAVES, monthly * factor)
    return chance


def _problems(world: World, person: Ints, until: int) -> list[tuple[int, int]]:
    """(member, day) of every urgent ticket by the end of a day."""
    place = {int(p): k for k, p in enumerate(person)}
    found = []
    for ticket in world.tickets:
        day = (local_day(ticket.created) - world.calendar.start).days
        if ticket.person in place and ticket.priority in ("urgent", "high") and 0 <= day <= until:
            found.append((place[ticket.person], day))
    return found


def _trouble(world: World, person: Ints, days: int) -> np.ndarray:
    """Whether a problem is felt, shape (members, days)."""
    felt = np.zeros((len(person), days), dtype=bool)
    for member, day in _problems(world, person, days - 1):
        felt[member, day : day + TROUBLE_DAYS] = True
    return felt


def _latest_problem(world: World, person: Ints, until: int) -> Ints:
    latest = np.full(len(person), -1, dtype=np.int64)
    for member, day in _problems(world, person, until):
        latest[member] = max(latest[member], day)
    return latest
