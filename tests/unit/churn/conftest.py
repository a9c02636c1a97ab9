"""A small company: seeded customers in four regions, two years of orders, tickets and surveys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from analytics.churn import signals_from_facts
from analytics.churn.frames import day_number, decimals_from

AS_OF = date(2026, 6, 30)


@dataclass(frozen=True)
class World:
    customers: pa.Table
    orders: pa.Table
    interactions: pa.Table
    surveys: pa.Table
    refunds: pa.Table

    @property
    def signals(self) -> pa.Table:
        return signals_from_facts(self.interactions, self.surveys, self.refunds)


def dates(numbers: np.ndarray) -> pa.Array:
    return pa.array(np.asarray(numbers).astype(np.int32)).cast(pa.date32())


def make_world(size: int, seed: int = 1) -> World:
    rng = np.random.default_rng(seed)
    end = day_number(AS_OF)
    start = end - 730
    ids = np.array([f"c{k:07d}" for k in range(size)])
    rate, leave = rng.gamma(0.8, 1 / 6, size) / 7, rng.beta(1, 4, size)
    clock, alive = rng.integers(start, end, size).astype(float), np.ones(size, dtype=bool)
    # The last twentieth never buys.
    alive[-max(1, size // 20) :] = False
    who, day = [], []
    while alive.any():
        who.append(np.flatnonzero(alive))
        day.append(clock[alive])
        alive &= rng.random(size) > leave
        clock = clock + rng.exponential(1 / rate)
        alive &= clock <= end
    buyer, on = np.concatenate(who), np.concatenate(day).astype(int)
    amount = (rng.gamma(4, 1500, size)[buyer] * rng.uniform(0.5, 1.5, len(buyer))).astype(int) * 100
    n = size // 2
    opened = rng.integers(start, end, n)
    tickets = {
        "customer_id": pa.array(ids[rng.integers(0, size, n)]),
        "opened_on": dates(opened),
        "resolved_on": pa.array((opened + rng.integers(0, 20, n)).astype(np.int32), mask=rng.random(n) < 0.02).cast(
            pa.date32()
        ),
        "priority": pa.array(np.array(["urgent", "High", "normal", "low"])[rng.integers(0, 4, n)]),
        "csat_score": pa.array(rng.integers(1, 6, n)),
    }
    answers = {
        "customer_id": pa.array(ids[rng.integers(0, size, n)]),
        "kind": pa.array(np.array(["nps", "csat"])[rng.integers(0, 2, n)]),
        "score": pa.array(rng.integers(1, 6, n)),
        "submitted_on": dates(rng.integers(start, end, n)),
    }
    back = rng.integers(0, len(buyer), size // 20)
    return World(
        pa.table(
            {"customer_id": ids, "region": np.array(["east", "north", "south", "west"])[rng.integers(0, 4, size)]}
        ),
        pa.table({"customer_id": ids[buyer], "ordered_on": dates(on), "amount": decimals_from(amount)}),
        pa.table(tickets),
        pa.table(answers),
        pa.table(
            {"customer_id": ids[buyer[back]], "refunded_on": dates(on[back] + 5), "amount": decimals_from(amount[back])}
        ),
    )


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(1200)
