"""What was known of every customer at the end of a day, moved forward day by day.

One pass over time: every fact is applied once, on its own day. The state of a day therefore cannot contain
anything later, and computing one more day costs the facts of that day, not the history again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analytics.churn.frames import NEVER, Ints, codes_in, days_of, hundredths_of, ids_of, need_columns, order_by

TREND_DAYS = 90


@dataclass(frozen=True)
class Purchases:
    """Purchase histories at the end of one day, one element per customer (0 purchase days: never bought).

    A purchase is a day with at least one counted order. x, t_x, T as in BG/NBD, times in weeks.
    """

    purchase_days: Ints
    first: Ints
    last: Ints
    hundredths: Ints
    day: int
    # Purchase days of the last 90 days, and of the 90 before those.
    recent: Ints
    before: Ints

    def active(self, days: int) -> npt.NDArray[np.bool_]:
        """Who bought within the last `days` days."""
        on: npt.NDArray[np.bool_] = self.bought & (self.day - self.last < days)
        return on

    def of(self, customers: Ints) -> Purchases:
        """The same day, of the customers at these positions."""
        return Purchases(
            self.purchase_days[customers], self.first[customers], self.last[customers], self.hundredths[customers],
            self.day, self.recent[customers], self.before[customers],
        )  # fmt: skip

    @property
    def bought(self) -> npt.NDArray[np.bool_]:
        return self.purchase_days > 0

    def histories(self, chosen: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], ...]:
        """(x, t_x, T) of the chosen customers, all of whom have bought."""
        first = self.first[chosen]
        return (
            (self.purchase_days[chosen] - 1).astype(np.float64),
            (self.last[chosen] - first) / 7.0,
            (self.day - first) / 7.0,
        )

    def average(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Net value per purchase day of the chosen customers, refunds of up to this day taken off."""
        average: npt.NDArray[np.float64] = self.hundredths[chosen] / (100.0 * self.purchase_days[chosen])
        return average


class _Events:
    """Facts sorted by day, handed out once each as time passes."""

    def __init__(self, day: Ints, *columns: Ints) -> None:
        self._day, self._columns = day, list(columns)
        if (day[1:] < day[:-1]).any():
            order = order_by(np.minimum(day, int(np.max(day, where=day < NEVER, initial=0)) + 1))
            self._day = day[order]
            self._columns = [c[order] for c in columns]
        self._next = 0

    def until(self, day: int) -> list[Ints]:
        """Columns of the facts not handed out yet with a day <= `day`."""
        stop = int(np.searchsorted(self._day, day, side="right"))
        block = [c[self._next : stop] for c in self._columns]
        self._next = max(self._next, stop)
        return block


