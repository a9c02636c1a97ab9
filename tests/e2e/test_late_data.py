"""A file that comes seven weeks late: its day gets the money, and no other day's money moves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

LATE_DAY = date(2026, 5, 10)
AMOUNT = 123_457
ORDER = "#990001"
FILE = (
    "Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Created at,"
    "Lineitem quantity,Lineitem name,Lineitem price\n"
    f"{ORDER},late.order@example.jp,paid,{LATE_DAY} 23:59:30 +0900,JPY,{AMOUNT},0,0,{AMOUNT},"
    f"{LATE_DAY} 23:59:30 +0900,1,急須,{AMOUNT}\n"
)
MONEY = "SELECT day, numerator FROM marts.kpi_daily WHERE kpi = '{}' AND segment_type = 'overall' ORDER BY day"


@pytest.fixture(scope="module")
def restated(demo_copy: Any, cli: Any) -> Any:
    """The demo after its second day was built again with the late file."""
    (demo_copy.path / "landing" / "shopify" / "orders_export_late.csv").write_text(FILE, encoding="utf-8")
    cli.forked("run", "--home", demo_copy.path, "--as-of", "2026-06-30")
    assert demo_copy.versions() == [1, 2, 3]
    return demo_copy


def test_the_order_lies_on_the_local_day_it_was_made(restated: Any) -> None:
    found = restated.build(f"SELECT ordered_on, gross_reporting FROM core.fct_orders WHERE order_id LIKE '%{ORDER}'")
    assert found == [(LATE_DAY, AMOUNT)]


@pytest.mark.parametrize("kpi", ["gross_revenue", "net_revenue"])
def test_its_day_is_restated_by_it_alone(restated: Any, kpi: str) -> None:
    before, after = (dict(restated.published(MONEY.format(kpi), version)) for version in (2, 3))
    assert before.keys() == after.keys()
    assert {day: after[day] - before[day] for day in before if after[day] != before[day]} == {LATE_DAY: AMOUNT}


def test_the_difference_is_explained_by_the_late_file_alone(restated: Any) -> None:
    """Every value of a past day that the third version says otherwise, and what kpi_restatements makes of it."""
    daily = "SELECT kpi, segment_type, segment, day, coalesce(value, 0)::DECIMAL(20,6) FROM marts.kpi_daily"
    before, after = ({row[:4]: row[4] for row in restated.published(daily, version)} for version in (2, 3))
    changed = {key: value - before[key] for key, value in after.items() if key in before and value != before[key]}
    told = restated.published(
        "SELECT kpi, segment_type, segment, day, sum(effect), list(DISTINCT cause ORDER BY cause) "
        "FROM marts.kpi_restatements WHERE build_id = (SELECT max(build_id) FROM marts.kpi_restatements "
        "WHERE build_number = (SELECT max(build_number) FROM marts.kpi_restatements)) GROUP BY ALL",
        3,
    )
    assert {row[:4]: row[4] for row in told} == changed
    assert {row[3] for row in told} <= {LATE_DAY + timedelta(days=days) for days in range(90)}
    assert {cause for row in told for cause in row[5]} == {"late_file"}
    assert ("gross_revenue", "overall", "all", LATE_DAY) in changed
    assert restated.published("SELECT count(*) FROM marts.kpi_restatements WHERE cause = 'unexplained'") == [(0,)]


def test_its_buyer_is_a_customer_since_that_day(restated: Any) -> None:
    query = f"SELECT count(*), min(first_order_on) FROM marts.customer_360 WHERE gross_revenue = {AMOUNT}"
    assert restated.published(query, 2) == [(0, None)]
    assert restated.published(query, 3) == [(1, LATE_DAY)]
