"""The churn scores, judged in every build on a later period than they learnt from: verdicts and the curve."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from analytics.churn import Assessment, ContractAssessment
    from analytics.churn.training import Evaluation

ASSET = dg.AssetKey(["scores", "churn_scores"])
GOOD_ENOUGH = "scores_rank_and_size_a_later_period"
NO_FUTURE = "features_hold_nothing_of_the_future"
NO_DRIFT = "features_are_distributed_as_in_training"

CONTRACTS = dg.AssetKey(["scores", "contract_scores"])


def _checks(asset: dg.AssetKey, ranked: str) -> list[dg.AssetCheckSpec]:
    told = {
        GOOD_ENOUGH: f"Out of time, the probabilities rank {ranked} and have the right size; else they are withheld.",
        NO_FUTURE: "No feature tells the outcome apart better than anybody could before it; else scores are withheld.",
        NO_DRIFT: "No feature of those who are scored is distributed otherwise than when the model learnt from it.",
    }
    return [dg.AssetCheckSpec(name=name, asset=asset, description=text) for name, text in told.items()]


CHECKS = _checks(ASSET, "customers")
CONTRACT_CHECKS = _checks(CONTRACTS, "payers under contract")


def churn_results(found: Assessment, floor: float) -> Iterator[dg.AssetCheckResult]:
    """What the three checks show. None stops a build: withheld scores are NULL, and say why in `reason`."""
    note = found.untrained or "no scores: " + "; ".join(sorted(set(found.withheld.values())))
    yield from _results(ASSET, found.evaluation, note, floor, "customers", "stayed_away")


def contract_results(found: ContractAssessment, floor: float) -> Iterator[dg.AssetCheckResult]:
    """The same of contracts; a company without contracts has nothing to judge."""
    note = found.untrained if found.scores.num_rows else "no contract runs"
    yield from _results(CONTRACTS, found.evaluation, note, floor, "payers under contract", "left")


def _results(
    asset: dg.AssetKey, judged: Evaluation | None, note: str, floor: float, who: str, happened: str
) -> Iterator[dg.AssetCheckResult]:
    def result(name: str, passed: bool, description: str, metadata: dict[str, Any]) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            asset_key=asset,
            check_name=name,
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=description,
            metadata=metadata,
        )

    if judged is None:
        for name in (GOOD_ENOUGH, NO_FUTURE, NO_DRIFT):
            yield result(name, True, f"Not judged: {note}.", {"model": "untrained"})
        return
    verdict, withheld = judged.verdict, judged.withheld(floor)
    yield result(
        GOOD_ENOUGH,
        withheld != "below_floor",
        f"AUC {verdict.auc:.3f} (floor {floor:.2f}), Brier {verdict.brier:.3f}, slope {verdict.slope:.2f}, "
        f"lift at 10 % {verdict.lift:.2f} on {verdict.customers:,} {who}"
        + (": the scores are withheld." if withheld else "."),
        {
            "judged_from": _day(judged),
            "customers": verdict.customers,
            happened: verdict.happened,
            "auc": verdict.auc,
            "auc_error": verdict.auc_error,
            "brier": verdict.brier,
            "calibration_slope": verdict.slope,
            "calibration_error": verdict.calibration_error,
            "lift_at_10_percent": verdict.lift,
            "picture": _picture(judged, happened),
        },
    )
    leaks = ", ".join(judged.leaks)
    told = f"{leaks}: knows the outcome, so it was made from it; the scores are withheld." if leaks else "None does."
    yield result(NO_FUTURE, not leaks, told, {"leaks": leaks or "none"})
    drifted = judged.drifted
    yield result(
        NO_DRIFT,
        not drifted,
        f"Drifted: {', '.join(drifted)}." if drifted else "None has drifted.",
        {f"psi_{name}": value for name, value in judged.drift.items()},
    )


def _day(judged: Evaluation) -> str:
    from analytics.churn.frames import day_of

    return day_of(judged.day).isoformat()


def _picture(judged: Evaluation, happened: str) -> dg.MarkdownMetadataValue:
    from kizuna.scorecard.calibration import calibration_chart
    from kizuna.scorecard.render import chart_png

    points = [(b.predicted, b.happened / b.customers) for b in judged.verdict.curve]
    text = base64.b64encode(chart_png(calibration_chart(points))).decode("ascii")
    return dg.MetadataValue.md(f"![Predicted and actual share of those who {happened}](data:image/png;base64,{text})")
