"""BG/NBD: how often a customer buys while active, and after which purchase they leave.

Source: Fader, Hardie & Lee 2005, "Counting Your Customers the Easy Way", Marketing Science 24:2. A customer
buys at rate lambda ~ Gamma(r, alpha) and leaves after any repeat purchase with probability p ~ Beta(a, b).

Each customer is three numbers: x repeat purchases (one per day at most), t_x the time from the first to the
last purchase, T the time from the first purchase to the end of observation. Every time is in weeks.

In the paper's model nobody can leave before a second purchase, so a buyer of one order long ago counts as
alive for ever. `leave_after_first=True` lets the first purchase be the last one too (the MBG/NBD of Batislam,
Denizel & Filiztekin 2007): the same formulas with n = x + 1 chances to leave instead of n = x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.ltv.maximise import WEAK_PRIOR, Floats, Prior, TooLittleHistory, maximise

# Start of every fit (r, alpha, a, b; time in units of mean T). Always the same: a warm start would make the
# parameters of a day depend on which days were computed before it.
_START = np.log(np.array([0.5, 0.3, 0.8, 2.0]))
# Quadrature nodes: 32 give 9 digits while horizon / (alpha + T) stays below 50, beyond that it takes more.
_NODES, _NODES_WIDE, _WIDE = 32, 128, 50.0
# Histories of a block whose columns fit into the processor's cache.
_BLOCK = 8192
# A function of p, r + x and tau, each of the shape of the customers.
GivenP = Callable[[Floats, Floats, Floats], Floats]


class Collapsed(NamedTuple):
    """Equal (x, t_x, T) counted once: most customers of a large company share theirs with others."""

    x: Floats
    t_x: Floats
    T: Floats
    customers: Floats


def collapse(x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Collapsed:
    """Distinct histories in sorted order with their number of customers; the order of the input does not matter.

    ValueError where a history is impossible (negative, t_x > T, a last repeat purchase without repeat purchase).
    """
    xs, txs, ts = (np.asarray(v, dtype=np.float64) for v in (x, t_x, T))
    if not xs.shape == txs.shape == ts.shape or xs.ndim != 1:
        raise ValueError(
            f"x, t_x and T must be one-dimensional and equally long, not {xs.shape}, {txs.shape}, {ts.shape}"
        )
    bad = ~((xs >= 0) & (txs >= 0) & (txs <= ts) & ((xs > 0) | (txs == 0)) & np.isfinite(ts) & (xs == np.floor(xs)))
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(f"{int(bad.sum())} impossible histories, the first: x={xs[at]}, t_x={txs[at]}, T={ts[at]}")
    # Ranks stand for the values: one whole number per history is sorted faster than three keys are.
    (some, of_x), (lasts, of_last), (ends, of_end) = (np.unique(v, return_inverse=True) for v in (xs, txs, ts))
    if len(some) * len(lasts) * len(ends) < 2**63:
        cells, many = np.unique((of_x * len(lasts) + of_last) * len(ends) + of_end, return_counts=True)
        both, end = np.divmod(cells, max(1, len(ends)))
        return Collapsed(
            some[both // max(1, len(lasts))], lasts[both % max(1, len(lasts))], ends[end], many.astype(np.float64)
        )
    order = np.lexsort((ts, txs, xs))
    xs, txs, ts = xs[order], txs[order], ts[order]
    first = np.ones(len(xs), dtype=bool)
    first[1:] = (np.diff(xs) != 0) | (np.diff(txs) != 0) | (np.diff(ts) != 0)
    starts = np.flatnonzero(first)
    counts = np.diff(np.append(starts, len(xs))).astype(np.float64)
    return Collapsed(xs[starts], txs[starts], ts[starts], counts)


@dataclass(frozen=True)
class BgNbd:
    """Fitted parameters. alpha is in weeks; `log_likelihood` is the data's own, without the prior."""

    r: float
    alpha: float
    a: float
    b: float
    leave_after_first: bool = False
    log_likelihood: float = float("nan")
    customers: int = 0

    def log_odds_gone(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Floats:
        """log((1 - P(alive)) / P(alive)), exact where P(alive) would round to 0 or 1; -inf for certainly alive."""
        xs, txs, ts = (np.asarray(v, dtype=np.float64) for v in (x, t_x, T))
        n = xs + self.leave_after_first
        may_be_gone = n > 0
        last_chance = np.where(may_be_gone, self.b + n - 1, 1.0)
        odds = (
            np.log(self.a) - np.log(last_chance) + (self.r + xs) * (np.log(self.alpha + ts) - np.log(self.alpha + txs))
        )
        result: Floats = np.where(may_be_gone, odds, -np.inf)
        return result

    def p_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Floats:
        """P(alive at T | history), the paper's closed form."""
        from scipy.special import expit

        alive: Floats = expit(-self.log_odds_gone(x, t_x, T))
        return alive

    def expected_purchases(self, horizon: float, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Floats:
        """Expected purchases in the next `horizon` weeks given the history (equation 10 of the paper)."""
        return PurchaseForecast(self, horizon).expected(x, t_x, T)


@dataclass(frozen=True)
class PurchaseForecast:
    """Expected purchases over one horizon (weeks); keeps its quadrature nodes over many calls.

    E = P(alive) * integral over p of (1 - (1 + p * horizon / (alpha + T))^-(r + x)) / p under Beta(a, b + n).
    The paper's closed form of it needs 2F1, which overflows near x = 1,000, and divides by a - 1. Gauss-Jacobi
    nodes of that Beta weight give the same number without either.
    """

    model: BgNbd
    horizon: float
    _rules: dict[tuple[int, int], tuple[Floats, Floats]] = field(default_factory=dict, repr=False, compare=False)

    def expected(self, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike) -> Floats:
        """Expected purchases per customer, shape of x."""
        xs, txs, ts = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (x, t_x, T))
        tau = self.horizon / (self.model.alpha + ts)
        product: Floats = self.model.p_alive(xs, txs, ts) * self.average_over_leaving(xs, tau, _purchases_given_p)
        return product

    def average_over_leaving(self, x: Floats, tau: Floats, given_p: GivenP) -> Floats:
        """Mean over each customer's chance to leave p ~ Beta(a, b + n) of a function of p, r + x and tau.

        `tau` is horizon / (alpha + T). The number of nodes follows each customer, never the batch: the same customer
        always gets the same number.
        """
        # Days and counts are few: of a large company most customers share theirs with others.
        (counts, which), (taus, when) = (np.unique(v, return_inverse=True) for v in (x, tau))
        cells, place = np.unique(which * len(taus) + when, return_inverse=True)
        x, tau = counts[cells // len(taus)], taus[cells % len(taus)]
        result = np.zeros(len(x))
        wide = tau > _WIDE
        for nodes, chosen in ((_NODES, ~wide), (_NODES_WIDE, wide)):
            if chosen.any():
                result[chosen] = self._average(x[chosen], tau[chosen], given_p, nodes)
        return result[place]

    def _average(self, x: Floats, tau: Floats, given_p: GivenP, nodes: int) -> Floats:
        counts, which = np.unique(x, return_inverse=True)
        rules = [self._rule(int(n + self.model.leave_after_first), nodes) for n in counts]
        points = np.stack([p for p, _ in rules])
        weights = np.stack([w for _, w in rules])
        power = self.model.r + x
        total = np.zeros(len(x))
        for k in range(nodes):
            total += weights[which, k] * given_p(points[which, k], power, tau)
        return total

    def _rule(self, n: int, nodes: int) -> tuple[Floats, Floats]:
        if (n, nodes) not in self._rules:
            self._rules[n, nodes] = _beta_quadrature(self.model.a, self.model.b + n, nodes)
        return self._rules[n, nodes]


def _purchases_given_p(p: Floats, power: Floats, tau: Floats) -> Floats:
    some: Floats = -np.expm1(-power * np.log1p(p * tau)) / p
    return some


def _beta_quadrature(a: float, b: float, nodes: int) -> tuple[Floats, Floats]:
    """Nodes in (0, 1) and weights summing to 1 for an expectation under Beta(a, b) (Golub & Welsch 1969)."""
    from scipy.linalg import eigh_tridiagonal

    low, high = a - 1.0, b - 1.0
    k = np.arange(1, nodes, dtype=np.float64)
    both = low + high
    diagonal = np.empty(nodes)
    diagonal[0] = (low - high) / (both + 2)
    diagonal[1:] = (low - high) * both / ((2 * k + both) * (2 * k + both + 2))
    square = np.empty(nodes - 1)
    square[0] = 4 * (1 + low) * (1 + high) / ((2 + both) ** 2 * (3 + both))
    j = k[1:]
    wide = 2 * j + both
    square[1:] = 4 * j * (j + low) * (j + high) * (j + both) / (wide**2 * (wide**2 - 1))
    off = np.sqrt(square)
    # The dense solver of numpy hands such a small matrix to all BLAS threads: 25 times slower, worse on a busy machine.
    values, vectors = eigh_tridiagonal(diagonal, off)
    return np.clip((values + 1) / 2, 1e-15, 1.0), vectors[0] ** 2


def fit_bgnbd(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    T: npt.ArrayLike,
    *,
    prior: Prior | None = WEAK_PRIOR,
    min_customers: int = 500,
    min_repeaters: int = 50,
    leave_after_first: bool = False,
) -> BgNbd:
    """Maximum-likelihood fit over all customers (weeks). Deterministic, whatever the order of the input.

    Raises TooLittleHistory below the minima (at 500 customers the paper's parameters are already wide apart
    between samples), FitFailed when the optimiser gives up, ValueError on impossible histories.
    """
    data = collapse(x, t_x, T)
    customers, repeaters = int(data.customers.sum()), int(data.customers[data.x > 0].sum())
    if customers < min_customers or repeaters < min_repeaters:
        raise TooLittleHistory(customers, min_customers, repeaters, min_repeaters)
    unit = float(np.sum(data.T * data.customers) / customers) or 1.0
    likelihood = _Likelihood(Collapsed(data.x, data.t_x / unit, data.T / unit, data.customers), leave_after_first)

    theta = maximise(likelihood, _START, customers, prior)
    r, alpha, a, b = (float(v) for v in np.exp(theta))
    # Scaled time multiplies each customer's likelihood by unit^x.
    own = likelihood(theta)[0] - float(np.sum(data.customers * data.x)) * float(np.log(unit))
    return BgNbd(r, alpha * unit, a, b, leave_after_first, own, customers)


class _Likelihood:
    """Log-likelihood and gradient in the log parameters; what depends on x alone is computed once per distinct x."""

    def __init__(self, data: Collapsed, leave_after_first: bool) -> None:
        self.data = data
        self.distinct, self.which = np.unique(data.x, return_inverse=True)
        self.per_x = np.bincount(self.which, weights=data.customers)
        self.chances = self.distinct + leave_after_first
        # Times are whole days in weeks: a logarithm of each distinct one serves all.
        self.ends, self.end = np.unique(data.T, return_inverse=True)
        self.lasts, self.last = np.unique(data.t_x, return_inverse=True)

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        from scipy.special import gammaln, psi

        r, alpha, a, b = (float(v) for v in np.exp(theta))
        d, x, n, many = self.data, self.distinct, self.chances, self.per_x
        log_end, log_last = np.log(alpha + self.ends), np.log(alpha + self.lasts)
        before_last = np.where(n > 0, b + n - 1, 1.0)
        leaving = np.where(n > 0, np.log(a) - np.log(before_last), -np.inf)
        weighted, times, inverse, weight_gone = np.empty((4, len(d.x)))

        for start in range(0, len(d.x), _BLOCK):
            rows = slice(start, start + _BLOCK)
            power = r + d.x[rows]
            end, last = log_end[self.end[rows]], log_last[self.last[rows]]
            still, gone = -power * end, leaving[self.which[rows]] - power * last
            total = np.logaddexp(still, gone)
            left = d.customers[rows] * np.exp(gone - total)
            stayed = d.customers[rows] - left
            weight_gone[rows], weighted[rows] = left, d.customers[rows] * total
            times[rows] = stayed * end + left * last
            inverse[rows] = power * (stayed / (alpha + d.T[rows]) + left / (alpha + d.t_x[rows]))

        by_x = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        by_x += gammaln(a + b) - gammaln(b) + gammaln(b + n) - gammaln(a + b + n)
        value = float(np.sum(many * by_x)) + float(np.sum(weighted))
        gone_by_x = np.bincount(self.which, weights=weight_gone)
        slope = np.array([
            np.sum(many * (psi(r + x) - psi(r) + np.log(alpha)))
            - np.sum(times),
            np.sum(many) * r / alpha - np.sum(inverse),
            np.sum(many * (psi(a + b) - psi(a + b + n))) + np.sum(weight_gone) / a,
            np.sum(many * (psi(a + b) - psi(b) + psi(b + n) - psi(a + b + n))) - np.sum(gone_by_x / before_last),
        ])  # fmt: skip
        return value, slope * np.array([r, alpha, a, b])
