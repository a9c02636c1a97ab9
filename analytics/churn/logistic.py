"""Logistic regression with a prior per coefficient: what is believed until the data says otherwise.

The penalised likelihood is maximised by Newton's method (Gaussian priors; Gelman et al. 2008 argue for weak ones on
standardised inputs). Classes are never reweighted: that would ruin calibration. A coefficient with a prior mean starts
as a judgement and ends, with enough labels, as an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.ltv.maximise import FitFailed, Floats

#: One array per column, numbers or flags; the transpose of an array of shape (rows, columns) serves too.
Columns = Sequence[npt.NDArray[Any]] | Floats

_STEPS = 50
_TOLERANCE = 1e-9
# Digits kept of coefficients: more than any probability shows, less than the last bits of a sum.
_DIGITS = 9
# Rows of a block that fits into the processor's cache: whole arrays of 240,000 rows cost twice the time and more.
_BLOCK = 2048
# From so many rows on every _PART-th alone looks for the maximum first, until its steps are that small.
_LARGE, _PART, _NEAR = 20_000, 8, 1e-3
# Steps (log-odds per standard deviation) below which the curvature is kept.
_SETTLED = 1e-3


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

    def log_odds(self, columns: Columns) -> Floats:
        """Log-odds of rows that are given column by column, in the order of `names`."""
        odds = np.full(len(columns[0]), self.intercept - float(np.sum(self.centre * self.slope)))
        for column, slope in zip(columns, self.slope, strict=True):
            odds += slope * column
        return odds

    def probability(self, columns: Columns) -> Floats:
        """Probability of the rows of `columns`."""
        from scipy.special import expit

        result: Floats = expit(self.log_odds(columns))
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
    design = np.empty((len(y), values.shape[1] + 1))
    design[:, 0] = 1.0
    np.subtract(values, centre, out=design[:, 1:])
    design[:, 1:] /= scale
    mean, precision = np.zeros(design.shape[1]), np.zeros(design.shape[1])
    for k, name in enumerate(names, 1):
        belief = held.get(name, Belief(0.0, spread / float(scale[k - 1])))
        mean[k] = belief.mean * scale[k - 1]
        precision[k] = 1.0 / (belief.sd * scale[k - 1]) ** 2
    weights = _maximum(design, y, mean, precision)
    return Logistic(tuple(names), centre, (weights[1:] / scale).round(_DIGITS), round(float(weights[0]), _DIGITS))


def _maximum(design: Floats, y: Floats, mean: Floats, precision: Floats) -> Floats:
    weights = mean.copy()
    share = float(y.mean())
    weights[0] = np.log(share / (1 - share)) if not mean[1:].any() else 0.0
    if len(y) >= _LARGE:
        # A part of the rows comes near the maximum for a part of the price; where it is found nothing depends on that.
        near, found = _newton(design[::_PART], y[::_PART], weights, mean, precision / _PART, _NEAR)
        weights = near if found else weights
    weights, found = _newton(design, y, weights, mean, precision, _TOLERANCE)
    if not found:
        raise FitFailed(f"no maximum within {_STEPS} steps of Newton's method")
    return weights


def _newton(
    design: Floats, y: Floats, weights: Floats, mean: Floats, precision: Floats, tolerance: float
) -> tuple[Floats, bool]:
    """(weights, whether the last step was smaller than `tolerance`)."""
    prior = np.diag(precision + 1e-9)
    value, slope, curve = _loss(design, y, weights, mean, precision, bends=True)
    for _ in range(_STEPS):
        step = np.linalg.solve(curve + prior, slope)
        # Newton overshoots where probabilities are near 0 and 1: halve until the loss falls.
        for _ in range(20):
            # So near the maximum the curvature no longer changes: that of the step before serves.
            bends = float(np.abs(step).max()) > _SETTLED
            now, leaning, bent = _loss(design, y, weights - step, mean, precision, bends=bends)
            if now <= value + 1e-12 * abs(value):
                break
            step = step / 2
        weights, value, slope = weights - step, now, leaning
        curve = bent if bends else curve
        if float(np.abs(step).max()) < tolerance:
            return weights, True
    return weights, False


def _loss(
    design: Floats, y: Floats, weights: Floats, mean: Floats, precision: Floats, *, bends: bool
) -> tuple[float, Floats, Floats]:
    """Penalised loss, its slope, and where `bends` the curvature of the data's part; read once, block by block."""
    away = weights - mean
    loss, slope = 0.5 * float((precision * away**2).sum()), precision * away
    curve = np.zeros((design.shape[1], design.shape[1]))
    for start in range(0, len(y), _BLOCK):
        rows, happened = design[start : start + _BLOCK], y[start : start + _BLOCK]
        linear = rows @ weights
        small = np.exp(-np.abs(linear))
        loss += float(np.maximum(linear, 0.0).sum() + np.log1p(small).sum() - happened @ linear)
        p = np.where(linear >= 0, 1.0, small) / (1.0 + small)
        slope += (p - happened) @ rows
        if bends:
            leaned = rows * np.sqrt(p * (1 - p))[:, None]
            curve += leaned.T @ leaned
    return loss, slope, curve
