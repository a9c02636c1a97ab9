"""The published figures for CDNOW: Fader, Hardie & Lee 2005; Fader & Hardie 2013 (note 025); Batislam et al. 2007."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analytics.ltv import fit_bgnbd, fit_gamma_gamma


@pytest.fixture(scope="module")
def summary(test_data: Path) -> dict[str, np.ndarray]:
    with (test_data / "cdnow" / "cdnow_customers_summary.csv").open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    names = {"x": "frequency", "t_x": "recency", "T": "T"}
    return {short: np.array([float(r[long]) for r in rows]) for short, long in names.items()}


def test_the_papers_parameters_and_likelihood(summary: dict[str, np.ndarray]) -> None:
    model = fit_bgnbd(**summary, prior=None)
    assert (round(model.r, 3), round(model.alpha, 3), round(model.a, 3), round(model.b, 3)) == (
        0.243,
        4.414,
        0.793,
        2.426,
    )
    assert round(model.log_likelihood, 1) == -9582.4


def test_the_papers_conditional_expectation_and_holdout(summary: dict[str, np.ndarray]) -> None:
    model = fit_bgnbd(**summary, prior=None)
    assert model.expected_purchases(39, [2.0], [30.43], [38.86])[0] == pytest.approx(1.226, abs=0.0005)
    assert model.expected_purchases(39, **summary).sum() == pytest.approx(1653, abs=1)


def test_weak_prior_barely_moves_the_fit(summary: dict[str, np.ndarray]) -> None:
    plain, held = fit_bgnbd(**summary, prior=None), fit_bgnbd(**summary)
    assert held.log_likelihood == pytest.approx(plain.log_likelihood, abs=0.01)
    assert held.expected_purchases(39, **summary).sum() == pytest.approx(1653, rel=0.005)


def test_leaving_after_the_first_purchase_meets_the_mbg_figures(summary: dict[str, np.ndarray]) -> None:
    model = fit_bgnbd(**summary, prior=None, leave_after_first=True)
    assert (round(model.r, 3), round(model.alpha, 3), round(model.a, 3), round(model.b, 3)) == (
        0.525,
        6.183,
        0.891,
        1.614,
    )


def test_gamma_gamma_of_the_note(test_data: Path) -> None:
    spent: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in (test_data / "cdnow" / "CDNOW_sample.txt").read_text(encoding="ascii").splitlines():
        _, customer, day, _, dollars = line.split()
        on = date(int(day[:4]), int(day[4:6]), int(day[6:]))
        if on <= date(1997, 9, 30):
            spent[customer][on] += float(dollars)
    repeats = [[v for _, v in sorted(days.items())][1:] for days in spent.values()]
    repeats = [r for r in repeats if r]
    assert (len(repeats), sum(map(len, repeats))) == (946, 2457)
    model = fit_gamma_gamma([len(r) for r in repeats], [sum(r) / len(r) for r in repeats], prior=None)
    assert (round(model.p, 2), round(model.q, 2), round(model.v, 2)) == (6.25, 3.74, 15.44)
