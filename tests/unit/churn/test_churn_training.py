"""What the score learns, what it refuses to say, and that the build itself notices a feature that knows the future."""

from __future__ import annotations

import importlib.util
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics.churn import Assessment, ChurnRules, assess
from analytics.churn.frames import days_of
from analytics.churn.rules import MODEL_TRAINED, MODEL_UNTRAINED
from analytics.churn.training import Examples
from orchestration.churn_check import GOOD_ENOUGH, NO_FUTURE, churn_results

AS_OF = date(2026, 6, 30)
ROOT = Path(__file__).resolve().parents[3]


def run(world: Any, rules: ChurnRules | None = None, **changes: Any) -> Assessment:
    given = {"customers": world.customers, "orders": world.orders, "signals": world.signals, "refunds": world.refunds}
    return assess(**(given | changes), as_of=AS_OF, days=[AS_OF], rules=rules or ChurnRules())


def bands(found: Assessment) -> set[tuple[str, str | None]]:
    return set(zip(*(found.scores[c].to_pylist() for c in ("band", "reason")), strict=True))


@pytest.fixture(scope="module")
def found(world: Any) -> Assessment:
    return run(world)


def results(found: Assessment) -> dict[str, Any]:
    return {r.check_name: r for r in churn_results(found, 0.60)}


def test_a_score_learnt_from_the_past_is_judged_on_a_later_period(found: Assessment) -> None:
    judged = found.evaluation
    assert judged is not None and found.model_of(AS_OF) == MODEL_TRAINED and judged.withheld(0.60) == ""
    # Sunday 2026-06-28 less the horizon: what was scored then, the 90 days after it have answered.
    assert judged.day == days_of(pa.array([date(2026, 3, 30)]))[0]
    assert judged.verdict.auc > 0.6 and judged.verdict.lift > 1
    assert sum(b.customers for b in judged.verdict.curve) == judged.verdict.customers
    shown = results(found)[GOOD_ENOUGH]
    assert shown.passed and "AUC" in (shown.description or "") and "base64" in str(shown.metadata["picture"].value)


def test_a_feature_made_of_the_labels_future_is_caught_and_withholds_every_score(world: Any) -> None:
    # The planted leak: who will buy within the horizon carries the signal before they do.
    days = days_of(world.orders["ordered_on"]).astype(np.int32)
    ahead = pa.table(
        {
            "customer_id": world.orders["customer_id"],
            "signal": pa.array(["recent_visit"] * len(days)),
            "start_on": pa.array(days - 90).cast(pa.date32()),
            "end_on": pa.array(days).cast(pa.date32()),
        },
        schema=world.signals.schema,
    )
    leaking = run(world, signals=pa.concat_tables([world.signals, ahead]))
    assert leaking.evaluation is not None and "recent_visit" in leaking.evaluation.leaks
    assert {b for b in bands(leaking) if b[0] in ("high", "medium", "low", "withheld")} == {
        ("withheld", "leak_suspected")
    }
    assert leaking.scores["probability"].null_count == leaking.scores.num_rows
    assert leaking.daily.num_rows == leaking.driver_daily.num_rows == 0
    assert not results(leaking)[NO_FUTURE].passed and "recent_visit" in (results(leaking)[NO_FUTURE].description or "")


def test_below_the_floor_probabilities_are_withheld_and_values_stay(world: Any, found: Assessment) -> None:
    hidden = run(world, ChurnRules(floor=0.95))
    assert {b for b in bands(hidden) if b[0] not in ("lapsed", "not_scored")} == {("withheld", "below_floor")}
    assert hidden.scores["expected_value"].equals(found.scores["expected_value"])
    assert hidden.daily.num_rows == 0


def test_a_short_past_is_scored_by_the_purchase_model_and_says_so(world: Any) -> None:
    since = pa.scalar(AS_OF - timedelta(days=200))
    young = run(
        world, ChurnRules(min_customers=200), orders=world.orders.filter(pc.greater(world.orders["ordered_on"], since))
    )
    assert young.model_of(AS_OF) == MODEL_UNTRAINED and set(young.scores["model"].to_pylist()) == {MODEL_UNTRAINED}
    assert young.evaluation is None and "weeks of examples" in young.untrained
    assert {"high", "low"} <= {b for b, _ in bands(young)}
    assert all(r.passed and (r.description or "").startswith("Not judged: ") for r in results(young).values())


def test_no_example_is_used_before_its_horizon_is_over(world: Any) -> None:
    rules = ChurnRules()
    sunday = days_of(pa.array([date(2026, 6, 28)]))[0]
    needed = Examples(rules).days_needed(int(sunday))
    assert max(needed) == sunday and min(needed) == sunday - 24 * 7 - 90
    # Orders after the Sunday change nothing of what was learnt by it.
    cut = world.orders.filter(pc.less_equal(world.orders["ordered_on"], pa.scalar(date(2026, 6, 28))))
    model = {
        n: run(world, orders=o).models[date(2026, 6, 28)].trained for n, o in (("all", world.orders), ("cut", cut))
    }
    assert model["all"] is not None and model["cut"] is not None
    assert model["all"].weights == model["cut"].weights and (model["all"].model.slope == model["cut"].model.slope).all()


def test_the_demo_company_is_scored_nearly_as_well_as_its_generator_could_and_its_trouble_is_named() -> None:
    """The small version of `bench/churn_truth.py`."""
    spec = importlib.util.spec_from_file_location("churn_truth", ROOT / "bench" / "churn_truth.py")
    assert spec is not None and spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    truth, verdict, best, named, bands = bench.compared(bench.make_world(2000, 2, 730, bench.END))
    assert verdict.customers > 0.99 * len(truth.person) and truth.troubled.sum() > 50
    assert best - verdict.auc < 0.03 and 0.85 < verdict.slope < 1.15
    assert named > 0.95
    # A calm company: nobody is alarmed by more than one active customer in four.
    assert 0.05 < bands["high"] < 0.25
