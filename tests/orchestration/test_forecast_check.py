"""What the check of the forecast shows in the UI: numbers that plot, a picture, nobody's name."""

from __future__ import annotations

import base64
from datetime import date

import pyarrow as pa

from analytics.ltv.backtest import BACKTEST_SCHEMA, Backtest
from orchestration.forecast_check import backtest_result


def _judged(predicted: float) -> Backtest:
    row = {"calibration_ends_on": date(2026, 1, 1), "holdout_weeks": 26, "naive_purchases": 900.0,
           "predicted_value": 5000.0, "actual_value": 5200.0}  # fmt: skip
    groups = [
        {**row, "repeat_purchases": name, "customers": n, "predicted_purchases": p, "actual_purchases": a,
         "inside_interval": n - 5}
        for name, n, p, a in (("all", 600, predicted, 500), ("0", 400, predicted / 4, 100), ("1", 200, 300.0, 400))
    ]  # fmt: skip
    return Backtest(pa.Table.from_pylist(groups, schema=BACKTEST_SCHEMA))


def test_the_result_tells_the_error_and_shows_a_picture() -> None:
    result = backtest_result(_judged(450.0))
    assert result.passed and "-10.0%" in (result.description or "")
    assert result.metadata["error"].value == -0.1
    assert result.metadata["share_inside_interval"].value == 0.9917
    picture = str(result.metadata["picture"].value)
    data = base64.b64decode(picture.partition("base64,")[2].rstrip(")"))
    assert data.startswith(b"\x89PNG") and int.from_bytes(data[16:20], "big") < 1000


def test_a_miss_warns_and_a_refusal_says_why() -> None:
    missed = backtest_result(_judged(800.0))
    assert not missed.passed and missed.severity.value == "WARN"
    refused = backtest_result(Backtest(BACKTEST_SCHEMA.empty_table(), "too_little_history", "40 customers of whom …"))
    assert refused.passed and refused.description == "Not judged: 40 customers of whom …."
