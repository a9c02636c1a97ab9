"""Who came back within so many days of their own first day, and cohorts by each way to come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

#: Vars as the default configuration has them, with short windows.
VARIABLES = {"as_of": "2026-06-30", "timezone": "Asia/Tokyo", "currency": "JPY", "retention_windows": [1, 7, 30]}
TABLES = """
create table int_retention_people(customer_id varchar, customer_number integer, first_order_on date,
    first_session_on date, signed_up_on date, last_order_on date, last_session_on date);
create table int_active_days(customer_number integer, active_on date, has_ordered boolean, has_visited boolean,
    orders bigint, sessions bigint, gross decimal(18, 2), net decimal(18, 2));
create table dim_customers(customer_id varchar, region varchar, age_band varchar);
create table int_customer_value(customer_id varchar, first_channel varchar);
create table int_contract_cohorts(customer_id varchar, cohort date, period_number bigint, recurring decimal(18, 2));
"""
#: (customer, first day, further days): orders, visits, and the day of the sign-up.
ORDERS = {"aya": ["2026-04-01", "2026-04-02"], "ken": ["2026-04-30", "2026-05-07"], "mio": ["2026-05-31", "2026-06-30"]}
VISITS = {"aya": ["2026-05-31", "2026-06-08"], "ken": ["2026-05-01", "2026-06-30"]}
SIGN_UPS = {"aya": "2026-04-02", "ken": "2026-05-31", "rin": "2026-06-01"}


@pytest.fixture
def people() -> Iterator[duckdb.DuckDBPyConnection]:
    """Four people and their days; whoever signed up and was never seen is one of them."""
    with duckdb.connect() as db:
        db.execute(TABLES)
        for number, who in enumerate(("aya", "ken", "mio", "rin"), 1):
            orders, visits = ORDERS.get(who, []), VISITS.get(who, [])
            ends = [days[place] if days else None for place in (0, -1) for days in (orders, visits)]
            row = (who, number, ends[0], ends[1], SIGN_UPS.get(who), ends[2], ends[3])
            db.execute("insert into int_retention_people values (?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("insert into dim_customers values (?, ?, '30-39')", (who, "west" if who == "ken" else "east"))
            for day in sorted({*orders, *visits}):
                bought = day in orders
                money = (100 if bought else None,) * 2
                active = (number, day, bought, day in visits, int(bought), int(day in visits), *money)
                db.execute("insert into int_active_days values (?, ?, ?, ?, ?, ?, ?, ?)", active)
        yield db


def windows(
    db: duckdb.DuckDBPyConnection, render: Callable[..., str], where: str, **others: Any
) -> list[tuple[Any, ...]]:
    sql = render("retention_within_days", **(VARIABLES | others))
    columns = "cohort_month, window_days, cohort_size, returned, lost, rate, is_complete"
    return db.execute(f"select {columns} from ({sql}) where {where} order by all").fetchall()


def test_back_within_d_days_counts_from_the_own_first_day(
    people: duckdb.DuckDBPyConnection, render: Callable[..., str]
) -> None:
    """Aya on day 1, Ken on day 7, Mio on day 30; May's windows end when its last day has had all of them."""
    april, may = date(2026, 4, 1), date(2026, 5, 1)
    assert windows(people, render, "cohort_by = 'first_order' and segment_type = 'overall'") == [
        (april, 1, 2, 1, 1, 0.5, True),
        (april, 7, 2, 2, 0, 1.0, True),
        (april, 30, 2, 2, 0, 1.0, True),
        (may, 1, 1, 0, 1, 0.0, True),
        (may, 7, 1, 0, 1, 0.0, True),
        (may, 30, 1, 1, 0, 1.0, True),
    ]
    late = windows(
        people, lambda model, **names: render(model, **(names | {"as_of": "2026-06-29"})), "window_days = 30"
    )
    assert {row[0]: row[-1] for row in late if row[0] < date(2026, 6, 1)} == {april: True, may: False}


def test_visits_come_back_by_visits_and_sign_ups_by_anything_from_their_day_on(
    people: duckdb.DuckDBPyConnection, render: Callable[..., str]
) -> None:
    may, april, june = date(2026, 5, 1), date(2026, 4, 1), date(2026, 6, 1)
    visits = windows(people, render, "cohort_by = 'first_session' and segment_type = 'overall'")
    assert [row[:4] for row in visits] == [(may, 1, 2, 0), (may, 7, 2, 0), (may, 30, 2, 1)]
    # Aya ordered on the very day; Ken came on day 30; Rin never.
    signed = windows(people, render, "cohort_by = 'sign_up' and segment_type = 'overall'")
    assert [row[:4] for row in signed if row[0] == april] == [(april, 1, 1, 1), (april, 7, 1, 1), (april, 30, 1, 1)]
    assert [row[:4] for row in signed if row[0] == may] == [(may, 1, 1, 0), (may, 7, 1, 0), (may, 30, 1, 1)]
    assert [row[:4] for row in signed if row[0] == june] == [(june, 1, 1, 0), (june, 7, 1, 0), (june, 30, 1, 0)]
    west = windows(people, render, "cohort_by = 'first_order' and segment = 'west'")
    assert [row[1:4] for row in west] == [(1, 1, 0), (7, 1, 1), (30, 1, 1)]


