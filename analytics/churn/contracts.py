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

from analytics.churn.frames import NEVER, Ints, codes_in, days_of, hundredths_of, need_columns, numbers_of

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
#: Plans beyond so many are too small to learn from; they count as no plan.
PLANS = 12
SPANS = ("payer", "contract_id", "plan", "from_on", "until_on", "cancelled_on", "ended_on", "term_months", "monthly")
_YEN = 100.0


@dataclass(frozen=True)
class State:
    """All payers at the end of one day, one element per payer.

    running: some contract runs; kept: one runs whose end is not declared. monthly: hundredths a month of the kept ones.
    since: days since the payer first paid; due: days until the nearest renewal (of the kept contracts).
    """

    day: int
    running: Flags
    kept: Flags
    monthly: Ints
    since: Ints
    due: Ints
    terms: Floats
    plans: Flags
    signals: Flags
    ages: Ints

    def values(self, plans: Sequence[int]) -> Floats:
        """Columns TERMS, the chosen plans, the signals; shape (payers, columns)."""
        return np.concatenate([self.terms, self.plans[list(plans)].T, self.signals.T], axis=1)


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
        self._contract = codes_in(spans["contract_id"], contracts)
        self._from, self._until = days_of(spans["from_on"]), days_of(spans["until_on"])
        self._monthly = hundredths_of(spans["monthly"])
        # Of a contract as a whole.
        size = len(contracts)
        self._begun = np.full(size, NEVER, dtype=np.int64)
        np.minimum.at(self._begun, self._contract, self._from)
        declared = np.minimum(days_of(spans["cancelled_on"]), days_of(spans["ended_on"]))
        self._stop = np.full(size, NEVER, dtype=np.int64)
        np.minimum.at(self._stop, self._contract, declared)
        self._term = np.zeros(size)
        self._term[self._contract] = np.maximum(np.nan_to_num(numbers_of(spans, "term_months"), nan=1.0), 1 / 31)
        self.plan_names = _common(spans["plan"])
        self._plan = np.full(size, -1, dtype=np.int64)
        self._plan[self._contract] = codes_in(spans["plan"], pa.array(self.plan_names, pa.string()))
        self._first = np.full(len(self.payers), NEVER, dtype=np.int64)
        np.minimum.at(self._first, self._payer, self._from)
        what = codes_in(signals["signal"], pa.array(list(codes), pa.string()))
        if (what < 0).any():
            unknown = sorted(set(signals["signal"].to_pylist()) - set(codes))
            raise ValueError(f"signals without a weight: {', '.join(unknown)}; weights exist for {', '.join(codes)}")
        who = codes_in(signals["payer"], self.payers)
        mine = who >= 0
        self._signals = (
            who[mine], what[mine], days_of(signals["start_on"])[mine], days_of(signals["end_on"])[mine]
        )  # fmt: skip
        self._codes = len(codes)

    def _on(self, day: int) -> Flags:
        on: Flags = (self._from <= day) & (day < self._until)
        return on

    def kept(self, day: int) -> Flags:
        """Payers with a contract that runs at the end of `day` and whose end has not been declared."""
        found = np.zeros(len(self.payers), dtype=bool)
        found[self._payer[self._on(day) & (day < self._stop[self._contract])]] = True
        return found

    def at(self, day: int, horizon_days: int) -> State:
        """Everything known at the end of `day`; of payers who are not kept the columns mean nothing."""
        size = len(self.payers)
        on = self._on(day)
        going = on & (day < self._stop[self._contract])
        who, contract = self._payer[going], self._contract[going]
        running, kept = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
        running[self._payer[on]], kept[who] = True, True
        monthly, contracts = np.zeros(size, dtype=np.int64), np.bincount(who, minlength=size)
        np.add.at(monthly, who, self._monthly[going])
        period = self._term[contract] * MONTH_DAYS
        elapsed = (day - self._begun[contract]).astype(np.float64)
        done = np.floor(elapsed / period)
        due, term, renewals = np.full(size, np.inf), np.zeros(size), np.zeros(size)
        np.minimum.at(due, who, period * (done + 1) - elapsed)
        np.maximum.at(term, who, self._term[contract])
        np.maximum.at(renewals, who, done)
        due = np.where(kept, due, 0.0)
        since = np.where(kept, day - self._first, 0)
        was = self._priced_before(day)
        change = np.log(np.maximum(monthly, 1)) - np.log(np.maximum(was, 1))
        change = np.where((was > 0) & kept, np.clip(change, -2.0, 2.0), 0.0)
        terms = np.stack(
            [
                np.log1p(since / MONTH_DAYS), np.log1p(renewals), np.log1p(term), np.minimum(due, 365.0) / 365.0,
                (due <= horizon_days).astype(np.float64), np.log1p(monthly / _YEN), np.maximum(change, 0.0),
                np.maximum(-change, 0.0), np.log(np.maximum(contracts, 1)),
            ],
            axis=1,
        )  # fmt: skip
        plans = np.zeros((len(self.plan_names), size), dtype=bool)
        named = self._plan[contract] >= 0
        plans[self._plan[contract][named], who[named]] = True
        signals, ages = self._signals_on(day)
        return State(day, running, kept, monthly, since, np.rint(due).astype(np.int64), terms, plans, signals, ages)

    def _priced_before(self, day: int) -> Ints:
        """Hundredths a month, CHANGE_DAYS before, of the contracts that still ran at the end of `day`."""
        before = day - CHANGE_DAYS
        still = np.zeros(len(self._stop), dtype=bool)
        still[self._contract[self._on(day) & (day < self._stop[self._contract])]] = True
        chosen = self._on(before) & still[self._contract]
        was = np.zeros(len(self.payers), dtype=np.int64)
        np.add.at(was, self._payer[chosen], self._monthly[chosen])
        # A contract of less than that has no earlier price: its first one serves.
        young = still & (self._begun > before)
        first = self._from == self._begun[self._contract]
        chosen = first & young[self._contract]
        np.add.at(was, self._payer[chosen], self._monthly[chosen])
        return was

    def _signals_on(self, day: int) -> tuple[Flags, Ints]:
        who, what, start, end = self._signals
        on = (start <= day) & (day < end)
        flags = np.zeros((self._codes, len(self.payers)), dtype=bool)
        flags[what[on], who[on]] = True
        ages = np.full(flags.shape, NEVER, dtype=np.int64)
        np.minimum.at(ages, (what[on], who[on]), day - start[on])
        ages[ages == NEVER] = -1
        return flags, ages


def _common(column: pa.ChunkedArray) -> list[str]:
    """The plans with most spans, by name."""
    counts = pc.value_counts(pc.drop_null(pc.cast(column, pa.string()))).to_pylist()
    most = sorted(counts, key=lambda c: (-c["counts"], c["values"]))[:PLANS]
    return sorted(c["values"] for c in most)
