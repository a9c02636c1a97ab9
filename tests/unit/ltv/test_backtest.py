"""The forecast judged on weeks that it did not see: CDNOW as published, and what must not leak."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.churn.frames import day_number
from analytics.ltv.backtest import TOLERANCE, backtest

CUT, END = date(1997, 9, 30), date(1998, 6, 30)


@pytest.fixture(scope="module")
def cdnow(test_data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CDNOW's purchase days: customer code, day, dollars."""
    spent: dict[tuple[int, int], float] = {}
    for line in (test_data / "cdnow" / "CDNOW_sample.txt").read_text(encoding="ascii").splitlines():
        _, customer, day, _, dollars = line.split()
        key = (int(customer) - 1, day_number(date(int(day[:4]), int(day[4:6]), int(day[6:]))))
        spent[key] = spent.get(key, 0.0) + float(dollars)
    who, day = (np.array(part) for part in zip(*spent, strict=True))
    return who, day, np.array(list(spent.values()))


def test_cdnow_s_weeks_held_out_are_met_within_13_percent(cdnow: tuple[np.ndarray, ...]) -> None:
    """The 39 weeks that Fader, Hardie & Lee (2005) hold out, with the paper's own model: 1,653 of 1,882 purchases."""
    assert timedelta(weeks=39) == (END - CUT)
    judged = backtest(*cdnow, END, holdout_weeks=39, leave_after_first=False)
    total = judged.total
    assert (total["customers"], total["actual_purchases"]) == (2357, 1882)
    assert total["predicted_purchases"] == pytest.approx(1653, rel=0.005)
    assert abs(judged.error) < 0.13 < abs(judged.naive_error)
    assert judged.passed
    rows = judged.table.to_pylist()
    for column in ("customers", "actual_purchases", "inside_interval"):
        assert sum(row[column] for row in rows[1:]) == rows[0][column]
    # At most a tenth above and a tenth below is what the interval promises.
    assert 0.80 <= total["inside_interval"] / total["customers"] < 0.97


def test_nothing_of_the_weeks_held_out_is_seen(cdnow: tuple[np.ndarray, ...]) -> None:
    who, day, money = cdnow
    later = day > day_number(CUT)
    blind = backtest(who[~later], day[~later], money[~later], END, holdout_weeks=39).table.to_pylist()
    seen = backtest(*cdnow, END, holdout_weeks=39).table.to_pylist()
    predicted = ("customers", "predicted_purchases", "naive_purchases", "predicted_value")
    assert [[row[c] for c in predicted] for row in blind] == [[row[c] for c in predicted] for row in seen]
    assert {row["actual_purchases"] for row in blind} == {0}


def test_a_forecast_that_misses_does_not_pass(cdnow: tuple[np.ndarray, ...]) -> None:
    """Everybody stays away in the weeks held out: a fault that the check has to show."""
    who, day, money = cdnow
    keep = (day <= day_number(CUT)) | (who % 10 == 0)
    judged = backtest(who[keep], day[keep], money[keep], END, holdout_weeks=39)
    assert judged.error > TOLERANCE and not judged.passed


def test_too_little_is_not_judged() -> None:
    day = np.arange(300, dtype=np.int64)
    few = backtest(day % 40, day, np.ones(300), date(1970, 10, 27))
    assert (few.table.num_rows, few.reason, few.passed) == (0, "too_little_history", True)
    assert "40 customers" in few.note
    nothing = np.zeros(0, dtype=np.int64)
    assert backtest(nothing, nothing, np.zeros(0), date(2026, 6, 30)).reason == "too_little_history"
