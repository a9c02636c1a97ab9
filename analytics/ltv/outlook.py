"""What a customer's next year is worth: expected, discounted, and an interval that says how sure that is.

A customer who is still there buys at rate lambda ~ Gamma(r + x, alpha + T) and leaves after each purchase with
probability p ~ Beta(a, b + n); given lambda and p the number of purchases N in the horizon is the smaller one of a
Poisson and a geometric number. Its first two moments and P(N = 0) follow in closed form given p and are averaged over p
with the same quadrature as the expectation (Fader, Hardie & Lee 2005 give the posterior). The value of a purchase
varies as Gamma-Gamma says (Fader & Hardie 2013, note 025), so the value V of N purchases has an atom at 0 of exactly
P(N = 0) and, above it, a mean and a variance. The part above 0 is taken as a Gamma distribution with these two.
Nothing is drawn at random: the same histories give the same interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.ltv.bgnbd import BgNbd, PurchaseForecast
from analytics.ltv.gamma_gamma import GammaGamma
from analytics.ltv.maximise import Floats

#: The interval holds the true value of four customers in five.
INTERVAL = 0.80
# The variance of a Gamma-Gamma mean exists from two "purchases' worth" of evidence on; below, that of just above it.
_LEAST_SHAPE = 2.1
# Purchases are spread over the horizon in so many parts, each discounted at its middle.
_PARTS = 4
WEEKS_PER_YEAR = 365.25 / 7


@dataclass(frozen=True)
class Outlook:
    """Expected purchases and money per customer, in the order of the histories given."""

    purchases: Floats
    expected: Floats
    discounted: Floats
    low: Floats
    high: Floats


def outlook(
    forecast: PurchaseForecast,
    value: GammaGamma | None,
    mean_value: float,
    histories: tuple[Floats, Floats, Floats],
    average: Floats,
    *,
    yearly_discount: float = 0.0,
) -> Outlook:
    """Expected value of the horizon of `forecast` (weeks), discounted value, and the interval of the latter.

    `average`: what a purchase of the customer was worth so far. Without a Gamma-Gamma model everybody's `mean_value`
    is what each purchase is worth.
    """
    x, t_x, T = histories
    expected = forecast.expected(x, t_x, T)
    factor = discount_factor(forecast, histories, expected, yearly_discount)
    purchases = x + 1
    if value is None:
        worth = np.full(len(x), mean_value)
        square, spread = worth**2, np.zeros(len(x))
    else:
        worth = value.expected_average_value(purchases, average)
        square, spread = _value_moments(value, purchases, average)
    mean = expected * worth
    none = p_no_purchase(forecast.model, forecast.horizon, x, t_x, T)
    pairs = factorial_moment(forecast, x, t_x, T)
    # E[V^2] = E[N] E[Var(Z)] + E[N^2] E[E(Z)^2]
    second = expected * spread + (pairs + expected) * square
    tail = (1 - INTERVAL) / 2
    low, high = (_quantile(u, none, mean, second) for u in (tail, 1 - tail))
    return Outlook(expected, mean, mean * factor, low * factor, high * factor)


def discount_factor(
    forecast: PurchaseForecast, histories: tuple[Floats, Floats, Floats], expected: Floats, yearly: float
) -> Floats:
    """Share of the undiscounted value that is left; customers who are about to leave buy earlier, if at all."""
    if yearly == 0:
        return np.ones(len(expected))
    before, total = np.zeros(len(expected)), np.zeros(len(expected))
    for part in range(1, _PARTS + 1):
        until = forecast.horizon * part / _PARTS
        so_far = expected if part == _PARTS else PurchaseForecast(forecast.model, until).expected(*histories)
        middle = forecast.horizon * (part - 0.5) / _PARTS
        total += (so_far - before) * (1 + yearly) ** (-middle / WEEKS_PER_YEAR)
        before = so_far
    positive = expected > 0
    factor: Floats = np.where(positive, total / np.where(positive, expected, 1.0), 1.0)
    return factor


def p_no_purchase(model: BgNbd, horizon: float, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """P(no purchase in the next `horizon` weeks): gone already, or still there and silent."""
    alive = model.p_alive(x, t_x, T)
    silent = np.exp(-(model.r + x) * np.log1p(horizon / (model.alpha + T)))
    none: Floats = 1 - alive * (1 - silent)
    return none


def factorial_moment(forecast: PurchaseForecast, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """E[N (N - 1)] of the purchases N in the horizon.

    Given p and mu = lambda * horizon: 2 (1 - p) [(1 - exp(-mu p)) / p^2 - mu exp(-mu p) / p], the derivative of the
    generating function of P(N >= k) = P(Poisson(mu) >= k) (1 - p)^(k - 1).
    """
    model = forecast.model
    tau = forecast.horizon / (model.alpha + T)
    result: Floats = model.p_alive(x, t_x, T) * forecast.average_over_leaving(x, tau, _pairs_given_p)
    return result


def _pairs_given_p(p: Floats, power: Floats, tau: Floats) -> Floats:
    log_step = np.log1p(p * tau)
    left = -np.expm1(-power * log_step) / p
    stays = power * tau * np.exp(-(power + 1) * log_step)
    # Where p is next to nothing the difference is rounding: nobody leaves, and the count is negative binomial.
    few = p * tau * power < 1e-5
    pairs: Floats = np.where(few, power * (power + 1) * tau**2, 2 * (1 - p) * (left - stays) / p)
    return pairs


def _value_moments(value: GammaGamma, purchases: Floats, average: Floats) -> tuple[Floats, Floats]:
    """E[mean^2] and E[variance] of one purchase, given what the customer's purchases were worth so far."""
    known = (purchases > 0) & (average > 0)
    n, m = np.where(known, purchases, 0.0), np.where(known, average, 0.0)
    shape, scale = value.p * n + value.q, value.v + n * m
    inverse_square = scale**2 / ((shape - 1) * (np.maximum(shape, _LEAST_SHAPE) - 2))
    return value.p**2 * inverse_square, value.p * inverse_square


def _quantile(u: float, none: Floats, mean: Floats, second: Floats) -> Floats:
    """Quantile `u` of the mixture: 0 with probability `none`, else Gamma with the mean and variance that remain."""
    from scipy.special import gammaincinv

    quantile = np.zeros(len(none))
    # Of most customers the lower quantile is the atom: the inverse is asked for the others alone.
    some = np.flatnonzero((1 - none > 1e-9) & (mean > 0) & (u > none))
    share = 1 - none[some]
    above = mean[some] / share
    variance = np.maximum(second[some] / share - above**2, 1e-12 * above**2)
    quantile[some] = gammaincinv(above**2 / variance, (u - none[some]) / share) * variance / above
    return quantile
