"""Logistic regression with a prior per coefficient: what is believed until the data says otherwise.

The penalised likelihood is maximised by Newton's method (Gaussian priors; Gelman et al. 2008 argue for weak ones on
standardised inputs). Classes are never reweighted: that would ruin calibration. A coefficient with a prior mean starts
as a judgement and ends, with enough labels, as an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.ltv.maximise import FitFailed, Floats

_STEPS = 50
_TOLERANCE = 1e-9
# Digits kept of coefficients: more than any probability shows, less than the last bits of a sum.
_DIGITS = 9


@dataclass(frozen=True)
class Logistic:
    """log-odds = intercept + sum of slope x (value - centre); slopes are per unit of the column."""

    names: tuple[str, ...]
    centre: Floats
    slope: Floats
    intercept: float

    def contributions(self, values: Floats) -> Floats:
        """What each column adds to the log-odds against the average row, shape of `values`; exact."""
        parts: Floats = (values - self.centre) * self.slope
        return parts

    def log_odds(self, values: Floats) -> Floats:
        """Log-odds of the rows of `values`, shape (rows, columns)."""
        total: Floats = self.intercept + self.contributions(values).sum(axis=1)
        return total

    def probability(self, values: Floats) -> Floats:
        """Probability of the rows of `values`."""
        from scipy.special import expit

        result: Floats = expit(self.log_odds(values))
        return result


@dataclass(frozen=True)
class Belief:
    """What is thought of a column's slope before any label: `mean` in log-odds per unit, `sd` how firmly."""

    mean: float
    sd: float


def fit_logistic(
    names: Sequence[str],
    values: Floats,
    happened: npt.NDArray[np.bool_],
    *,
    beliefs: dict[str, Belief] | None = None,
    spread: float = 3.0,
) -> Logistic:
    """Fit `happened` on `values` (rows, columns in the order of `names`).

    Columns without a belief get a prior of mean 0 and `spread` log-odds per standard deviation of the column.
    A column that never varies keeps its belief, or 0. Raises FitFailed when there is only one class or no maximum.
    """
    y = happened.astype(np.float64)
    if not 0 < y.sum() < len(y):
        raise FitFailed("all labels are the same: nothing can be learnt from them")
    held = beliefs or {}
    centre, scale = values.mean(axis=0).round(_DIGITS), values.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    design = np.concatenate([np.ones((len(y), 1)), (values - centre) / scale], axis=1)
    mean, precision = np.zeros(design.shape[1]), np.zeros(design.shape[1])
    for k, name in enumerate(names, 1):
        belief = held.get(name, Belief(0.0, spread / float(scale[k - 1])))
        mean[k] = belief.mean * scale[k - 1]
        precision[k] = 1.0 / (belief.sd * scale[k - 1]) ** 2
    weights = _maximum(design, y, mean, precision)
    return Logistic(tuple(names), centre, (weights[1:] / scale).round(_DIGITS), round(float(weights[0]), _DIGITS))


def _maximum(design: Floats, y: Floats, mean: Floats, precision: Floats) -> Floats:
    from scipy.special import expit

    weights = mean.copy()
    share = float(y.mean())
    weights[0] = np.log(share / (1 - share)) if not mean[1:].any() else 0.0
    value = _loss(design, y, weights, mean, precision)
    for _ in range(_STEPS):
        p = expit(design @ weights)
        slope = design.T @ (p - y) + precision * (weights - mean)
        curve = (design * (p * (1 - p))[:, None]).T @ design + np.diag(precision + 1e-9)
        step = np.linalg.solve(curve, slope)
        # Newton overshoots where probabilities are near 0 and 1: halve until the loss falls.
        for _ in range(20):
            tried = weights - step
            now = _loss(design, y, tried, mean, precision)
            if now <= value + 1e-12 * abs(value):
                break
            step = step / 2
        weights, value = tried, now
        if float(np.abs(step).max()) < _TOLERANCE:
            return weights
    raise FitFailed(f"no maximum within {_STEPS} steps of Newton's method")


def _loss(design: Floats, y: Floats, weights: Floats, mean: Floats, precision: Floats) -> float:
    linear = design @ weights
    return float(np.logaddexp(0.0, linear).sum() - y @ linear + 0.5 * (precision * (weights - mean) ** 2).sum())