def test_each_way_to_come_has_cohorts_by_day_week_month_and_year(
    people: duckdb.DuckDBPyConnection, render: Callable[..., str]
) -> None:
    """Returned in the period and, unbounded, in or after it; subscriptions have months, and what was paid in them."""
    contracts = [(0, 100), (1, 250), (2, 40)]
    for number, paid in contracts:
        people.execute("insert into int_contract_cohorts values ('ken', '2026-04-01', ?, ?)", (number, paid))
    sql = render("int_retention", **VARIABLES, retention_periods={"day": 2, "week": 3})
    people.execute(f"create table int_retention as {sql}")
    columns = "cohort::varchar, period_number, cohort_size, returned, returned_unbounded, is_complete"

    def shown(definition: str, segment: str = "all") -> list[tuple[Any, ...]]:
        where = f"definition = '{definition}' and segment = '{segment}'"
        return people.execute(f"select {columns} from int_retention where {where} order by all").fetchall()

    ways, grains = ("first_order", "first_session", "sign_up"), ("day", "week", "month", "year")
    expected = {f"{way}_{grain}" for way in ways for grain in grains} | {"first_subscription_month"}
    assert {row[0] for row in people.execute("select distinct definition from int_retention").fetchall()} == expected
    assert [row for row in shown("first_order_day") if row[0] == "2026-04-01"] == [
        ("2026-04-01", 0, 1, 1, 1, True),
        ("2026-04-01", 1, 1, 1, 1, True),
        ("2026-04-01", 2, 1, 0, 0, True),
    ]
    # Ken came on a Friday and again in the tenth week: after the last one shown, so he is back unbounded.
    assert [row[1:5] for row in shown("first_session_week") if row[0] == "2026-04-27"] == [
        (0, 1, 1, 1),
        (1, 1, 0, 1),
        (2, 1, 0, 1),
        (3, 1, 0, 1),
    ]
    assert shown("sign_up_month") == [
        ("2026-04-01", 0, 1, 1, 1, True),
        ("2026-04-01", 1, 1, 1, 1, True),
        ("2026-04-01", 2, 1, 1, 1, True),
        ("2026-05-01", 0, 1, 0, 1, True),
        ("2026-05-01", 1, 1, 1, 1, True),
        ("2026-06-01", 0, 1, 0, 0, True),
    ]
    assert [row[:3] for row in shown("first_order_month", "west")] == [
        ("2026-04-01", 0, 1),
        ("2026-04-01", 1, 1),
        ("2026-04-01", 2, 1),
    ]
    assert shown("first_order_year") == [("2026-01-01", 0, 3, 3, 3, False)]
    money = "period_number, net, net_kept, returned"
    paid = people.execute(
        f"select {money} from int_retention where cohort_by = 'first_subscription' and segment = 'all' order by 1"
    ).fetchall()
    # Growth of who stays is net revenue retention; the gross one keeps at most what the first month brought.
    assert paid == [(0, 100, 100, 1), (1, 250, 100, 1), (2, 40, 40, 1)]


def test_revenue_retention_is_by_the_first_period_s_own_money(
    people: duckdb.DuckDBPyConnection, render: Callable[..., str]
) -> None:
    people.execute(
        "insert into int_contract_cohorts values ('ken', '2026-05-01', 0, 200), ('ken', '2026-05-01', 1, 300)"
    )
    people.execute(
        "insert into int_contract_cohorts values ('mio', '2026-05-01', 0, 100), ('mio', '2026-05-01', 1, 60)"
    )
    sql = render("int_retention", **VARIABLES, retention_periods={"day": 2, "week": 3})
    people.execute(f"create table int_retention as {sql}")
    figures = "period_number, rate, revenue_retention, gross_revenue_retention, currency, is_complete"
    shown = people.execute(
        f"select {figures} from ({render('retention_cohorts', **VARIABLES)}) "
        "where definition = 'first_subscription_month' order by 1"
    ).fetchall()
    # 360 of 300; of the 300, 200 and 60 were kept.
    assert shown == [(0, 1.0, 1.0, 1.0, "JPY", True), (1, 1.0, 1.2, 0.866667, "JPY", True)]
