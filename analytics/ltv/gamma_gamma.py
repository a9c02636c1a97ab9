"""Gamma-Gamma: what a customer's purchase is worth on average, drawn towards everybody's where little is known.

Source: Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value", note 025. Purchases of one customer vary
as Gamma(p, nu) around a mean of their own, nu ~ Gamma(q, v). Assumes that value and frequency are unrelated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.ltv.maximise import WEAK_PRIOR, Floats, Prior, TooLittleHistory, maximise

# Logarithms of p, q - 1 and v: with q <= 1 the mean over customers does not exist.
_START = np.log(np.array([2.0, 2.0, 1.0]))


@dataclass(frozen=True)
class GammaGamma:
    """Fitted parameters; v is in the money of the input. `log_likelihood` is the data's own, without the prior."""

    p: float
    q: float
    v: float
    log_likelihood: float = float("nan")
    customers: int = 0

    @property
    def mean(self) -> float:
        """Expected value of a purchase of somebody of whom nothing is known."""
        return self.p * self.v / (self.q - 1)

    def expected_average_value(self, purchases: npt.ArrayLike, average: npt.ArrayLike) -> Floats:
        """Expected value per future purchase. Without purchases or with a value of 0 or less: everybody's mean."""
        n, m = np.asarray(purchases, dtype=np.float64), np.asarray(average, dtype=np.float64)
        known = (n > 0) & (m > 0)
        n, m = np.where(known, n, 0.0), np.where(known, m, 0.0)
        expected: Floats = self.p * (self.v + n * m) / (self.p * n + self.q - 1)
        return expected


def fit_gamma_gamma(
    purchases: npt.ArrayLike,
    average: npt.ArrayLike,
    *,
    prior: Prior | None = WEAK_PRIOR,
    min_customers: int = 100,
) -> GammaGamma:
    """Maximum-likelihood fit on customers with purchases > 0 and average value > 0; the others stay out.

    Raises TooLittleHistory below `min_customers` such customers, FitFailed when the optimiser gives up.
    """
    from scipy.special import gammaln, psi

    n, m = np.asarray(purchases, dtype=np.float64), np.asarray(average, dtype=np.float64)
    if n.shape != m.shape or n.ndim != 1:
        raise ValueError(f"purchases and average must be one-dimensional and equally long, not {n.shape}, {m.shape}")
    usable = (n > 0) & (m > 0)
    n, m = n[usable], m[usable]
    if len(n) < min_customers:
        raise TooLittleHistory(len(n), min_customers, int(np.sum(n > 1)), 0)
    order = np.lexsort((m, n))
    n, m = n[order], m[order]
    unit = float(np.mean(m))
    m = m / unit
    distinct, which = np.unique(n, return_inverse=True)
    many = np.bincount(which).astype(np.float64)
    log_m, log_nm, nm = np.log(m), np.log(n) + np.log(m), n * m
    sum_log_m = float(np.sum(log_m))

    def likelihood(theta: Floats) -> tuple[float, Floats]:
        p, q, v = _parameters(theta)
        shape = p * n
        log_sum = np.log(v + nm)
        by_n = gammaln(p * distinct + q) - gammaln(p * distinct) - gammaln(q)
        value = float(
            np.sum(many * by_n) + len(n) * q * np.log(v) - sum_log_m + np.sum(shape * log_nm - (shape + q) * log_sum)
        )
        both = psi(p * distinct + q)
        slope = np.array([
            np.sum(many * distinct * (both - psi(p * distinct))) + np.sum(n * (log_nm - log_sum)),
            np.sum(many * (both - psi(q))) + len(n) * np.log(v) - np.sum(log_sum),
            len(n) * q / v - np.sum((shape + q) / (v + nm)),
        ])  # fmt: skip
        return value, slope * np.array([p, q - 1, v])

    theta = maximise(likelihood, _START, len(n), prior)
    p, q, v = _parameters(theta)
    own = likelihood(theta)[0] - len(n) * float(np.log(unit))
    return GammaGamma(p, q, v * unit, own, len(n))


def _parameters(theta: Floats) -> tuple[float, float, float]:
    p, above_one, v = (float(t) for t in np.exp(theta))
    return p, 1 + above_one, v
