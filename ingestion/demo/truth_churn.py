"""What can be known at best: the chance of no purchase, from the very process that drew the purchases."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from ingestion.demo.clock import DAY, Floats, Ints, epoch_of
from ingestion.demo.shopping import DROP_A, DROP_B, RATE_SCALE, RATE_SHAPE, TROUBLE, TROUBLE_LEAVES
from ingestion.demo.truth_numbers import write_csv
from ingestion.demo.world import World

HORIZON_DAYS = 90
#: The ticket of an order that went wrong is written within so many days of it.
_HEARD_WITHIN = 4.4


@dataclass(frozen=True)
class Silence:
    """Everybody who bought in the two horizons before `as_of`, one element per person.

    probability: of no purchase in the horizon after `as_of`, given what had happened by its end. silent: whether that
    came true. troubled: the latest purchase went wrong and its ticket was there by then.
    """

    as_of: date
    person: Ints
    probability: Floats
    silent: Ints
    troubled: Ints


def silence(world: World, as_of: date, horizon_days: int = HORIZON_DAYS) -> Silence:
    """The posterior under the process's own parameters (as BG/NBD derives it, with what trouble does to leaving).

    Rates are gamma, leaving after a purchase is beta, and a purchase that went wrong makes most leave. Who survived x
    purchases without trouble has Beta(a, b + x) left. Nothing that is only known to the generator of one person (rate,
    leaving, whether they have left) enters: no model could know that.
    """
    now = epoch_of(as_of + timedelta(days=1))
    until = now + horizon_days * DAY
    orders = [o for o in world.orders if not o.is_test and not o.cancelled and o.created < until]
    who = np.array([o.person for o in orders], dtype=np.int64)
    when = np.array([o.created for o in orders], dtype=np.int64)
    wrong = np.array([o.trouble for o in orders], dtype=bool)
    past = when < now
    size = len(world.people)
    bought = np.bincount(who[past], minlength=size).astype(float)
    first, last, latest = np.full(size, now), np.zeros(size, dtype=np.int64), np.zeros(size, dtype=bool)
    np.minimum.at(first, who[past], when[past])
    np.maximum.at(last, who[past], when[past])
    # Orders are sorted by time: the last assignment is the latest purchase.
    latest[who[past]] = wrong[past]
    after = np.zeros(size, dtype=bool)
    after[who[~past]] = True
    chosen = np.flatnonzero((bought > 0) & (now - last < 2 * horizon_days * DAY))
    x = bought[chosen] - 1
    age, span = (now - first[chosen]) / DAY, (last[chosen] - first[chosen]) / DAY
    heard = np.zeros(size, dtype=bool)
    for ticket in world.tickets:
        if ticket.created < now and ticket.created > last[ticket.person]:
            heard[ticket.person] = True
    troubled = latest[chosen] & heard[chosen]
    unheard = np.clip(1 - (age - span) / _HEARD_WITHIN, 0, 1) * TROUBLE
    stays = np.where(troubled, 1 - TROUBLE_LEAVES, 1 - TROUBLE_LEAVES * unheard)
    stays = stays * (DROP_B + x) / (DROP_A + DROP_B + x)
    pace = 1 / RATE_SCALE
    gone = (1 - stays) / stays * ((pace + age) / (pace + span)) ** (RATE_SHAPE + x)
    alive = 1 / (1 + gone)
    quiet = ((pace + age) / (pace + age + horizon_days)) ** (RATE_SHAPE + x)
    return Silence(as_of, chosen, 1 - alive * (1 - quiet), (~after[chosen]).astype(np.int64), troubled.astype(np.int64))


def write_churn(world: World, folder: Path) -> None:
    """churn.csv: everybody active one horizon before the last day."""
    found = silence(world, world.calendar.end - timedelta(days=HORIZON_DAYS))
    write_csv(
        folder,
        "churn.csv",
        ("as_of", "person", "probability", "silent", "troubled"),
        (
            (found.as_of.isoformat(), world.people[who].code, f"{p:.6f}", silent, troubled)
            for who, p, silent, troubled in zip(
                found.person.tolist(), found.probability.tolist(), found.silent.tolist(), found.troubled.tolist(),
                strict=True,
            )
        ),
    )  # fmt: skip
