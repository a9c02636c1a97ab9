"""What the KPIs cost at a million customers: their marts beside a hand-written script, and the fits of lifetime value.

The marts (bench/kpis_marts.py) are made twice from the same Parquet with ten orders per customer, by their models and
by bench/kpis.sql, and must be equal row for row; the models are to take no more than 1.3 times as long. The histories
of the fits are drawn from the models' own story with a seed and cut to whole days, as orders are; both fits are to
take less than five seconds together.

Usage: python bench/kpis.py [customers], a million by default. KIZUNA_BENCH_FOLDER keeps the files (2 GB a million).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb
import kpis_data
import kpis_marts
import numpy as np

from analytics.ltv import GammaGamma, PurchaseForecast, fit_bgnbd, fit_gamma_gamma
from analytics.ltv.outlook import outlook

SEED, ROUNDS = 20_260_630, 3
RATE, LEAVE, VALUE, OBSERVED = (0.6, 6.0), (0.9, 3.0), (6.0, 4.0, 20.0), (20.0, 150.0)
#: Seconds for both fits; seconds of the models by seconds of the script.
BAR, RATIO = 5.0, 1.3

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


def fits(customers: int) -> bool:
    """Time the fits and the forecast; true within the bar."""
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
    return fit + worth < BAR


def marts(customers: int, folder: Path) -> bool:
    """Make the marts by both ways from the same files; true when they are equal and the models fast enough."""
    inputs, work = folder / f"kpis-{customers}-{SEED}", folder / "kpis-work"
    if not (inputs / "done").exists():
        kpis_data.write(inputs, customers, SEED)
        (inputs / "done").touch()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    print(
        f"{customers:,} customers, {kpis_data.ORDERS * customers:,} orders, {kpis_data.SESSIONS * customers:,} "
        f"sessions, seed {SEED}, duckdb {duckdb.__version__}, 2 threads, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    script = kpis_marts.run_script(inputs, work / "script.duckdb")
    needed = kpis_marts.prepare(inputs, work / "build.duckdb")
    models = kpis_marts.run_dbt(work / "build.duckdb", needed)
    rows = kpis_marts.differences(work / "build.duckdb", work / "script.duckdb")
    equal = kpis_marts.report(models, script, rows)
    print(f"  {len(needed)} models; bar {RATIO}; load {os.getloadavg()[0]:.1f}", flush=True)
    shutil.rmtree(work)
    return equal and models.wall <= RATIO * script.wall


def main(customers: int) -> int:
    kept = os.environ.get("KIZUNA_BENCH_FOLDER")
    with tempfile.TemporaryDirectory() as scratch:
        fast = marts(customers, Path(kept or scratch))
    return 0 if fits(customers) and fast else 1


def _parameters(value: GammaGamma) -> tuple[float, float, float]:
    return value.p, value.q, value.v


def _shown(*parameters: float) -> str:
    return " ".join(f"{p:.3f}" for p in parameters)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
