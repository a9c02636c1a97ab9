"""How well would the forecast have done? Fit on the past without its last weeks, predict them, compare.

The history is cut `holdout_weeks` before its end. What happened up to the cut gives the parameters and the prediction
of what happened after it. A customer who came after the cut is in neither. The naive rival expects everybody to go on
at the rate at which they bought so far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from analytics.churn.frames import Ints, day_number, day_of
from analytics.ltv.bgnbd import PurchaseForecast, fit_bgnbd
from analytics.ltv.gamma_gamma import fit_gamma_gamma
from analytics.ltv.maximise import FitFailed, Floats, TooLittleHistory
from analytics.ltv.outlook import outlook

#: At most half a year is held out: a longer one leaves too little to learn from, and less says little about a year.
LONGEST_WEEKS = 26
SHORTEST_WEEKS = 4
#: The forecast counts as good while it misses the total by less than this, and by less than the naive rate does. The
#: model itself misses CDNOW's 39 weeks by 12 % (Fader, Hardie & Lee 2005, as published), so half of that again passes.
TOLERANCE = 0.25
#: Groups by repeat purchases before the cut; the last one is "so many or more".
GROUPS = ("0", "1", "2", "3", "4", "5", "6", "7 or more")

BACKTEST_SCHEMA = pa.schema([
    ("repeat_purchases", pa.string()), ("calibration_ends_on", pa.date32()), ("holdout_weeks", pa.int64()),
    ("customers", pa.int64()), ("predicted_purchases", pa.float64()), ("actual_purchases", pa.int64()),
    ("naive_purchases", pa.float64()), ("predicted_value", pa.float64()), ("actual_value", pa.float64()),
    ("inside_interval", pa.int64()),
])  # fmt: skip


@dataclass(frozen=True)
class Histories:
    """One element per customer at the cut: repeat purchase days, last and length in weeks, money per purchase day.

    `later` and `later_value` are purchase days and money of the weeks held out.
    """

    x: Floats
    t_x: Floats
    T: Floats
    average: Floats
    later: Ints
    later_value: Floats


@dataclass(frozen=True)
class Backtest:
    """`table`: a row for all customers (`all`) and one per group (BACKTEST_SCHEMA); empty and a reason if refused."""

    table: pa.Table
    reason: str = ""
    note: str = ""

    @property
    def total(self) -> dict[str, float]:
        """The row of all customers."""
        return next(row for row in self.table.to_pylist() if row["repeat_purchases"] == "all")

    @property
    def error(self) -> float:
        """Predicted by actual purchases, less 1."""
        return self.total["predicted_purchases"] / max(self.total["actual_purchases"], 1) - 1

    @property
    def naive_error(self) -> float:
        """The same of the naive rate."""
        return self.total["naive_purchases"] / max(self.total["actual_purchases"], 1) - 1

    @property
    def passed(self) -> bool:
        """Near enough, and nearer than the naive rate; a refusal is no failure."""
        return bool(self.reason) or (abs(self.error) <= TOLERANCE and abs(self.error) <= abs(self.naive_error))


def backtest(
    who: Ints,
    day: Ints,
    money: Floats,
    as_of: date,
    *,
    holdout_weeks: int | None = None,
    leave_after_first: bool = True,
    min_customers: int = 500,
    min_repeaters: int = 50,
) -> Backtest:
    """Judge the forecast on one element per customer code and purchase day (days since 1970-01-01), up to `as_of`.

    Without `holdout_weeks` a third of the history is held out, at most 26 weeks. Refuses (empty table and a reason:
    too_little_history or fit_failed) rather than judging on too little.
    """
    end = day_number(as_of)
    weeks = holdout_weeks or min(LONGEST_WEEKS, (end - int(day.min())) // 21 if len(day) else 0)
    if weeks < SHORTEST_WEEKS:
        return _refused("too_little_history", f"a history in which fewer than {SHORTEST_WEEKS} weeks can be held out")
    cut = end - 7 * weeks
    past = histories_at(who, day, money, cut)
    try:
        model = fit_bgnbd(
            past.x,
            past.t_x,
            past.T,
            min_customers=min_customers,
            min_repeaters=min_repeaters,
            leave_after_first=leave_after_first,
        )
    except TooLittleHistory as short:
        return _refused("too_little_history", f"before {day_of(cut)}: {short}")
    except FitFailed as failed:
        return _refused("fit_failed", str(failed))
    try:
        value = fit_gamma_gamma(past.x + 1, past.average)
    except (TooLittleHistory, FitFailed):
        value = None
    forecast = PurchaseForecast(model, float(weeks))
    mean = math.fsum(past.average * (past.x + 1)) / math.fsum(past.x + 1)
    seen = (past.x, past.t_x, past.T)
    worth = outlook(forecast, value, mean, seen, past.average)
    purchases = forecast.expected(*seen)
    naive = np.where(past.T > 0, past.x / np.where(past.T > 0, past.T, 1.0), 0.0) * weeks
    inside = (past.later_value >= worth.low - 0.005) & (past.later_value <= worth.high + 0.005)
    group = np.minimum(past.x, len(GROUPS) - 1).astype(np.int64)
    rows = []
    for place, name in ((-1, "all"), *enumerate(GROUPS)):
        chosen = group == place if place >= 0 else np.ones(len(group), dtype=bool)
        if not chosen.any():
            continue
        # Sums of floats are rounded once from their exact value, so that the order of customers decides nothing.
        rows.append({
            "repeat_purchases": name,
            "calibration_ends_on": day_of(cut),
            "holdout_weeks": weeks,
            "customers": int(chosen.sum()),
            "predicted_purchases": round(math.fsum(purchases[chosen]), 2),
            "actual_purchases": int(past.later[chosen].sum()),
            "naive_purchases": round(math.fsum(naive[chosen]), 2),
            "predicted_value": round(math.fsum(worth.expected[chosen]), 2),
            "actual_value": round(math.fsum(past.later_value[chosen]), 2),
            "inside_interval": int(inside[chosen].sum()),
        })  # fmt: skip
    return Backtest(pa.Table.from_pylist(rows, schema=BACKTEST_SCHEMA))


def histories_at(who: Ints, day: Ints, money: Floats, cut: int) -> Histories:
    """What was known at the end of day `cut` of those who had bought by then, and what they did afterwards."""
    size = int(who.max()) + 1 if len(who) else 0
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first, who, day)
    last, days, later = (np.zeros(size, dtype=np.int64) for _ in range(3))
    before = day <= cut
    np.maximum.at(last, who[before], day[before])
    np.add.at(days, who[before], 1)
    np.add.at(later, who[~before], 1)
    # Hundredths are whole numbers: their sums do not depend on the order.
    cents = np.rint(money * 100).astype(np.int64)
    spent, spent_later = (np.zeros(size, dtype=np.int64) for _ in range(2))
    np.add.at(spent, who[before], cents[before])
    np.add.at(spent_later, who[~before], cents[~before])
    known = (first <= cut) & (days > 0)
    return Histories(
        x=(days[known] - 1).astype(np.float64),
        t_x=(last[known] - first[known]) / 7.0,
        T=(cut - first[known]) / 7.0,
        average=spent[known] / (100.0 * days[known]),
        later=later[known],
        later_value=spent_later[known] / 100.0,
    )


def _refused(reason: str, note: str) -> Backtest:
    return Backtest(BACKTEST_SCHEMA.empty_table(), reason, note)
