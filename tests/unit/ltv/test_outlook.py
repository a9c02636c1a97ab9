"""The value of the next year and its interval, against customers who were drawn from the model's own story."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.ltv import BgNbd, GammaGamma, PurchaseForecast
from analytics.ltv.outlook import discount_factor, factorial_moment, outlook, p_no_purchase

MODEL = BgNbd(0.6, 6.0, 0.9, 3.0, leave_after_first=True)
WORTH = GammaGamma(6.0, 4.0, 20.0)
HORIZON = 52.0


@pytest.fixture(scope="module")
def people() -> dict[str, np.ndarray]:
    """Histories of 60,000 customers, and what each of them did in the year after."""
    rng = np.random.default_rng(20_260_630)
    n = 60_000
    rate, leave = rng.gamma(MODEL.r, 1 / MODEL.alpha, n), rng.beta(MODEL.a, MODEL.b, n)
    nu, T = rng.gamma(WORTH.q, 1 / WORTH.v, n), rng.uniform(20, 60, n)
    x, t_x, later, later_value, clock = (np.zeros(n) for _ in range(5))
    value, alive = rng.gamma(WORTH.p, 1 / nu), rng.random(n) > leave
    while alive.any():
        clock, paid = clock + rng.exponential(1 / rate), rng.gamma(WORTH.p, 1 / nu)
        before, after = alive & (clock <= T), alive & (clock > T) & (clock <= T + HORIZON)
        x[before] += 1
        t_x[before] = clock[before]
        value[before] += paid[before]
        later[after] += 1
        later_value[after] += paid[after]
        alive = (before | after) & (rng.random(n) > leave)
    return {"x": x, "t_x": t_x, "T": T, "average": value / (x + 1), "later": later, "later_value": later_value}


def test_moments_and_silence_are_those_of_the_simulation(people: dict[str, np.ndarray]) -> None:
    forecast, seen = PurchaseForecast(MODEL, HORIZON), (people["x"], people["t_x"], people["T"])
    later = people["later"]
    assert forecast.expected(*seen).mean() == pytest.approx(later.mean(), rel=0.02)
    assert factorial_moment(forecast, *seen).mean() == pytest.approx((later * (later - 1)).mean(), rel=0.05)
    assert p_no_purchase(MODEL, HORIZON, *seen).mean() == pytest.approx((later == 0).mean(), abs=0.005)


def test_a_tenth_lies_above_the_interval_and_no_more_below(people: dict[str, np.ndarray]) -> None:
    seen = (people["x"], people["t_x"], people["T"])
    found = outlook(PurchaseForecast(MODEL, HORIZON), WORTH, 0.0, seen, people["average"])
    actual = people["later_value"]
    assert found.expected.sum() == pytest.approx(actual.sum(), rel=0.03)
    for group in (people["x"] == 0, people["x"] == 2, people["x"] >= 6):
        assert (actual > found.high)[group].mean() == pytest.approx(0.10, abs=0.02)
        assert (actual < found.low)[group].mean() <= 0.11
    assert (found.low <= found.high).all() and (found.low >= 0).all()


def test_discount_lies_between_a_purchase_today_and_one_in_a_year() -> None:
    x, t_x, T = np.array([0.0, 5.0, 12.0]), np.array([0.0, 30.0, 50.0]), np.array([40.0, 31.0, 52.0])
    forecast = PurchaseForecast(MODEL, HORIZON)
    expected = forecast.expected(x, t_x, T)
    factor = discount_factor(forecast, (x, t_x, T), expected, 0.10)
    # Purchases thin out over the year, so they come a little before its middle, which alone would be worth 1.1^-.5.
    assert (factor > 1.10**-0.5).all() and (factor < 1.10**-0.4).all()
    assert discount_factor(forecast, (x, t_x, T), expected, 0.0).tolist() == [1.0, 1.0, 1.0]


def test_without_a_model_of_value_every_purchase_is_worth_the_mean() -> None:
    x, t_x, T = np.array([8.0]), np.array([40.0]), np.array([41.0])
    forecast = PurchaseForecast(MODEL, HORIZON)
    found = outlook(forecast, None, 30.0, (x, t_x, T), np.array([9_000.0]), yearly_discount=0.2)
    assert found.expected[0] == pytest.approx(30.0 * forecast.expected(x, t_x, T)[0])
    assert found.low[0] < found.discounted[0] < found.high[0] and found.discounted[0] < found.expected[0]
