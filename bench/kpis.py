"""What the models of lifetime value cost at a million customers: both fits, the year's forecast and its interval.

Histories are drawn from the models' own story with a seed and cut to whole days, as orders are. Usage:
python bench/kpis.py [customers], a million by default. The fits are to take less than five seconds together.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from analytics.ltv import GammaGamma, PurchaseForecast, fit_bgnbd, fit_gamma_gamma
from analytics.ltv.outlook import outlook

SEED, ROUNDS = 20_260_630, 3
RATE, LEAVE, VALUE, OBSERVED = (0.6, 6.0), (0.9, 3.0), (6.0, 4.0, 20.0), (20.0, 150.0)
#: Seconds for both fits.
BAR = 5.0

T = TypeVar("T")


def histories(customers: int) -> dict[str, np.ndarray]:
    """x, t_x, T in weeks of whole days, and the average value of a purchase."""
    rng = np.random.default_rng(SEED)
    rate, leave = rng.gamma(RATE[0], 1 / RATE[1], customers), rng.beta(*LEAVE, customers)
    observed = rng.uniform(*OBSERVED, customers)
    x, last, clock = (np.zeros(customers) for _ in range(3))
    alive = rng.random(customers) > leave
    while alive.any():
        clock = clock + rng.exponential(1 / rate)
        alive &= clock <= observed
        x[alive] += 1
        last[alive] = clock[alive]
        alive &= rng.random(customers) > leave
    days = np.floor(observed * 7)
    last_day = np.minimum(np.maximum(np.floor(last * 7), x > 0), days)
    p, q, v = VALUE
    nu = rng.gamma(q, 1 / v, customers)
    average = np.round(rng.gamma(p * (x + 1), 1 / nu) / (x + 1), 2)
    return {"x": x, "t_x": last_day / 7, "T": days / 7, "average": average}


def best(work: Callable[[], T]) -> tuple[float, T]:
    """The shortest of a few rounds, in seconds, and the result."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def main(customers: int) -> int:
    drawn = histories(customers)
    x, t_x, observed, average = (drawn[name] for name in ("x", "t_x", "T", "average"))
    fit, model = best(lambda: fit_bgnbd(x, t_x, observed, leave_after_first=True))
    worth, value = best(lambda: fit_gamma_gamma(x + 1, average))
    forecast = PurchaseForecast(model, 52.0)
    ahead, found = best(lambda: outlook(forecast, value, 0.0, (x, t_x, observed), average, yearly_discount=0.1))
    print(f"{customers:,} customers, {int((x + 1).sum()):,} purchase days, seed {SEED}, best of {ROUNDS}")
    print(f"  BG/NBD fit            {fit:7.2f} s   {_shown(model.r, model.alpha, model.a, model.b)}")
    print(f"  Gamma-Gamma fit       {worth:7.2f} s   {_shown(*_parameters(value))}")
    print(f"  forecast and interval {ahead:7.2f} s   {found.discounted.sum():,.0f} expected")
    print(f"  both fits             {fit + worth:7.2f} s   bar {BAR:.0f} s")
    return 0 if fit + worth < BAR else 1


def _parameters(value: GammaGamma) -> tuple[float, float, float]:
    return value.p, value.q, value.v


def _shown(*parameters: float) -> str:
    return " ".join(f"{p:.3f}" for p in parameters)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
