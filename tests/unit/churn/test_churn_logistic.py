from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from analytics.churn.judge import auc, drift, judge
from analytics.churn.logistic import Belief, fit_logistic
from analytics.ltv.maximise import FitFailed


def drawn(rows: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = np.stack([rng.normal(5, 2, rows), (rng.random(rows) < 0.1).astype(float)], axis=1)
    truth = expit(-1.0 + 0.5 * (values[:, 0] - 5) + 1.2 * values[:, 1])
    return values, truth, rng.random(rows) < truth


def test_slopes_that_drew_the_labels_are_found_and_contributions_add_up_to_the_log_odds() -> None:
    values, truth, happened = drawn(40_000)
    model = fit_logistic(("visits", "complaint"), values, happened)
    assert model.slope == pytest.approx([0.5, 1.2], abs=0.08)
    assert model.intercept + model.contributions(values).sum(axis=1) == pytest.approx(model.log_odds(values.T))
    verdict = judge(model.probability(values.T), happened)
    assert verdict.slope == pytest.approx(1, abs=0.02) and verdict.calibration_error < 0.01
    assert verdict.auc == pytest.approx(auc(truth, happened), abs=0.002)


def test_of_many_rows_the_maximum_is_that_of_all_of_them() -> None:
    """A part of the rows looks for it first: here that part never saw the rare column, which tells most."""
    rng = np.random.default_rng(3)
    rows = 24_000
    usual, rare = rng.normal(size=rows), (np.arange(rows) % 8 != 0) & (rng.random(rows) < 0.01)
    values = np.stack([usual, rare], axis=1)
    happened = rng.random(rows) < 1 / (1 + np.exp(2 - usual - 3 * rare))
    model = fit_logistic(("usual", "rare"), values, happened)
    # At the maximum the slope of the likelihood is that of the prior: 3 log-odds per standard deviation.
    missed = values.T @ (happened - model.probability(values.T))
    assert missed == pytest.approx(model.slope * values.var(axis=0) / 9, abs=1e-4)
    assert abs(float((happened - model.probability(values.T)).sum())) < 1e-4 and model.slope[1] > 2


def test_a_belief_holds_where_labels_are_few_and_yields_where_they_are_many() -> None:
    believed = {"complaint": Belief(3.0, 0.5)}
    few, many = (
        fit_logistic(("visits", "complaint"), *drawn(rows)[::2], beliefs=believed).slope[1] for rows in (30, 40_000)
    )
    assert few == pytest.approx(3.0, abs=0.7) and many == pytest.approx(1.2, abs=0.15)
    values, _, happened = drawn(500)
    values[:, 1] = 0.0
    assert fit_logistic(("visits", "complaint"), values, happened, beliefs=believed).slope[1] == 3.0


def test_one_outcome_alone_teaches_and_judges_nothing() -> None:
    values = drawn(50)[0]
    with pytest.raises(FitFailed, match="all labels are the same"):
        fit_logistic(("visits", "complaint"), values, np.ones(50, dtype=bool))
    with pytest.raises(FitFailed, match="only one outcome"):
        judge(values[:, 0], np.zeros(50, dtype=bool))


def test_probabilities_that_are_too_sure_of_themselves_have_a_slope_below_one() -> None:
    _, truth, happened = drawn(20_000)
    odds = np.log(truth / (1 - truth))
    assert judge(expit(2 * odds), happened).slope == pytest.approx(0.5, abs=0.05)
    top = judge(truth, happened)
    assert top.lift == pytest.approx(happened[np.argsort(-truth)[:2000]].mean() / happened.mean(), abs=1e-6)
    assert sum(b.happened for b in top.curve) == top.happened == happened.sum()


def test_drift_is_none_between_equal_days_and_large_where_a_feature_moved() -> None:
    before = np.random.default_rng(1).normal(0, 1, 5000)
    assert drift(before, before) == 0
    assert drift(before, before[:2500]) < 0.02
    assert drift(before, before + 1) > 0.25
    assert drift(np.zeros(100), np.ones(100)) > 0.25
