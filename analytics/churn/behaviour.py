"""How somebody buys, as columns of a regression: recency, frequency, tenure, trend and money as of a day.

The columns are those in which the log-odds of silence are nearly a straight line when people buy at their own pace and
leave at some purchase (the forms of BG/NBD; Fader, Hardie & Lee 2005): how many purchases the silence is worth at the
customer's own pace, and how many the horizon should bring.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analytics.churn.timeline import Purchases
from analytics.ltv.maximise import Floats

NAMES = (
    "silence", "purchases", "tenure", "missed", "due", "log_due", "once", "silence_once", "overdue", "recent", "before",
    "money",
)  # fmt: skip

# Days; a company where nobody has come back yet, and the least that a pace can be.
_USUAL_PACE, _LEAST_PACE = 60.0, 7.0
_MOST_OVERDUE = 20.0
_LONG = 1e4


def pace_of(purchases: Purchases, chosen: npt.NDArray[np.bool_]) -> float:
    """Median gap between purchases, in days, of those who came back: the unit of everybody's own pace."""
    again = chosen & (purchases.purchase_days > 1)
    if not again.any():
        return _USUAL_PACE
    gaps = (purchases.last[again] - purchases.first[again]) / (purchases.purchase_days[again] - 1)
    return max(_LEAST_PACE, round(float(np.median(gaps)), 6))


def behaviour(purchases: Purchases, chosen: npt.NDArray[np.bool_], pace: float, horizon_days: int) -> Floats:
    """Columns `NAMES` of the chosen customers, all of whom have bought; shape (customers, columns)."""
    bought = purchases.purchase_days[chosen].astype(np.float64)
    age = (purchases.day - purchases.first[chosen]).astype(np.float64)
    silent = (purchases.day - purchases.last[chosen]).astype(np.float64)
    span = age - silent
    due = bought * np.log1p(horizon_days / (pace + age))
    once = (bought == 1).astype(np.float64)
    columns = (
        np.log1p(silent),
        np.log(bought),
        np.log1p(age),
        bought * np.log((age + pace) / (span + pace)),
        due,
        np.log(due),
        once,
        once * np.log1p(silent),
        np.minimum(silent * bought / (span + pace), _MOST_OVERDUE),
        purchases.recent[chosen].astype(np.float64),
        purchases.before[chosen].astype(np.float64),
        np.log1p(np.clip(purchases.average(chosen), 0.0, None) / _LONG),
    )
    return np.stack(columns).T
