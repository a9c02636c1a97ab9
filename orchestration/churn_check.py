"""The churn scores, judged in every build on a later period than they learnt from: verdicts and the curve."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from analytics.churn import Assessment
    from analytics.churn.training import Evaluation

ASSET = dg.AssetKey(["scores", "churn_scores"])
GOOD_ENOUGH = "scores_rank_and_size_a_later_period"
NO_FUTURE = "features_hold_nothing_of_the_future"
NO_DRIFT = "features_are_distributed_as_in_training"

CHECKS = [
    dg.AssetCheckSpec(
        name=GOOD_ENOUGH,
        asset=ASSET,
        description="Out of time, the probabilities rank customers and have the right size; else they are withheld.",
    ),
    dg.AssetCheckSpec(
        name=NO_FUTURE,
        asset=ASSET,
        description="No feature tells the outcome apart better than anybody could before it; else scores are withheld.",
    ),
    dg.AssetCheckSpec(
        name=NO_DRIFT,
        asset=ASSET,
        description="No feature of those who are scored is distributed otherwise than when the model learnt from it.",
    ),
]


def churn_results(found: Assessment, floor: float) -> Iterator[dg.AssetCheckResult]:
    """What the three checks show. None stops a build: withheld scores are NULL, and say why in `reason`."""
    judged = found.evaluation
    if judged is None:
        note = found.untrained or "no scores: " + "; ".join(sorted(set(found.withheld.values())))
        for name in (GOOD_ENOUGH, NO_FUTURE, NO_DRIFT):
            yield _result(name, True, f"Not judged: {note}.", {"model": "untrained"})
        return
    verdict, withheld = judged.verdict, judged.withheld(floor)
    yield _result(
        GOOD_ENOUGH,
        withheld != "below_floor",
        f"AUC {verdict.auc:.3f} (floor {floor:.2f}), Brier {verdict.brier:.3f}, slope {verdict.slope:.2f}, "
        f"lift at 10 % {verdict.lift:.2f} on {verdict.customers:,} customers"
        + (": the scores are withheld." if withheld else "."),
        {
            "judged_from": _day(judged),
            "customers": verdict.customers,
            "stayed_away": verdict.happened,
            "auc": verdict.auc,
            "auc_error": verdict.auc_error,
            "brier": verdict.brier,
            "calibration_slope": verdict.slope,
            "calibration_error": verdict.calibration_error,
            "lift_at_10_percent": verdict.lift,
            "picture": _picture(judged),
        },
    )
    leaks = ", ".join(judged.leaks)
    told = f"{leaks}: knows the outcome, so it was made from it; the scores are withheld." if leaks else "None does."
    yield _result(NO_FUTURE, not leaks, told, {"leaks": leaks or "none"})
    drifted = judged.drifted
    yield _result(
        NO_DRIFT,
        not drifted,
        f"Drifted: {', '.join(drifted)}." if drifted else "None has drifted.",
        {f"psi_{name}": value for name, value in judged.drift.items()},
    )


def _result(name: str, passed: bool, description: str, metadata: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=ASSET,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )


def _day(judged: Evaluation) -> str:
    from analytics.churn.frames import day_of

    return day_of(judged.day).isoformat()


def _picture(judged: Evaluation) -> dg.MarkdownMetadataValue:
    from kizuna.scorecard.calibration import calibration_chart
    from kizuna.scorecard.render import chart_png

    points = [(b.predicted, b.happened / b.customers) for b in judged.verdict.curve]
    text = base64.b64encode(chart_png(calibration_chart(points))).decode("ascii")
    return dg.MetadataValue.md(f"![Predicted and actual share without a purchase](data:image/png;base64,{text})")
