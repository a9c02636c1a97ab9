"""What the checks of the churn scores show in the UI: every figure, the curve as a picture, and what they warn of."""

from __future__ import annotations

import base64
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analytics.churn.frames import day_number
from analytics.churn.judge import drift, judge
from analytics.churn.training import Evaluation
from orchestration.churn_check import (
    GOOD_ENOUGH,
    NO_DRIFT,
    NO_FUTURE,
    churn_results,
    contract_results,
)

FLOOR = 0.60


def evaluation(strength: float = 1.0, **changes: Any) -> Evaluation:
    """2,000 people of whom a probability is known; `strength` 0 tells nothing of what happens."""
    rng = np.random.default_rng(6)
    odds = rng.normal(0, 1.2, 2000)
    happened = rng.random(2000) < 1 / (1 + np.exp(-strength * odds))
    verdict = judge(1 / (1 + np.exp(-odds)), happened)
    same = drift(odds, rng.normal(0, 1.2, 2000))
    given: dict[str, Any] = {"day": day_number(date(2026, 3, 30)), "verdict": verdict, "drift": {"silence": same},
                             "leaks": ()}  # fmt: skip
    return Evaluation(**(given | changes))


def shown(judged: Evaluation | None, untrained: str = "") -> dict[str, Any]:
    found: Any = SimpleNamespace(evaluation=judged, untrained=untrained, withheld={})
    return {result.check_name: result for result in churn_results(found, FLOOR)}


def test_every_figure_is_a_number_that_plots_and_the_curve_is_a_picture() -> None:
    judged = evaluation()
    result = shown(judged)[GOOD_ENOUGH]
    verdict, metadata = judged.verdict, result.metadata
    assert result.passed and metadata["judged_from"].value == "2026-03-30"
    figures = {
        "auc": verdict.auc, "auc_error": verdict.auc_error, "brier": verdict.brier,
        "calibration_slope": verdict.slope, "calibration_error": verdict.calibration_error,
        "lift_at_10_percent": verdict.lift,
    }  # fmt: skip
    assert {name: metadata[name].value for name in figures} == figures
    assert all(isinstance(value, float) for value in figures.values())
    assert 0.75 < verdict.auc < 0.82 and 0.9 < verdict.slope < 1.1 and verdict.lift > 1.5
    assert (metadata["customers"].value, metadata["stayed_away"].value) == (2000, verdict.happened)
    told = f"AUC {verdict.auc:.3f} (floor 0.60), Brier {verdict.brier:.3f}, slope {verdict.slope:.2f}, lift at 10 %"
    assert told in (result.description or "")
    data = base64.b64decode(str(metadata["picture"].value).partition("base64,")[2].rstrip(")"))
    assert data.startswith(b"\x89PNG") and int.from_bytes(data[16:20], "big") < 1000


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_below_the_floor_or_far_too_sure_the_check_warns_that_scores_are_withheld(strength: float) -> None:
    judged = evaluation(strength)
    assert judged.withheld(FLOOR) == "below_floor"
    result = shown(judged)[GOOD_ENOUGH]
    assert not result.passed and result.severity.value == "WARN"
    assert (result.description or "").endswith("the scores are withheld.")


def test_a_feature_that_is_distributed_otherwise_warns_and_hides_nothing() -> None:
    rng = np.random.default_rng(7)
    moved = drift(rng.normal(0, 1, 2000), rng.normal(1.5, 1, 2000))
    judged = evaluation(drift={"silence": 0.01, "recent_visit": moved, "money": 0.3})
    found = shown(judged)
    result = found[NO_DRIFT]
    assert not result.passed and result.severity.value == "WARN"
    assert result.description == "Drifted: recent_visit, money.", "the worst first"
    assert result.metadata["psi_recent_visit"].value == moved > 0.25 and result.metadata["psi_silence"].value == 0.01
    assert judged.withheld(FLOOR) == "" and found[GOOD_ENOUGH].passed and found[NO_FUTURE].passed
    assert shown(evaluation())[NO_DRIFT].passed


def test_a_leak_is_named_and_nothing_is_said_of_what_was_not_judged() -> None:
    leaking = shown(evaluation(leaks=("recent_visit",)))[NO_FUTURE]
    assert not leaking.passed and leaking.metadata["leaks"].value == "recent_visit"
    young = shown(None, "3 weeks of examples")
    assert {r.description for r in young.values()} == {"Not judged: 3 weeks of examples."}
    assert set(young) == {GOOD_ENOUGH, NO_FUTURE, NO_DRIFT} and all(r.passed for r in young.values())


def test_contracts_are_shown_likewise_on_their_own_asset() -> None:
    found: Any = SimpleNamespace(evaluation=evaluation(), untrained="", scores=SimpleNamespace(num_rows=1))
    results = {r.check_name: r for r in contract_results(found, FLOOR)}
    assert {r.asset_key.to_user_string() for r in results.values()} == {"scores/contract_scores"}
    assert results[GOOD_ENOUGH].metadata["left"].value == found.evaluation.verdict.happened
