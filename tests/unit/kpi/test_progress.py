"""Targets: what a period has reached, where it is heading, and what that is called; against a reckoning by hand."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kizuna.targets import company_targets

AS_OF = date(2026, 6, 20)
TARGETS = """
- {kpi: net_revenue, period: 2026-06, target: 4000, owner: shop}
- {kpi: net_revenue, period: 2026-W25, target: 100000, owner: shop, at_risk_from: 0.5}
- {kpi: net_revenue, period: 2026-05, target: 4000, owner: shop}
- {kpi: net_revenue, period: 2026-Q1, target: 1, owner: shop, region: 関東}
- {kpi: net_revenue, period: 2026-08, target: 1, owner: shop}
- {kpi: refunds, period: 2026-05, target: 200, owner: shop}
- {kpi: sla_met_share, period: 2026-06, target: 0.9, owner: desk}
- {kpi: open_interactions, period: 2026-06, target: 30, owner: desk}
- {kpi: nps_relational_28d, period: 2026-06, target: 10, owner: voice}
- {kpi: sessions, period: 2026-06, target: 10, owner: web}
- {kpi: high_risk_share, period: 2026-06, target: 0.1, owner: voice}
"""


def amount(day: date) -> int:
    return 100 + 10 * day.isoweekday() + day.day % 3


@pytest.fixture(scope="module")
def progress(render: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    home = tmp_path_factory.mktemp("home")
    (home / "targets.yaml").write_text(TARGETS, encoding="utf-8")
    targets = [target.as_variable() for target in company_targets(home)]
    variables = {"as_of": str(AS_OF), "timezone": "Asia/Tokyo", "currency": "JPY", "targets": targets}
    days = [AS_OF - timedelta(days=back) for back in range(100)]
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for day in days:
        for kpi, numerator in (("net_revenue", amount(day)), ("refunds", 5)):
            rows["orders"].append((kpi, 1, "overall", "all", day, numerator, 0))
        rows["support"].append(("sla_met_share", 1, "overall", "all", day, 8 + day.day % 2, 10))
        rows["support"].append(("open_interactions", 0, "overall", "all", day, day.day % 2, 0))
    rows["surveys"].append(("nps_relational_28d", 0, "overall", "all", days[60], 3, 30))
    with duckdb.connect(config={"threads": "1"}) as db:
        columns = "kpi varchar, is_flow integer, segment_type varchar, segment varchar, day date, "
        for area in ("orders", "sessions", "support", "surveys"):
            parts = "numerator decimal(20,2), denominator decimal(20,2)"
            db.execute(f"create table int_kpi_{area}({columns} {parts})")
            if rows[area]:
                db.executemany(f"insert into int_kpi_{area} values (?, ?, ?, ?, ?, ?, ?)", rows[area])
        risk = "segment_type varchar, segment varchar, day date, at_risk bigint, scored bigint"
        risk += ", value_at_risk decimal(18,2)"
        db.execute(f"create table churn_risk_daily({risk})")
        at_risk = [("overall", "all", day, 10 + day.day % 2, 100, 5) for day in days]
        db.executemany("insert into churn_risk_daily values (?, ?, ?, ?, ?, ?)", at_risk)
        calendar = f"range(date '{AS_OF}' - 99, date '{AS_OF}' + 1, interval 1 day)"
        db.execute(
            f"create table dim_dates as select unnest({calendar})::date as date_on, isodow(date_on) as iso_weekday"
        )
        for model in ("kpi_definitions", "int_kpi_targets", "int_kpi_pace", "kpi_progress"):
            db.execute(f"create table {model} as {render(model, **variables)}")
        found = db.execute("from kpi_progress").fetchall()
        names = [column[0] for column in db.description or []]
    return {(row["kpi"], row["period"]): row for row in (dict(zip(names, values, strict=True)) for values in found)}


def test_every_target_has_its_status(progress: dict[tuple[str, str], Any]) -> None:
    assert {key: row["status"] for key, row in progress.items()} == {
        ("net_revenue", "2026-06"): "on_track",
        ("net_revenue", "2026-W25"): "missed",
        ("net_revenue", "2026-05"): "met",
        ("net_revenue", "2026-Q1"): "unknown",
        ("net_revenue", "2026-08"): "not_started",
        ("refunds", "2026-05"): "met",
        ("sla_met_share", "2026-06"): "at_risk",
        ("open_interactions", "2026-06"): "missed",
        ("nps_relational_28d", "2026-06"): "on_track",
        ("sessions", "2026-06"): "unknown",
        ("high_risk_share", "2026-06"): "on_track",
    }


def test_a_sum_goes_on_as_its_weekdays_did(progress: dict[tuple[str, str], Any]) -> None:
    row = progress["net_revenue", "2026-06"]
    learnt = [AS_OF - timedelta(days=back) for back in range(56)]
    by_weekday = defaultdict(list)
    for day in learnt:
        by_weekday[day.isoweekday()].append(amount(day))
    rest = [date(2026, 6, number) for number in range(21, 31)]
    actual = sum(amount(date(2026, 6, number)) for number in range(1, 21))
    forecast = actual + sum(statistics.mean(by_weekday[day.isoweekday()]) for day in rest)
    within = sum((value - statistics.mean(values)) ** 2 for values in by_weekday.values() for value in values)
    times = [sum(day.isoweekday() == weekday for day in rest) for weekday in range(1, 8)]
    error = math.sqrt(within / 49 * (10 + sum(number**2 / 8 for number in times)))
    assert (row["actual"], row["days_to_come"], row["is_complete"]) == (actual, 10, False)
    assert row["forecast"] == pytest.approx(forecast, abs=1e-4)
    assert row["forecast_low"] == pytest.approx(forecast - 1.959964 * error, abs=1e-3)
    assert row["forecast_high"] == pytest.approx(forecast + 1.959964 * error, abs=1e-3)
    assert row["attainment"] == pytest.approx(actual / 4000, abs=1e-6)


def test_a_ratio_goes_on_at_its_rate_and_a_state_stands(progress: dict[tuple[str, str], Any]) -> None:
    row = progress["sla_met_share", "2026-06"]
    assert float(row["actual"]) == row["forecast"] == pytest.approx(0.85, abs=0.01)
    assert 0.5 < row["forecast_low"] < row["forecast"] < row["forecast_high"] <= 1
    state = progress["open_interactions", "2026-06"]
    opened = sum((AS_OF - timedelta(days=back)).day % 2 for back in range(100))
    assert state["actual"] == state["forecast"] == opened
    assert state["forecast_low"] < opened < state["forecast_high"]
    # Direction down: a backlog of more than the target reaches less than all of it.
    assert state["attainment"] == pytest.approx(30 / opened, abs=1e-6)
    risk = progress["high_risk_share", "2026-06"]
    error = math.sqrt(sum(0.01**2 for _ in range(55)) / 55 * 10)
    assert (float(risk["actual"]), risk["forecast"]) == (0.1, 0.1)
    assert risk["forecast_high"] == pytest.approx(0.1 + 1.959964 * error, rel=0.1)
    nps = progress["nps_relational_28d", "2026-06"]
    assert (nps["actual"], nps["attainment"]) == (10, 1)


def test_a_period_that_is_over_needs_no_forecast(progress: dict[tuple[str, str], Any]) -> None:
    row = progress["net_revenue", "2026-05"]
    assert row["actual"] == row["forecast"] == row["forecast_low"] == row["forecast_high"]
    assert row["actual"] == sum(amount(date(2026, 5, number)) for number in range(1, 32))
    assert row["is_complete"] is True
    nothing = progress["sessions", "2026-06"]
    assert {nothing[name] for name in ("actual", "forecast", "forecast_low", "forecast_high", "attainment")} == {None}
    coming = progress["net_revenue", "2026-08"]
    assert (coming["actual"], coming["days_to_come"]) == (None, 31)
    assert coming["forecast"] == pytest.approx(31 * 141, rel=0.01)


WRONG = {
    "- {kpi: net_revenu, period: 2026-06, target: 1, owner: a}": "targets.yaml:1: kpi: 'net_revenu' is no KPI",
    "- {kpi: orders, period: 2026-13, target: 1, owner: a}": "targets.yaml:1: period: '2026-13' is not a period",
    "- {kpi: orders, period: 2026-W54, target: 1, owner: a}": "is not a period; write it as 2026-06",
    "- {kpi: orders, period: 2027-W53, target: 1, owner: a}": "the year 2027 has no week 53",
    "-\n  kpi: orders\n  period: 2026\n  target: 1,000\n  owner: a": "targets.yaml:4: target: '1,000' is not a number",
    "- {kpi: orders, period: 2026, target: 1}": "`owner:` is missing",
    "- {kpi: orders, period: 2026, target: 1, owner: a@example.com}": "name a role or a team",
    "- {kpi: orders, period: 2026, target: 1, owner: a, direction: sideways}": "choose up (more is better) or down",
    "- {kpi: orders, period: 2026, target: 1, owner: a, at_risk_from: 1.2}": "0 < at_risk_from <= on_track_from <= 2",
    "- {kpi: orders, period: 2026, target: 1, owner: a, who: b}": "'who' is an unknown key",
    "- {kpi: orders, period: 2026, target: 1, owner: a}\n- {kpi: orders, period: 2026, target: 2, owner: a}": (
        "targets.yaml:2: orders has a target for 2026 in line 1 already"
    ),
    "kpi: orders": "write one target per line",
    "- {kpi: first_response_median_minutes, period: 2026, target: 1, owner: a}": "is no KPI with a target",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_names_line_key_and_what_to_do(tmp_path: Path, text: str) -> None:
    from kizuna.errors import InputError

    (tmp_path / "targets.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        company_targets(tmp_path)
    assert WRONG[text] in str(error.value)


def test_every_kpi_but_medians_may_have_a_target(render: Callable[..., str]) -> None:
    from kizuna.targets import known_kpis

    query = f"select kpi from ({render('kpi_definitions')}) where aggregation <> 'median'"
    assert known_kpis() == {kpi for (kpi,) in duckdb.execute(query).fetchall()}


def test_a_target_makes_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kizuna.builds import config_hash
    from kizuna.settings import load_settings

    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", "k" * 40)
    (tmp_path / "kizuna.yaml").write_text("name: x\ndemo: true\n", encoding="utf-8")
    hashes = []
    for text in (
        "",
        "- {kpi: orders, period: 2026, target: 1, owner: a}",
        "- {kpi: orders, period: 2026, target: 2, owner: a}",
    ):
        (tmp_path / "targets.yaml").write_text(text, encoding="utf-8")
        hashes.append(config_hash(load_settings(tmp_path)))
    assert len(set(hashes)) == 3
