"""The score: log-odds of no purchase within the horizon by buying behaviour, plus a weight per signal.

probability = sigmoid(log-odds by buying behaviour + sum of weights of the signals that are on)

Behaviour and weights are fitted on the company's own past (analytics.churn.training). While that is too short, MBG/NBD
gives the behaviour's part (gone, or alive and silent for the horizon) and the weights are the judged ones.

expected value = expected purchases in the horizon x expected value per purchase (net revenue, no margin taken)
value at risk = probability x expected value

The same parameters give the value of the next year, discounted and with its interval (analytics.ltv.outlook).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.churn.frames import Ints, money_hundredths
from analytics.churn.rules import MODEL_TRAINED, MODEL_UNTRAINED, ChurnRules
from analytics.churn.timeline import Purchases
from analytics.churn.training import Trained
from analytics.ltv.bgnbd import BgNbd, PurchaseForecast, fit_bgnbd
from analytics.ltv.gamma_gamma import GammaGamma, fit_gamma_gamma
from analytics.ltv.maximise import FitFailed, Floats, TooLittleHistory
from analytics.ltv.outlook import outlook, p_no_purchase

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
    # None while the company's past is too short to learn from.
    trained: Trained | None = None

    @property
    def name(self) -> str:
        """As in the published table."""
        return MODEL_UNTRAINED if self.trained is None else MODEL_TRAINED

    def weights(self, rules: ChurnRules) -> tuple[float, ...]:
        """Weight of each signal of `rules`."""
        return tuple(s.weight for s in rules.signals) if self.trained is None else self.trained.weights

    def average_value(self, purchases: Floats, average: Floats) -> Floats:
        """Expected value of one future purchase, never below 0."""
        if self.value is None:
            return np.full(len(purchases), self.mean_value)
        return self.value.expected_average_value(purchases, average)


@dataclass(frozen=True)
class Scores:
    """Scores of the customers given, same order. Money in exact hundredths; value arrays only where asked for.

    judged: whether the customer is active; of the others there is no probability (NaN), only a value.
    """

    judged: npt.NDArray[np.bool_]
    probability: Floats
    p_alive: Floats
    log_odds_buying: Floats
    high: npt.NDArray[np.bool_]
    medium: npt.NDArray[np.bool_]
    expected_purchases: Floats
    expected_value: Ints
    value_at_risk: Ints
    discounted_value: Ints
    value_low: Ints
    value_high: Ints


def fit_churn_model(purchases: Purchases, rules: ChurnRules, trained: Trained | None = None) -> ChurnModel:
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
    return ChurnModel(model, PurchaseForecast(model, rules.horizon_weeks), value, mean, purchases.day, trained)


def score_customers(
    model: ChurnModel,
    purchases: Purchases,
    signals: npt.NDArray[np.bool_],
    rules: ChurnRules,
    *,
    value_of_all: bool = True,
) -> Scores:
    """Score all who have bought, signals of shape (signals of `rules`, customers).

    With `value_of_all=False` only the active ones, and only those at high risk get their value (the rest 0): all that
    a day's sums need. The same customer gets the same numbers either way.
    """
    active = purchases.active(rules.lapsed_days)
    mask = purchases.bought if value_of_all else active
    judged = active[mask]
    x, t_x, T = purchases.histories(mask)
    if model.trained is not None:
        buying = model.trained.buying(purchases, mask)
    else:
        silent = np.clip(p_no_purchase(model.purchases, rules.horizon_days / 7.0, x, t_x, T), 1e-9, 1 - 1e-9)
        buying = np.log(silent / (1 - silent))
    total = buying.copy()
    for weight, on in zip(model.weights(rules), signals, strict=True):
        total += weight * on[mask]
    probability: Floats = np.clip(_sigmoid(total), _FLOOR, _CEILING).round(6)
    probability[~judged] = np.nan
    high = judged & (probability >= rules.high)
    wanted = np.ones(len(x), dtype=bool) if value_of_all else high
    expected = np.zeros(len(x))
    hundredths, discounted, low, high_value = (np.zeros(len(x), dtype=np.int64) for _ in range(4))
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
        expected = np.round(year.purchases, 6)
    elif wanted.any():
        expected[wanted] = np.round(model.forecast.expected(x[wanted], t_x[wanted], T[wanted]), 6)
    if wanted.any():
        worth = model.average_value(x[wanted] + 1, purchases.average(mask)[wanted])
        hundredths[wanted] = money_hundredths(expected[wanted] * worth)
    return Scores(
        judged=judged,
        probability=probability,
        p_alive=_sigmoid(-model.purchases.log_odds_gone(x, t_x, T)).round(6),
        log_odds_buying=buying,
        high=high,
        medium=judged & (probability >= rules.medium) & ~high,
        expected_purchases=expected,
        expected_value=hundredths,
        value_at_risk=money_hundredths(np.where(judged, probability, 0.0) * (hundredths / 100.0)),
        discounted_value=discounted,
        value_low=low,
        value_high=high_value,
    )


def _sigmoid(log_odds: Floats) -> Floats:
    from scipy.special import expit

    result: Floats = expit(log_odds)
    return result
