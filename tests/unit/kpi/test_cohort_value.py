"""What the buyers of a month brought, month after month."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import duckdb

VARIABLES = {"as_of": "2026-06-29", "timezone": "Asia/Tokyo", "currency": "JPY"}
TABLES = """
create table dim_dates as select day::date as date_on, date_trunc('month', day)::date as month_on
    from range(date '2026-03-01', date '2026-06-30', interval 1 day) d(day);
create table int_retention_people(customer_number integer, first_order_on date);
insert into int_retention_people values (1, '2026-04-30'), (2, '2026-04-01'), (3, '2026-06-01'), (4, null);
create table int_active_days(customer_number integer, active_on date, has_ordered boolean, orders bigint,
    gross decimal(18, 2), net decimal(18, 2));
insert into int_active_days values (1, '2026-04-30', true, 1, 100, 90), (2, '2026-04-01', true, 2, 300, 300),
    (2, '2026-04-20', true, 1, 50, 0), (1, '2026-06-01', true, 1, 70.5, 70.5), (1, '2026-05-05', false, 0, null, null),
    (3, '2026-06-01', true, 1, 10, 10), (4, '2026-06-01', false, 0, null, null);
"""


def test_a_cohort_adds_up_its_months_and_says_which_has_not_ended(render: Callable[..., str]) -> None:
    """Who buys twice in a month is one buyer; a month without orders is there with nothing; visits bring nothing."""
    columns = "cohort_month, months_since_first_order, customers, buyers, orders, gross, refunds, net, net_cumulative"
    with duckdb.connect() as db:
        db.execute(TABLES)
        sql = render("ltv_by_cohort", **VARIABLES)
        found = db.execute(f"select {columns}, is_complete from ({sql}) order by all").fetchall()
        assert db.execute(f"select distinct currency, timezone, as_of from ({sql})").fetchall() == [
            ("JPY", "Asia/Tokyo", date(2026, 6, 29))
        ]
    april, june = date(2026, 4, 1), date(2026, 6, 1)
    assert found == [
        (april, 0, 2, 2, 4, 450, 60, 390, 390, True),
        (april, 1, 2, 0, 0, 0, 0, 0, 390, True),
        (april, 2, 2, 1, 1, 70.5, 0, 70.5, 460.5, False),
        (june, 0, 1, 1, 1, 10, 0, 10, 10, False),
    ]
