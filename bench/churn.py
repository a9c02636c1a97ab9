"""Scoring at scale: from facts to features, training, judging, probabilities, drivers in words. Usage:

python bench/churn.py [customers], a million by default. Facts are drawn with a seed in a process of their own and read
back, so that the peak is that of scoring. Bars: 60 s and 4 GB on two cores.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SEED = 20_260_630
AS_OF = date(2026, 6, 30)
DAYS = 730
SECONDS, GIGABYTES = 60.0, 4.0


def dates(numbers: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    return pa.array(numbers.astype(np.int32), mask=missing).cast(pa.date32())


def draw(customers: int, folder: Path) -> None:
    """Two years of a shop: purchases at own paces, some go wrong, support hears of it, surveys and visits."""
    from analytics.churn.frames import day_number, decimals_from

    rng = np.random.default_rng(SEED)
    end = day_number(AS_OF)
    start = end - DAYS
    ids = np.array([f"c-{k * 2654435761 % 2**32:08x}{k:07d}" for k in range(customers)])
    rate, leave = rng.gamma(1.3, 0.0125, customers), rng.beta(0.7, 3.0, customers)
    clock, alive = rng.uniform(start, end, customers), rng.random(customers) < 0.95
    who, when, wrong = [], [], []
    while alive.any():
        now = np.flatnonzero(alive)
        trouble = rng.random(len(now)) < 0.05
        who.append(now)
        when.append(clock[now])
        wrong.append(trouble)
        alive[now] = (rng.random(len(now)) > leave[now]) & ~(trouble & (rng.random(len(now)) < 0.8))
        clock = clock + rng.exponential(1 / np.maximum(rate, 1e-4))
        alive &= clock <= end
    buyer, day, trouble = np.concatenate(who), np.concatenate(when).astype(int), np.concatenate(wrong)
    amount = (rng.gamma(4, 1500, customers)[buyer] * rng.uniform(0.5, 1.5, len(buyer))).astype(np.int64) * 100
    asked = np.flatnonzero(trouble | (rng.random(len(buyer)) < 0.1))
    opened = day[asked] + rng.integers(0, 6, len(asked))
    solved = opened + np.where(trouble[asked], rng.integers(2, 12, len(asked)), 1)
    answered = np.flatnonzero(rng.random(len(buyer)) < 0.25)
    visited = rng.integers(0, len(buyer), len(buyer))
    back = rng.integers(0, len(buyer), len(buyer) // 20)
    tables = {
        "customers": {"customer_id": ids, "region": np.array(list("abcdefgh"))[rng.integers(0, 8, customers)]},
        "orders": {"customer_id": ids[buyer], "ordered_on": dates(day), "amount": decimals_from(amount)},
        "interactions": {
            "customer_id": ids[buyer[asked]],
            "opened_on": dates(opened),
            "resolved_on": dates(solved, solved > end),
            "priority": np.where(trouble[asked], "high", "normal"),
            "csat_score": rng.integers(1, 6, len(asked)),
        },
        "surveys": {
            "customer_id": ids[buyer[answered]],
            "kind": np.full(len(answered), "nps"),
            "score": np.where(trouble[answered], 3, rng.integers(5, 11, len(answered))),
            "submitted_on": dates(day[answered] + 5),
        },
        "texts": {
            "customer_id": ids[buyer[asked]],
            "written_on": dates(opened),
            "score": np.where(trouble[asked], -0.7, rng.integers(-4, 10, len(asked)) / 10),
            "is_leaving": trouble[asked] & (rng.random(len(asked)) < 0.1),
        },
        "spans": contracts(rng, ids, start, end),
        "refunds": {"customer_id": ids[buyer[back]], "refunded_on": dates(day[back] + 5),
                    "amount": decimals_from(amount[back])},
        "visits": {"customer_id": ids[buyer[visited]], "visited_on": dates(day[visited] - 3)},
    }  # fmt: skip
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")


def contracts(rng: np.random.Generator, ids: np.ndarray, start: int, end: int) -> dict[str, object]:
    """A fifth of the customers under contract, by the month or the year; newer ones and monthly ones leave sooner."""
    from analytics.churn.frames import decimals_from

    size = len(ids) // 5
    yearly, begun = rng.random(size) < 0.3, rng.integers(start - 365, end - 30, size)
    stays = rng.exponential(np.where(yearly, 1500, 500), size) * rng.gamma(2, 0.5, size)
    stop = (begun + stays).astype(int)
    declared, gone = stop, stop + np.where(yearly, 120, 20)
    monthly = np.where(yearly, 80_000, 98_000).astype(np.int64)
    return {
        "payer": np.char.add("customer:", ids[:size]),
        "contract_id": np.array([f"k{k}" for k in range(size)]),
        "plan": np.where(yearly, "year", "month"),
        "from_on": dates(begun),
        "until_on": dates(gone, gone > end),
        "cancelled_on": dates(declared, declared > end),
        "ended_on": dates(gone, gone > end),
        "term_months": np.where(yearly, 12.0, 1.0),
        "monthly": decimals_from(monthly),
    }


def main(customers: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Spawned, so that what drawing took is not counted as scoring's.
        child = multiprocessing.get_context("spawn").Process(target=draw, args=(customers, folder))
        child.start()
        child.join()
        from analytics.churn import (
            ChurnRules,
            ContractRules,
            assess,
            assess_contracts,
            days_to_assess,
            signals_from_facts,
        )

        tables = {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}
        rows = {table: content.num_rows for table, content in tables.items()}
        before, cpu = time.perf_counter(), time.process_time()
        signals = signals_from_facts(
            tables.pop("interactions"), tables.pop("surveys"), tables["refunds"], visits=tables.pop("visits"),
            texts=tables.pop("texts"),
        )  # fmt: skip
        featured = time.perf_counter() - before
        days = [AS_OF - timedelta(days=7), AS_OF]
        found = assess(
            tables["customers"],
            tables["orders"],
            signals,
            tables["refunds"],
            as_of=AS_OF,
            days=days,
            rules=ChurnRules(),
        )
        buyers = time.perf_counter() - before
        felt = signals.set_column(0, "payer", pc.binary_join_element_wise("customer:", signals["customer_id"], ""))
        under = assess_contracts(
            tables.pop("spans"), felt, as_of=AS_OF, rules=ContractRules(),
            days=days_to_assess(AS_OF, None), earlier=[AS_OF - timedelta(days=7)],
        )  # fmt: skip
        seconds, used = time.perf_counter() - before, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    judged = found.evaluation
    bands = dict(zip(*(c.to_pylist() for c in found.scores["band"].value_counts().flatten()), strict=True))
    print(f"{customers:,} customers, seed {SEED}; " + ", ".join(f"{n:,} {table}" for table, n in rows.items()))
    print(f"  signals from facts     {featured:7.1f} s")
    print(f"  scores and drivers     {buyers - featured:7.1f} s")
    print(f"  contracts, 70 days     {seconds - buyers:7.1f} s")
    print(f"  all, features to drivers {seconds:5.1f} s (processor {used:.1f} s)   bar {SECONDS:.0f} s")
    print(f"  peak memory            {peak:7.2f} GB                    bar {GIGABYTES:.0f} GB")
    if judged is not None:
        print(f"  out of time: AUC {judged.verdict.auc:.4f}, slope {judged.verdict.slope:.3f}; bands {bands}")
    if under.evaluation is not None:
        told = f"AUC {under.evaluation.verdict.auc:.4f}, {under.daily.num_rows} days"
        print(f"  contracts: {under.scores.num_rows:,} payers, out of time {told}")
    else:
        print(f"  contracts: {under.untrained}")
    return 0 if seconds < SECONDS and peak < GIGABYTES else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
