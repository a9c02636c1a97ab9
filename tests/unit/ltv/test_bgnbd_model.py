from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import hyp2f1

from analytics.ltv import BgNbd, FitFailed, PurchaseForecast, TooLittleHistory, fit_bgnbd, fit_gamma_gamma

PAPER = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


def simulate(customers: int, seed: int, r: float, alpha: float, a: float, b: float) -> tuple[np.ndarray, ...]:
    """Histories drawn from the model's own story: buy at rate lambda, leave after a repeat purchase with p."""
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    until = rng.uniform(20, 60, customers)
    x, last = np.zeros(customers), np.zeros(customers)
    clock, alive = np.zeros(customers), np.ones(customers, dtype=bool)
    while alive.any():
        clock = clock + rng.exponential(1 / rate)
        alive &= clock <= until
        x[alive] += 1
        last[alive] = clock[alive]
        alive &= rng.random(customers) > leave
    return x, last, until


def closed_form(m: BgNbd, t: float, x: np.ndarray, t_x: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Equation 10 of Fader, Hardie & Lee 2005, for x > 0."""
    inner = ((m.alpha + T) / (m.alpha + T + t)) ** (m.r + x)
    inner = inner * hyp2f1(m.r + x, m.b + x, m.a + m.b + x - 1, t / (m.alpha + T + t))
    alive = 1 + m.a / (m.b + x - 1) * ((m.alpha + T) / (m.alpha + t_x)) ** (m.r + x)
    return (m.a + m.b + x - 1) / (m.a - 1) * (1 - inner) / alive


def test_parameters_come_back_from_a_simulation() -> None:
    found = fit_bgnbd(*simulate(20_000, 7, r=0.6, alpha=6.0, a=0.9, b=3.0))
    assert found.r == pytest.approx(0.6, rel=0.05)
    assert found.alpha == pytest.approx(6.0, rel=0.07)
    assert found.a / (found.a + found.b) == pytest.approx(0.9 / 3.9, rel=0.06)


def test_order_of_customers_changes_nothing() -> None:
    x, t_x, T = simulate(2_000, 3, r=0.6, alpha=6.0, a=0.9, b=3.0)
    shuffled = np.random.default_rng(1).permutation(len(x))
    assert fit_bgnbd(x, t_x, T) == fit_bgnbd(x[shuffled], t_x[shuffled], T[shuffled])


@pytest.mark.parametrize("model", [PAPER, BgNbd(2.0, 30.0, 5.5, 1.4), BgNbd(0.8, 0.05, 0.2, 3.0)])
def test_quadrature_is_the_papers_closed_form(model: BgNbd) -> None:
    x, t_x, T = np.array([1.0, 2.0, 10.0, 29.0]), np.array([1.7, 30.4, 20.0, 38.0]), np.array([38.9, 38.9, 38.9, 38.9])
    assert model.expected_purchases(39, x, t_x, T) == pytest.approx(closed_form(model, 39, x, t_x, T), rel=1e-6)


def test_a_thousand_purchases_and_a_equal_to_one_stay_finite() -> None:
    one = BgNbd(r=0.5, alpha=5.0, a=1.0, b=2.5)
    near = BgNbd(r=0.5, alpha=5.0, a=1.0 + 1e-7, b=2.5)
    history = (np.array([1.0, 1000.0, 3000.0]), np.array([10.0, 100.0, 100.0]), np.array([20.0, 100.5, 100.1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = one.expected_purchases(52, *history)
    assert np.isfinite(expected).all()
    assert expected == pytest.approx(near.expected_purchases(52, *history), rel=1e-5)
    # Bought ten a week, half a day ago: goes on at about that rate, less the chance of leaving on the way.
    assert 150 < expected[1] < 520


def test_p_alive_falls_with_silence_and_is_one_where_nobody_could_leave() -> None:
    T = np.array([40.0, 60.0, 100.0])
    alive = PAPER.p_alive(np.full(3, 5.0), np.full(3, 38.0), T)
    assert (np.diff(alive) < 0).all() and ((alive > 0) & (alive < 1)).all()
    assert PAPER.p_alive([0.0], [0.0], [500.0])[0] == 1.0
    assert BgNbd(0.243, 4.414, 0.793, 2.426, leave_after_first=True).p_alive([0.0], [0.0], [500.0])[0] < 0.5


def test_log_odds_keep_what_p_alive_would_round_away() -> None:
    odds = PAPER.log_odds_gone([400.0], [10.0], [600.0])
    assert np.isfinite(odds).all() and odds[0] > 500


def test_the_batch_does_not_change_a_customer() -> None:
    forecast = PurchaseForecast(BgNbd(0.5, 0.4, 0.8, 2.0), 52.0)
    x, t_x, T = np.array([0.0, 3.0, 0.0]), np.array([0.0, 9.0, 0.0]), np.array([0.1, 20.0, 30.0])
    together = forecast.expected(x, t_x, T)
    alone = [float(forecast.expected(x[k : k + 1], t_x[k : k + 1], T[k : k + 1])[0]) for k in range(3)]
    assert together.tolist() == alone


def test_too_little_history_carries_the_numbers() -> None:
    x, t_x, T = simulate(499, 1, r=0.6, alpha=6.0, a=0.9, b=3.0)
    with pytest.raises(TooLittleHistory, match="499 customers") as refused:
        fit_bgnbd(x, t_x, T)
    assert (refused.value.customers, refused.value.needed, refused.value.repeaters) == (499, 500, int((x > 0).sum()))
    with pytest.raises(TooLittleHistory) as silent:
        fit_bgnbd(np.zeros(600), np.zeros(600), np.full(600, 30.0))
    assert silent.value.repeaters == 0


def test_prior_holds_a_small_sample_where_nobody_leaves() -> None:
    rng = np.random.default_rng(5)
    x = rng.poisson(rng.gamma(2, 2, 50)) + 1.0
    model = fit_bgnbd(x, np.full(50, 39.0), np.full(50, 40.0), min_customers=50)
    assert all(1e-3 < v < 1e4 for v in (model.r, model.alpha, model.a, model.b))


@pytest.mark.parametrize(
    "history", [([1.0], [50.0], [40.0]), ([0.0], [3.0], [40.0]), ([-1.0], [0.0], [4.0]), ([1.5], [1.0], [4.0])]
)
def test_impossible_histories_are_named(history: tuple[list[float], ...]) -> None:
    with pytest.raises(ValueError, match="impossible histories, the first: x="):
        fit_bgnbd(*history)


def test_gamma_gamma_recovers_and_shrinks_towards_everybody() -> None:
    rng = np.random.default_rng(11)
    n = rng.integers(1, 8, 5_000)
    nu = rng.gamma(4.0, 1 / 20_000.0, 5_000)
    average = rng.gamma(6.0 * n, 1 / nu) / n
    model = fit_gamma_gamma(n, average)
    assert model.mean == pytest.approx(6.0 * 20_000 / 3.0, rel=0.04)
    low, high = model.expected_average_value([1, 50], [1_000.0, 1_000.0])
    assert 1_000 < high < low < model.mean
    assert model.expected_average_value([0, 3], [0.0, -5.0]) == pytest.approx([model.mean, model.mean])


def test_gamma_gamma_refuses_few_and_leaves_out_worthless_purchases() -> None:
    with pytest.raises(TooLittleHistory):
        fit_gamma_gamma([1] * 150, [5.0] * 99 + [0.0] * 51)


def test_a_runaway_fit_is_an_error_not_a_number() -> None:
    with pytest.raises(FitFailed):
        fit_gamma_gamma([3] * 200, [5.0] * 200, prior=None)
