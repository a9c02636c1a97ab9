"""A file that comes seven weeks late: its day gets the money, and no other day's money moves."""

from __future__ import annotations

from datetime import date
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
    cli("run", "--home", demo_copy.path, "--as-of", "2026-06-30")
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


def test_its_buyer_is_a_customer_since_that_day(restated: Any) -> None:
    query = f"SELECT count(*), min(first_order_on) FROM marts.customer_360 WHERE gross_revenue = {AMOUNT}"
    assert restated.published(query, 2) == [(0, None)]
    assert restated.published(query, 3) == [(1, LATE_DAY)]
