"""How good probabilities were, against what then happened: order, size, calibration, drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.churn.logistic import fit_logistic
from analytics.ltv.maximise import FitFailed, Floats

Flags = npt.NDArray[np.bool_]
BINS = 10


@dataclass(frozen=True)
class Bin:
    """A tenth of the customers by probability: how many, mean probability, and how many it happened to."""

    customers: int
    predicted: float
    happened: int


@dataclass(frozen=True)
class Verdict:
    """Figures of one judged day; `auc_error` is the standard error of `auc` (Hanley & McNeil 1982).

    slope: of the log-odds against what happened, 1 is right, below 1 the probabilities were too extreme.
    lift: how many times as often it happened in the tenth with the highest probability as in all.
    """

    customers: int
    happened: int
    auc: float
    auc_error: float
    brier: float
    slope: float
    calibration_error: float
    lift: float
    curve: tuple[Bin, ...]


def judge(probability: Floats, happened: Flags) -> Verdict:
    """Compare; raises FitFailed where only one of the two outcomes occurred."""
    count, events = len(happened), int(happened.sum())
    if not 0 < events < count:
        raise FitFailed("only one outcome occurred: nothing can be judged")
    curve = calibration_curve(probability, happened)
    top = _top_tenth(probability)
    area = auc(probability, happened)
    return Verdict(
        customers=count,
        happened=events,
        auc=round(area, 6),
        auc_error=round(_auc_error(area, events, count - events), 6),
        brier=round(float(np.mean((probability - happened) ** 2)), 6),
        slope=round(calibration_slope(probability, happened), 6),
        calibration_error=round(expected_calibration_error(curve), 6),
        lift=round(float(happened[top].mean()) / (events / count), 6),
        curve=curve,
    )


def auc(score: npt.NDArray[Any], happened: Flags) -> float:
    """Chance that one to whom it happened has the higher score (ties count half)."""
    events = int(happened.sum())
    values, which = np.unique(score, return_inverse=True)
    with_it, all_ = (np.bincount(w, minlength=len(values)) for w in (which[happened], which))
    # Ranks of equal scores are their mean, halves at most: the sum is exact.
    ranks = float((with_it * (np.cumsum(all_) - (all_ - 1) / 2)).sum())
    return (ranks - events * (events + 1) / 2) / (events * (len(happened) - events))


def calibration_curve(probability: Floats, happened: Flags, bins: int = BINS) -> tuple[Bin, ...]:
    """Groups of equal size by probability, lowest first; fewer where there are fewer customers."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return tuple(Bin(len(p), round(float(probability[p].mean()), 6), int(happened[p].sum())) for p in parts)


def expected_calibration_error(curve: tuple[Bin, ...]) -> float:
    """Mean distance between predicted and actual share over the groups, weighted by their size."""
    total = sum(b.customers for b in curve)
    return sum(abs(b.predicted * b.customers - b.happened) for b in curve) / total


def calibration_slope(probability: Floats, happened: Flags) -> float:
    """Slope of a logistic regression of the outcome on the log-odds (Cox 1958)."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    odds = np.log(p / (1 - p))
    if float(odds.std()) < 1e-9:
        return 0.0
    return float(fit_logistic(("odds",), odds[:, None], happened, spread=1e3).slope[0])


def drift(before: npt.NDArray[Any], now: npt.NDArray[Any], bins: int = BINS) -> float:
    """Population stability index of one feature between two days: above .25 its distribution is another one.

    Groups are cut at the quantiles of `before`; half a customer is added to each, so that an empty one stays finite.
    """
    if not len(before) or not len(now):
        return 0.0
    edges = np.unique(np.quantile(before.astype(np.float64), np.linspace(0, 1, bins + 1)[1:-1]))
    was, is_now = (c / c.sum() for c in (_by_group(edges, v) + 0.5 for v in (before, now)))
    return round(float(((is_now - was) * np.log(is_now / was)).sum()), 6)


def _by_group(edges: Floats, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    size = len(edges) + 1
    if values.dtype == bool:
        on = int(values.sum())
        where = np.searchsorted(edges, [0.0, 1.0], side="left")
        return np.bincount(where, weights=[len(values) - on, on], minlength=size).astype(np.float64)
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=size).astype(np.float64)


def _top_tenth(probability: Floats) -> npt.NDArray[np.int64]:
    size = max(1, len(probability) // 10)
    top: npt.NDArray[np.int64] = np.argsort(-probability, kind="stable")[:size]
    return top


def _auc_error(area: float, events: int, others: int) -> float:
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (events - 1) * (one - area**2) + (others - 1) * (two - area**2)
    return float(np.sqrt(max(0.0, variance) / (events * others)))
