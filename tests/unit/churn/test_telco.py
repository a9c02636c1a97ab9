"""The project's own regression and judge on the Telco customers (7,043, 1,869 of them left)."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from analytics.churn import ContractRules
from analytics.churn.contract_fits import learn_contracts, names_of
from analytics.churn.contracts import SPANS, ContractBook
from analytics.churn.frames import day_number
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


def folds(left: np.ndarray) -> np.ndarray:
    fold = np.empty(len(left), dtype=int)
    shuffled = np.random.default_rng(20).permutation(len(left))
    # Every fold gets its share of those who left.
    order = shuffled[np.argsort(left[shuffled], kind="stable")]
    fold[order] = np.arange(len(left)) % FOLDS
    return fold


@pytest.fixture(scope="module")
def cross_validated(test_data: Path) -> Verdict:
    names, values, left = customers(test_data)
    fold = folds(left)
    probability = np.empty(len(left))
    for k in range(FOLDS):
        model = fit_logistic(names, values[fold != k], left[fold != k])
        probability[fold == k] = model.probability(values[fold == k].T)
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


def test_telco_as_contracts_is_ranked_as_well_by_tenure_term_price_and_plan(test_data: Path) -> None:
    """Through the code that scores contracts: each customer is a contract that began `tenure` months ago and ends
    within the month or not; the plan is what a billing system would call it, service and way to pay."""
    day, months = date(2026, 6, 30), {"Month-to-month": 1.0, "One year": 12.0, "Two year": 24.0}
    rows = []
    for row in csv.DictReader((test_data / "telco" / "Telco-Customer-Churn.csv").open(encoding="utf-8")):
        begun = day - timedelta(days=round(int(row["tenure"]) * 365 / 12))
        until = day + timedelta(days=15) if row["Churn"] == "Yes" else None
        plan = f"{row['InternetService']}, {row['PaymentMethod']}"
        term, monthly = months[row["Contract"]], Decimal(row["MonthlyCharges"])
        rows.append((row["customerID"], row["customerID"], plan, begun, until, None, until, term, monthly))
    types = [pa.string()] * 3 + [pa.date32()] * 4 + [pa.float64(), pa.decimal128(18, 2)]
    schema = pa.schema(list(zip(SPANS, types, strict=True)))
    spans = pa.Table.from_pylist([dict(zip(SPANS, row, strict=True)) for row in rows], schema=schema)
    nothing = pa.table({n: pa.array([], t) for n, t in zip(("payer", "signal", "start_on", "end_on"),
                        (pa.string(), pa.string(), pa.date32(), pa.date32()), strict=True)})  # fmt: skip
    rules = ContractRules(horizon_days=30)
    book = ContractBook(spans, nothing, rules.codes)
    state = book.at(day_number(day), rules.horizon_days)
    left = ~book.kept(state.day + rules.horizon_days)
    assert len(state.who) == len(left) and (len(left), int(left.sum())) == (7043, 1869)
    plans = tuple(range(len(book.plan_names)))
    names, values, fold = names_of(book, plans, rules), state.values(plans), folds(left)
    probability = np.empty(len(left))
    for k in range(FOLDS):
        model = learn_contracts(names, values[fold != k], left[fold != k], rules)
        probability[fold == k] = model.probability(values[fold == k].T)
    found = judge(probability, left)
    assert 0.84 <= found.auc <= 0.855 and found.brier <= 0.1375 and found.calibration_error <= 0.02
    assert 0.9 <= found.slope <= 1.1
