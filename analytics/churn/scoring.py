"""The score: log-odds of having left by buying behaviour, plus an openly listed weight per signal.

probability = sigmoid(logit(1 - P(alive)) + sum of weights of the signals that are on)
expected value = expected purchases in the horizon x expected value per purchase (net revenue, no margin taken)
value at risk = probability x expected value

The same parameters give the value of the next year, discounted and with its interval (analytics.ltv.outlook).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.churn.frames import Ints, money_hundredths
from analytics.churn.rules import ChurnRules
from analytics.churn.timeline import Purchases
from analytics.ltv.bgnbd import BgNbd, PurchaseForecast, fit_bgnbd
from analytics.ltv.gamma_gamma import GammaGamma, fit_gamma_gamma
from analytics.ltv.maximise import FitFailed, Floats, TooLittleHistory
from analytics.ltv.outlook import outlook

# No model of this kind knows more than one in a thousand.
_FLOOR, _CEILING = 0.001, 0.999


@dataclass(frozen=True)
class ChurnModel:
    """Parameters fitted at the end of `fitted_on` (a Sunday, days since 1970-01-01), used for the week after."""

    purchases: BgNbd
    forecast: PurchaseForecast
    # None where too few customers have spent anything, or all the same: everybody's plain mean serves instead.
    value: GammaGamma | None
    mean_value: float
    fitted_on: int

    def average_value(self, purchases: Floats, average: Floats) -> Floats:
        """Expected value of one future purchase, never below 0."""
        if self.value is None:
            return np.full(len(purchases), self.mean_value)
        return self.value.expected_average_value(purchases, average)


@dataclass(frozen=True)
class Scores:
    """Scores of the customers given, same order. Money in exact hundredths; value arrays only where asked for."""

    probability: Floats
    p_alive: Floats
    log_odds_gone: Floats
    high: npt.NDArray[np.bool_]
    medium: npt.NDArray[np.bool_]
    expected_purchases: Floats
    expected_value: Ints
    value_at_risk: Ints
    discounted_value: Ints
    value_low: Ints
    value_high: Ints


def fit_churn_model(purchases: Purchases, rules: ChurnRules) -> ChurnModel:
    """Fit on everybody who has bought. Raises TooLittleHistory or FitFailed (analytics.ltv.bgnbd)."""
    bought = purchases.bought
    x, t_x, T = purchases.histories(bought)
    model = fit_bgnbd(
        x, t_x, T,
        min_customers=rules.min_customers, min_repeaters=rules.min_repeaters, leave_after_first=rules.leave_after_first,
    )  # fmt: skip
    average = purchases.average(bought)
    try:
        value = fit_gamma_gamma(x + 1, average)
    except (TooLittleHistory, FitFailed):
        value = None
    days = int(np.sum(purchases.purchase_days[bought]))
    mean = max(0.0, int(np.sum(purchases.hundredths[bought])) / (100.0 * days)) if days else 0.0
    return ChurnModel(model, PurchaseForecast(model, rules.horizon_weeks), value, mean, purchases.day)


def score_customers(
    model: ChurnModel,
    purchases: Purchases,
    signals: npt.NDArray[np.bool_],
    rules: ChurnRules,
    *,
    chosen: npt.NDArray[np.bool_] | None = None,
    value_of_all: bool = True,
) -> Scores:
    """Score the `chosen` customers (default: all who have bought), signals of shape (signals of `rules`, customers).

    With `value_of_all=False` only customers at high risk get their value (the rest 0): all that a day's sums need.
    The same customer gets the same numbers either way.
    """
    mask = purchases.bought if chosen is None else chosen
    x, t_x, T = purchases.histories(mask)
    gone = model.purchases.log_odds_gone(x, t_x, T)
    total = gone.copy()
    for weight, active in zip(rules.signals, signals, strict=True):
        total += weight.weight * active[mask]
    probability: Floats = np.clip(_sigmoid(total), _FLOOR, _CEILING).round(6)
    high = probability >= rules.high
    wanted = np.ones(len(x), dtype=bool) if value_of_all else high
    expected = np.zeros(len(x))
    hundredths, discounted, low, high_value = (np.zeros(len(x), dtype=np.int64) for _ in range(4))
    if wanted.any():
        expected[wanted] = np.round(model.forecast.expected(x[wanted], t_x[wanted], T[wanted]), 6)
        worth = model.average_value(x[wanted] + 1, purchases.average(mask)[wanted])
        hundredths[wanted] = money_hundredths(expected[wanted] * worth)
    if value_of_all and len(x):
        year = outlook(
            model.forecast,
            model.value,
            model.mean_value,
            (x, t_x, T),
            purchases.average(mask),
            yearly_discount=rules.discount_rate,
        )
        discounted, low, high_value = (money_hundredths(part) for part in (year.discounted, year.low, year.high))
    return Scores(
        probability=probability,
        p_alive=_sigmoid(-gone).round(6),
        log_odds_gone=gone,
        high=high,
        medium=(probability >= rules.medium) & ~high,
        expected_purchases=expected,
        expected_value=hundredths,
        value_at_risk=money_hundredths(probability * (hundredths / 100.0)),
        discounted_value=discounted,
        value_low=low,
        value_high=high_value,
    )


def _sigmoid(log_odds: Floats) -> Floats:
    from scipy.special import expit

    result: Floats = expit(log_odds)
    return result
