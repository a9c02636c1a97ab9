"""Contracts day by day: how many of the payers under contract are at high risk, and why, as for buyers in `assess`.

One segment, all contracts together. A day's parameters are those fitted at the end of the Sunday before it, and a
Monday says what its new parameters alone moved, so that the spike rules read both kinds alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from analytics.churn.assess import DAILY_SCHEMA, DRIVER_DAILY_SCHEMA
from analytics.churn.contract_fits import ContractFits, ContractModel, drivers_of, sized
from analytics.churn.contracts import ContractBook, Flags, State
from analytics.churn.frames import day_number, decimals_from
from analytics.churn.rules import ContractRules

#: Where contracts stand among the segments of churn_risk_daily; nobody is counted in it and in another segment at once.
CONTRACTS = ("contracts", "all contracts")


@dataclass(frozen=True)
class _Day:
    """Payers kept on a day and whether each is in band high; value in hundredths of those who are."""

    kept: int
    high: int
    value: int


def contract_days(
    book: ContractBook, fits: ContractFits, rules: ContractRules, days: Sequence[date], earlier: Sequence[date] = ()
) -> tuple[pa.Table, pa.Table]:
    """(DAILY_SCHEMA of `days`, DRIVER_DAILY_SCHEMA of `days` and `earlier`); days without a model have no row.

    A driver counts for a payer at high risk where it is among the payer's three strongest and speaks for leaving.
    """
    daily_on = {day_number(day) for day in days}
    rows: list[tuple[int, _Day, int | None, int | None]] = []
    carried: list[tuple[int, str, int]] = []
    state: State | None = None
    for day in sorted(daily_on | {day_number(d) for d in earlier}):
        yesterday, state = state, None
        sunday = day - (day + 3) % 7 - 1
        model = fits.known(sunday)
        if model is None:
            continue
        state = book.at(day, rules.horizon_days)
        if not len(state.who):
            continue
        now, high = _count(state, model, rules)
        carried += [(day, code, count) for code, count in _carriers(state, model, high, rules)]
        if day not in daily_on:
            continue
        before = fits.known(sunday - 7) if sunday == day - 1 else None
        moved: tuple[int | None, int | None] = (None, None)
        if before is not None:
            then = (
                yesterday if yesterday is not None and yesterday.day == sunday else book.at(sunday, rules.horizon_days)
            )
            (old, _), (new, _) = _count(then, before, rules), _count(then, model, rules)
            moved = new.high - old.high, new.value - old.value
        rows.append((day, now, *moved))
    return _daily(rows), _drivers(carried)


def _count(state: State, model: ContractModel, rules: ContractRules) -> tuple[_Day, Flags]:
    """Sums of a day, and which of its payers are at high risk."""
    probability, _, at_risk = sized(state, model, rules)
    high = probability >= rules.high
    return _Day(len(state.who), int(high.sum()), int(at_risk[high].sum())), high


def _carriers(state: State, model: ContractModel, high: Flags, rules: ContractRules) -> list[tuple[str, int]]:
    drivers = drivers_of(state, model, rules, high)
    carried = np.where(drivers.contribution > 0, drivers.code, -1)
    return [(drivers.codes[k], int((carried == k).sum())) for k in range(len(drivers.codes)) if (carried == k).any()]


def _daily(rows: list[tuple[int, _Day, int | None, int | None]]) -> pa.Table:
    moved = np.array([row[3] is not None for row in rows], dtype=bool)
    columns = {
        "segment_type": [CONTRACTS[0]] * len(rows),
        "segment": [CONTRACTS[1]] * len(rows),
        "day": pa.array([row[0] for row in rows], pa.int32()).cast(pa.date32()),
        "scored": [row[1].kept for row in rows],
        "at_risk": [row[1].high for row in rows],
        "share": [round(row[1].high / row[1].kept, 6) for row in rows],
        "value_at_risk": decimals_from(np.array([row[1].value for row in rows], dtype=np.int64)),
        "refit_at_risk": [row[2] for row in rows],
        "refit_value": decimals_from(np.array([row[3] or 0 for row in rows], dtype=np.int64), moved),
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in DAILY_SCHEMA], schema=DAILY_SCHEMA)


def _drivers(carried: list[tuple[int, str, int]]) -> pa.Table:
    carried = sorted(carried)
    columns = {
        "segment_type": [CONTRACTS[0]] * len(carried),
        "segment": [CONTRACTS[1]] * len(carried),
        "day": pa.array([day for day, _, _ in carried], pa.int32()).cast(pa.date32()),
        "driver": [code for _, code, _ in carried],
        "customers": [count for _, _, count in carried],
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in DRIVER_DAILY_SCHEMA], schema=DRIVER_DAILY_SCHEMA)
