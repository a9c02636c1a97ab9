"""No model of the demo's builds compares every row with every row: a million customers would wait for days.

The engine does so, without a word, for a join whose conditions it cannot split into equal columns and ranges: one with
`or`, `like` or `case` in it. On 2,000 people nobody notices. 134,000 sessions beside 50,000 logins took seven minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import duckdb
import pytest
from demo_day import DAYS

#: Joins of all rows with all rows that stay, since one side is a handful whatever the company.
FEW = {
    "golden_attributes": "a few sources and a few patterns of their names",
    "int_kpi_pace": "KPIs by day that have a target, and eight weeks",
    "int_kpi_steps": "seven days of a window and the steps between two builds",
    "churn_drivers_daily": "one row of calibration",
    "churn_risk_daily": "one row of calibration",
    "segment_stability": "one row of the version before",
    "ltv_by_contract": "twelve months of tenure",
}

_TABLE = re.compile(r"\s*create or replace table \S+\s+as\s*\((.*)\)", re.S)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", ()):
        yield from _nodes(child)


def _compares_all(plans: list[dict[str, Any]]) -> list[str]:
    """The conditions of joins that the engine makes by trying every pair."""
    found = [node for plan in plans for node in _nodes(plan) if node["name"].strip() == "BLOCKWISE_NL_JOIN"]
    return [str(node["extra_info"].get("Condition") or node["extra_info"].get("Conditions")) for node in found]


@pytest.fixture(scope="module", params=DAYS, ids=["day 1", "day 2"])
def plans(demo: Any, request: pytest.FixtureRequest) -> dict[str, list[dict[str, Any]]]:
    """Model -> plan of the statement that made it, as the engine would go about it again on that build."""
    manifest = demo.manifest(request.param)
    folder = demo.path / "builds" / manifest["build_id"] / f"a{manifest['attempt']}"
    found = {}
    with closing(duckdb.connect(str(folder / "build.duckdb"), read_only=True)) as db:
        for file in folder.glob("dbt/*/run/**/models/**/*.sql"):
            made = re.match(
                r"\s*create or replace (?:temporary )?table \S+\s+as\s*\((.*)\)", file.read_text("utf-8"), re.S
            )
            if made and not file.parent.name.endswith(".yml"):
                found[file.stem] = json.loads(db.execute("explain (format json) " + made[1]).fetchall()[0][1])
    return found


def test_no_model_tries_every_pair_of_rows(plans: dict[str, list[dict[str, Any]]]) -> None:
    assert {"fct_sessions", "fct_orders", "customer_360", "kpi_daily"} <= plans.keys()
    assert {name: _compares_all(plan) for name, plan in plans.items() if name not in FEW and _compares_all(plan)} == {}


def test_a_join_by_or_is_noticed() -> None:
    with closing(duckdb.connect()) as db:
        db.execute("create table a as select i, i % 7 as k from range(5000) t(i)")
        statement = "select * from a left join a as b on a.k = b.k and a.i < b.i and (b.i is null or b.i > a.k)"
        plan = json.loads(db.execute("explain (format json) " + statement).fetchall()[0][1])
    assert _compares_all(plan)