class Timeline:
    """The state of all customers; `advance` moves it forward, never back."""

    def __init__(
        self,
        customers: pa.Array,
        orders: pa.Table,
        signals: pa.Table,
        refunds: pa.Table | None,
        codes: Sequence[str],
    ) -> None:
        """`customers` decides who is judged; facts of others, or of nobody, stay out. Columns: see `assess`.

        Raises ValueError on a missing column or a signal without a weight.
        """
        self.customers = len(customers)
        need_columns("orders", orders, ("customer_id", "ordered_on", "amount"))
        need_columns("signals", signals, ("customer_id", "signal", "start_on", "end_on"))
        facts = [orders, signals] if refunds is None else [orders, signals, refunds]
        _, (_, *found) = ids_of(customers, *(table["customer_id"] for table in facts))
        # The customers come first and each once, so their numbers are their positions; others have higher ones.
        ordering, felt, *refunded = (np.where(code < self.customers, code, -1) for code in found)
        day, who, money = _purchase_days(ordering, orders)
        self._orders = _Events(day, who, day, money)
        # A purchase is recent for 90 days and before for 90 more.
        self._aging = (_Events(day + TREND_DAYS, who), _Events(day + 2 * TREND_DAYS, who))
        self._refunds = _refunds(refunded[0] if refunded else None, refunds)
        cell, start, end = _signals(felt, self.customers, signals, codes)
        self._intervals = (cell, start, end)
        self._starts, self._ends = _Events(start, cell), _Events(end, cell)
        self._active = np.zeros((len(codes), self.customers), dtype=np.int16)
        self._purchase_days = np.zeros(self.customers, dtype=np.int64)
        self._first = np.full(self.customers, NEVER, dtype=np.int64)
        self._last = np.zeros(self.customers, dtype=np.int64)
        self._hundredths = np.zeros(self.customers, dtype=np.int64)
        self._recent = np.zeros(self.customers, dtype=np.int64)
        self._before = np.zeros(self.customers, dtype=np.int64)
        self.day = -NEVER

    def advance(self, day: int) -> None:
        """Apply everything up to the end of `day`."""
        if day < self.day:
            raise ValueError(f"time does not run backwards: {day} after {self.day}")
        who, on, money = self._orders.until(day)
        np.add.at(self._purchase_days, who, 1)
        np.minimum.at(self._first, who, on)
        np.maximum.at(self._last, who, on)
        np.add.at(self._hundredths, who, money)
        np.add.at(self._recent, who, 1)
        (older,), (oldest,) = (events.until(day) for events in self._aging)
        np.subtract.at(self._recent, older, 1)
        np.add.at(self._before, older, 1)
        np.subtract.at(self._before, oldest, 1)
        who, money = self._refunds.until(day)
        np.subtract.at(self._hundredths, who, money)
        for events, step in ((self._starts, 1), (self._ends, -1)):
            (cell,) = events.until(day)
            np.add.at(self._active.reshape(-1), cell, np.int16(step))
        self.day = day

    def purchases(self, *, copied: bool = True) -> Purchases:
        """The purchase state; not `copied`, it holds until the next `advance` only."""
        now = (self._purchase_days, self._first, self._last, self._hundredths, self._recent, self._before)
        bought, first, last, hundredths, recent, before = (part.copy() for part in now) if copied else now
        return Purchases(bought, first, last, hundredths, self.day, recent, before)

    def signals(self, chosen: Ints | None = None) -> npt.NDArray[np.bool_]:
        """Which signals are on, of all customers or of those at the chosen positions; shape (signals, customers)."""
        active: npt.NDArray[np.bool_] = (self._active if chosen is None else self._active[:, chosen]) > 0
        return active

    def signal_ages(self) -> Ints:
        """Days since the latest interval that is on began, shape (signals, customers); -1 where none is on."""
        cell, start, end = self._intervals
        on = np.flatnonzero((start <= self.day) & (self.day < end))
        latest = np.full(self._active.size, NEVER, dtype=np.int64)
        np.minimum.at(latest, cell[on], self.day - start[on])
        latest[latest == NEVER] = -1
        return latest.reshape(self._active.shape)


def _purchase_days(who: Ints, orders: pa.Table) -> tuple[Ints, Ints, Ints]:
    day, money = days_of(orders["ordered_on"]), hundredths_of(orders["amount"])
    usable = (who >= 0) & (day < NEVER)
    who, day, money = who[usable], day[usable], money[usable]
    order = order_by(day, who)
    day, who, money = day[order], who[order], money[order]
    begins = np.flatnonzero(np.append(True, (day[1:] != day[:-1]) | (who[1:] != who[:-1]))[: len(day)])
    total = np.add.reduceat(money, begins) if len(begins) else money
    return day[begins], who[begins], total


def _refunds(who: Ints | None, refunds: pa.Table | None) -> _Events:
    nothing = np.zeros(0, dtype=np.int64)
    if refunds is None or who is None:
        return _Events(nothing, nothing, nothing)
    need_columns("refunds", refunds, ("customer_id", "refunded_on", "amount"))
    day = days_of(refunds["refunded_on"])
    usable = (who >= 0) & (day < NEVER)
    return _Events(day[usable], who[usable], hundredths_of(refunds["amount"])[usable])


def _signals(who: Ints, customers: int, signals: pa.Table, codes: Sequence[str]) -> tuple[Ints, Ints, Ints]:
    """(cell in an array of shape (codes, customers), start, end) of each interval of a customer."""
    what = codes_in(signals["signal"], pa.array(list(codes), pa.string()))
    if (what < 0).any():
        unknown = sorted({str(s) for s in signals["signal"].to_pylist() if s not in set(codes)})
        raise ValueError(f"signals without a weight: {', '.join(unknown)}; weights exist for {', '.join(codes)}")
    start, end = days_of(signals["start_on"]), days_of(signals["end_on"])
    usable = np.flatnonzero((who >= 0) & (start < end))
    return what[usable] * customers + who[usable], start[usable], end[usable]
