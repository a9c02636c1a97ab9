"""The project's own regression and judge on the Telco customers (7,043, 1,869 of them left)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from analytics.churn.judge import Verdict, judge
from analytics.churn.logistic import fit_logistic

FOLDS = 5
NUMBERS = ("tenure", "MonthlyCharges", "TotalCharges")


def customers(folder: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names, columns and whether the customer left; a service that is not there is its own value."""
    rows = list(csv.DictReader((folder / "telco" / "Telco-Customer-Churn.csv").open(encoding="utf-8")))
    names, columns = [], []
    for name in rows[0]:
        if name in ("customerID", "Churn"):
            continue
        told = [row[name].strip() for row in rows]
        if name in NUMBERS:
            # A blank total is that of a customer who has not been billed yet.
            value = np.array([float(t or 0) for t in told])
            names += [name, f"log {name}"]
            columns += [value, np.log1p(value)]
            continue
        for level in sorted(set(told))[1:]:
            names.append(f"{name}={level}")
            columns.append(np.array([t == level for t in told], dtype=float))
    return tuple(names), np.stack(columns, axis=1), np.array([row["Churn"] == "Yes" for row in rows])


@pytest.fixture(scope="module")
def cross_validated(test_data: Path) -> Verdict:
    names, values, left = customers(test_data)
    fold = np.empty(len(left), dtype=int)
    shuffled = np.random.default_rng(20).permutation(len(left))
    # Every fold gets its share of those who left.
    order = shuffled[np.argsort(left[shuffled], kind="stable")]
    fold[order] = np.arange(len(left)) % FOLDS
    probability = np.empty(len(left))
    for k in range(FOLDS):
        model = fit_logistic(names, values[fold != k], left[fold != k])
        probability[fold == k] = model.probability(values[fold == k])
    return judge(probability, left)


def test_telco_is_ranked_as_well_as_it_can_be_and_no_better(cross_validated: Verdict) -> None:
    assert (cross_validated.customers, cross_validated.happened) == (7043, 1869)
    # Above .90 something of the answer would be among the columns.
    assert 0.84 <= cross_validated.auc <= 0.855
    assert cross_validated.lift > 2.5


def test_telco_probabilities_are_probabilities(cross_validated: Verdict) -> None:
    assert cross_validated.brier <= 0.137
    assert cross_validated.calibration_error <= 0.02
    assert 0.9 <= cross_validated.slope <= 1.1
