"""Payers under contract as of a day: what was known of each at its end, as columns of a regression.

A payer is an account or a customer with contracts that recur. Everything is made of dated spans, so that the picture of
a past day holds nothing that was learnt later. A payer is *kept* on a day while one of its contracts runs whose end has
not been declared; the label is to be kept at the end of t and no longer at the end of t + h.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.churn.frames import (
    NEVER,
    Ints,
    codes_in,
    days_of,
    hundredths_of,
    ids_of,
    need_columns,
    numbers_of,
    order_by,
)

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: Columns that every payer has, beside plans and signals.
TERMS = ("tenure", "renewals", "term", "to_renewal", "renewal_due", "price", "raised", "lowered", "contracts")
#: Which of them are told as one driver: a plan has its price, so neither speaks without the other.
TENURE, RENEWAL, RAISED, LOWERED, PLAN = (
    "contract_tenure", "contract_renewal", "contract_raised", "contract_lowered", "contract_plan",
)  # fmt: skip
DRIVER_OF = {
    "tenure": TENURE, "renewals": TENURE, "term": RENEWAL, "to_renewal": RENEWAL, "renewal_due": RENEWAL,
    "price": PLAN, "contracts": PLAN, "raised": RAISED, "lowered": LOWERED,
}  # fmt: skip
#: Prices are compared with those of so many days before.
CHANGE_DAYS = 90
MONTH_DAYS = 365 / 12
WEEK = 7
#: Plans beyond so many are too small to learn from; they count as no plan.
PLANS = 12
SPANS = ("payer", "contract_id", "plan", "from_on", "until_on", "cancelled_on", "ended_on", "term_months", "monthly")
_YEN = 100.0


@dataclass(frozen=True)
class State:
    """The payers kept at the end of one day (or a part of them), one element per payer.

    running: of all payers of the book, whether some contract runs. who: positions in the book of those kept (one of
    their contracts runs whose end is not declared). monthly: hundredths a month of these contracts. since: days since
    the payer first paid; due: days until the nearest renewal. terms, plans, signals: shape (columns, payers).
    """

    day: int
    running: Flags
    who: Ints
    monthly: Ints
    since: Ints
    due: Ints
    terms: Floats
    plans: Flags
    signals: Flags

    def columns(self, plans: Sequence[int]) -> list[Floats | Flags]:
        """Columns TERMS, the chosen plans, the signals, one element per payer each."""
        return [*self.terms, *self.plans[list(plans)], *self.signals]

    def values(self, plans: Sequence[int]) -> Floats:
        """The same as one array of shape (payers, columns)."""
        return np.concatenate([self.terms, self.plans[list(plans)], self.signals]).T


class ContractBook:
    """All spans of all payers; `at` is the state of a day."""

    def __init__(self, spans: pa.Table, signals: pa.Table, codes: Sequence[str]) -> None:
        """spans: SPANS, one row per contract and span of days at one price; monthly is money, until_on excluded.

        signals: payer, signal, start_on, end_on. Raises ValueError on a missing column or a signal not in `codes`.
        """
        need_columns("spans", spans, SPANS)
        need_columns("signals", signals, ("payer", "signal", "start_on", "end_on"))
        spans = spans.sort_by([("payer", "ascending"), ("contract_id", "ascending"), ("from_on", "ascending")])
        names = pc.cast(spans["payer"], pa.string())
        self.payers: pa.Array = pc.unique(names)
        self._payer = codes_in(names, self.payers)
        contracts = pc.unique(spans["contract_id"])
        contracts = pc.unique(spans["contract_id"])
        contract = codes_in(spans["contract_id"], contracts)
        self._from, self._until = days_of(spans["from_on"]), days_of(spans["until_on"])
        self._monthly = hundredths_of(spans["monthly"])
        # Of a contract as a whole, and then beside each of its spans.
        size = len(contracts)
        begun = np.full(size, NEVER, dtype=np.int64)
        np.minimum.at(begun, contract, self._from)
        declared = np.minimum(days_of(spans["cancelled_on"]), days_of(spans["ended_on"]))
        stop = np.full(size, NEVER, dtype=np.int64)
        np.minimum.at(stop, contract, declared)
        term = np.zeros(size)
        term[contract] = np.maximum(np.nan_to_num(numbers_of(spans, "term_months"), nan=1.0), 1 / 31)
        self.plan_names = _common(spans["plan"])
        plan = np.full(size, -1, dtype=np.int64)
        plan[contract] = codes_in(spans["plan"], pa.array(self.plan_names, pa.string()))
        self._contract, self._contracts = contract, size
        self._begun, self._stop, self._term, self._plan = (
            begun[contract],
            stop[contract],
            term[contract],
            plan[contract],
        )
        self._is_first = self._from == self._begun
        self._first = np.full(len(self.payers), NEVER, dtype=np.int64)
        np.minimum.at(self._first, self._payer, self._from)
        what = codes_in(signals["signal"], pa.array(list(codes), pa.string()))
        if (what < 0).any():
            unknown = sorted(set(signals["signal"].to_pylist()) - set(codes))
            raise ValueError(f"signals without a weight: {', '.join(unknown)}; weights exist for {', '.join(codes)}")
        _, (_, who) = ids_of(self.payers, signals["payer"])
        mine = np.flatnonzero((who >= 0) & (who < len(self.payers)))
        self._signals = (
            who[mine], what[mine], days_of(signals["start_on"])[mine], days_of(signals["end_on"])[mine]
        )  # fmt: skip
        self._codes = len(codes)
        self._spells = _spells(self._signals[1] * len(self.payers) + self._signals[0], *self._signals[2:])

    def _on(self, day: int) -> Flags:
        on: Flags = (self._from <= day) & (day < self._until)
        return on

    def kept(self, day: int) -> Flags:
        """Of all payers: who has a contract that runs at the end of `day` and whose end has not been declared."""
        found = np.zeros(len(self.payers), dtype=bool)
        found[self._payer[self._on(day) & (day < self._stop)]] = True
        return found

    def at(self, day: int, horizon_days: int, most: int | None = None) -> State:
        """What was known at the end of `day` of the payers kept; of more than `most` a part, every week another."""
        on = self._on(day)
        running = np.zeros(len(self.payers), dtype=bool)
        running[self._payer[on]] = True
        going = np.flatnonzero(on & (day < self._stop))
        # Spans stand by payer, so those of one stand together.
        payer = self._payer[going]
        begins = np.flatnonzero(np.append(True, payer[1:] != payer[:-1])[: len(payer)])
        step = 1 if most is None else -(-len(begins) // most) or 1
        chosen = slice((day // WEEK) % step, None, step)
        who = payer[begins][chosen]
        if not len(who):
            none, flags = np.zeros(0, dtype=np.int64), np.zeros((len(self.plan_names), 0), dtype=bool)
            return State(day, running, who, none, none, none, np.zeros((len(TERMS), 0)), flags, self._felt(day, who))
        monthly = np.add.reduceat(self._monthly[going], begins)[chosen]
        months = self._term[going]
        period = months * MONTH_DAYS
        elapsed = (day - self._begun[going]).astype(np.float64)
        done = np.floor(elapsed / period)
        due = np.minimum.reduceat(period * (done + 1) - elapsed, begins)[chosen]
        term = np.maximum.reduceat(months, begins)[chosen]
        renewals = np.maximum.reduceat(done, begins)[chosen]
        contracts = np.diff(begins, append=len(going))[chosen]
        since = day - self._first[who]
        was = self._priced_before(day, going)[who]
        change = np.log(np.maximum(monthly, 1)) - np.log(np.maximum(was, 1))
        change = np.where(was > 0, np.clip(change, -2.0, 2.0), 0.0)
        terms = np.stack(
            [
                np.log1p(since / MONTH_DAYS), np.log1p(renewals), np.log1p(term), np.minimum(due, 365.0) / 365.0,
                (due <= horizon_days).astype(np.float64), np.log1p(monthly / _YEN), np.maximum(change, 0.0),
                np.maximum(-change, 0.0), np.log(np.maximum(contracts, 1)),
            ]
        )  # fmt: skip
        plan = self._plan[going]
        plans = np.zeros((len(self.plan_names), len(who)), dtype=bool)
        for k, column in enumerate(plans):
            column[:] = np.logical_or.reduceat(plan == k, begins)[chosen]
        felt = self._felt(day, who)
        return State(day, running, who, monthly, since, np.rint(due).astype(np.int64), terms, plans, felt)

    def _priced_before(self, day: int, going: Ints) -> Ints:
        """Hundredths a month, CHANGE_DAYS before, of the contracts with spans `going` on `day`; of all payers."""
        before = day - CHANGE_DAYS
        still = np.zeros(self._contracts, dtype=bool)
        still[self._contract[going]] = True
        # A contract of less than that has no earlier price: its first one serves.
        counted = np.where(self._begun > before, self._is_first, self._on(before)) & still[self._contract]
        was = np.zeros(len(self.payers), dtype=np.int64)
        np.add.at(was, self._payer[counted], self._monthly[counted])
        return was

    def _felt(self, day: int, payers: Ints) -> Flags:
        """Which signals are on at the end of `day`, shape (signals, payers)."""
        cell, start, end = self._spells
        flags = np.zeros(self._codes * len(self.payers), dtype=bool)
        flags[cell[(start <= day) & (day < end)]] = True
        return flags.reshape(self._codes, -1)[:, payers]

    def signal_ages(self, day: int, payers: Ints) -> Ints:
        """Days since the latest interval that is on began, shape (signals, payers); -1 where none is on."""
        who, what, start, end = self._signals
        on = np.flatnonzero((start <= day) & (day < end))
        ages = np.full((self._codes, len(self.payers)), NEVER, dtype=np.int64)
        np.minimum.at(ages, (what[on], who[on]), day - start[on])
        ages[ages == NEVER] = -1
        return ages[:, payers]


def _spells(cell: Ints, start: Ints, end: Ints) -> tuple[Ints, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Intervals [start, end) of the same cell that meet, as one: many days ask for them, so fewer are better."""
    order = order_by(cell, start)
    cell, start, end = cell[order], start[order], end[order]
    # A cell's days lie above all days of the cells before it, so that one running maximum serves all.
    base = cell << 31
    reached = np.maximum.accumulate(base + end)
    begins = np.flatnonzero(np.append(True, (base + start)[1:] > reached[:-1])[: len(cell)])
    latest = np.maximum.reduceat(end, begins) if len(begins) else end
    return cell[begins], start[begins].astype(np.int32), latest.astype(np.int32)


def _common(column: pa.ChunkedArray) -> list[str]:
    """The plans with most spans, by name."""
    counts = pc.value_counts(pc.drop_null(pc.cast(column, pa.string()))).to_pylist()
    most = sorted(counts, key=lambda c: (-c["counts"], c["values"]))[:PLANS]
    return sorted(c["values"] for c in most)
