"""Rules that compare with what was published: one small company with a month of history, harmed one table at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from expectations.context import GateContext, GateLimits
from expectations.registry import GATES
from expectations.report import RelationVerdict
from expectations.runner import run_gate

AS_OF = date(2026, 6, 30)
CONTEXT = GateContext(
    as_of=AS_OF, timezone="Asia/Tokyo", currency="JPY", previous_as_of=date(2026, 6, 29),
    previous_rows={"raw.mapped__order": 2000, "raw.mapped__survey_response": 300},
)  # fmt: skip

#: Thirty daily deliveries of 100 orders, the last of them new; orders at 9 to 18 o'clock, most at noon.
_HISTORY = """
create schema if not exists state; create schema if not exists marts; create schema if not exists core;
create table raw.batches as
  select 'b' || i as batch_id, 'shop' as source, 'order' as entity, 'raw.mapped__order' as relation, 100 as rows_in,
    case when i = 29 then 400 else 100 end as accepted, 0 as quarantined, 0 as duplicates,
    timestamp '2026-06-01 01:00:00' + to_days(i::int) as first_event_at,
    timestamp '2026-06-01 09:00:00' + to_days(i::int) as last_event_at,
    timestamp '2026-06-01 20:00:00' + to_days(i::int) as loaded_at
  from range(30) r(i);
create table state.published_batches as select batch_id from raw.batches where batch_id <> 'b29';
create table raw.mapped__order as
  select 'o' || i as order_key, 'c' || i as customer_key,
    timestamp '2026-06-01' + to_days((i // 100)::int) + to_hours((1 + i % 10)::int) + to_minutes((i % 7)::int)
      as ordered_at,
    null::timestamp as cancelled_at, 'JPY' as currency, (1000 + i % 300)::decimal(18,2) as gross_amount,
    0::decimal(18,2) as discount_amount, 1 as quantity,
    if(i % 10 < 3, null, 'east') as region, least(i // 100, 29) as b, 'b' || b as _batch,
    timestamp '2026-06-30 20:00:00' as _loaded_at, i as _line
  from range(3300) r(i);
update raw.mapped__order set ordered_at = ordered_at - interval 1 day where ordered_at >= timestamp '2026-07-01';
update raw.mapped__order set ordered_at = ordered_at - interval 4 day where ordered_at >= timestamp '2026-07-01';
create table raw.mapped__survey_response as
  select 'x' as response_key, 'nps' as kind, 9 as score, timestamp '2026-06-01' as submitted_at, 'b0' as _batch,
    timestamp '2026-06-30' as _loaded_at limit 0;
create table state.customer_360 as
  select 'K' || i as customer_id, ['east', 'west'][1 + i % 2] as region from range(300) r(i);
create table marts.kpi_definitions as
  from (values ('orders', 'orders'), ('revenue', 'orders'), ('csat', 'survey'), ('wait', 'support')) v(kpi, family);
create table core.fct_orders as
  select date '2026-06-30' - i::int as ordered_on, true as is_counted, 'K0' as customer_id from range(70) r(i);
create table core.int_kpi_reach as select 'orders' as family, date '2026-06-30' as complete_until;
create table marts.kpi_daily as
  select kpi, unit, 'overall' as segment_type, 'all' as segment, date '2026-06-30' - i::int as day,
    date '2026-06-30' as as_of, (20 + i % 7)::double as value, (20 + i % 7)::decimal(20,2) as numerator,
    null::decimal(20,2) as denominator, true as is_complete
  from range(70) r(i), (values ('orders', 'count'), ('revenue', 'money')) k(kpi, unit);
insert into marts.kpi_daily
  select kpi, unit, 'overall', 'all', date '2026-06-30' - i::int, date '2026-06-30', usual * (1 + i % 7 / 100.0),
    if(unit = 'minutes', null, usual * 300), 300, true
  from range(70) r(i), (values ('csat', 'score', 4), ('wait', 'minutes', 35)) k(kpi, unit, usual);
create table state.kpi_daily as
  select kpi, segment_type, segment, day, value, numerator, denominator from marts.kpi_daily
  where day < date '2026-06-30';
create table core.dim_customers as
  select customer_id, true as is_known, timestamp '2026-01-01' as first_seen_at, timestamp '2026-06-01' as last_seen_at,
    region from state.customer_360;
create schema if not exists identity;
create table identity.customer_map as select customer_id from core.dim_customers;
"""

DEFECTS = (
    ("raw.mapped__order", "update {} set gross_amount = gross_amount * 100 where _batch = 'b29'",
     "amounts_keep_their_unit"),
    ("raw.mapped__order", "update {} set ordered_at = ordered_at - interval 9 hour where _batch = 'b29'",
     "ordered_at_keeps_its_clock"),
    ("raw.mapped__order", "delete from {} where _line >= 900", "rows_hold_against_last_publication"),
    ("raw.mapped__survey_response", "select 1", "rows_hold_against_last_publication"),
    ("raw.mapped__order", "update {} set region = null where _batch = 'b29'", "columns_are_filled_as_before"),
    ("raw.batches", "update {} set rows_in = 40 where batch_id = 'b29'", "deliveries_are_not_half_of_what_they_were"),
    ("raw.batches", "update {} set last_event_at = last_event_at - interval 5 day where batch_id >= 'b25'"
     " and batch_id < 'b3'", "sources_that_came_regularly_still_come"),
    ("core.dim_customers", "update {} set region = 'east'", "customers_are_mixed_as_published"),
    ("marts.kpi_daily", "update {} set numerator = numerator * 100 where day = date '2026-06-30' and kpi = 'revenue'",
     "new_days_are_no_other_unit"),
    ("marts.kpi_daily", "update {} set numerator = 1 where day = date '2026-06-30' and kpi = 'orders'",
     "new_days_are_no_other_unit"),
    ("marts.kpi_daily", "update {} set numerator = numerator * 2 where day between date '2026-06-01' and"
     " date '2026-06-28' and kpi = 'revenue'", "published_days_are_not_rewritten"),
    ("marts.kpi_daily", "update {} set value = 1.2 where day = date '2026-06-30' and kpi = 'csat'",
     "ratios_do_not_leap"),
    ("marts.kpi_daily", "update {} set value = 900 where day = date '2026-06-30' and kpi = 'wait'",
     "ratios_do_not_leap"),
)  # fmt: skip


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "build.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create schema raw; create schema staging")
        con.execute(_HISTORY)
    return path


@pytest.fixture
def changed(history: Path) -> Iterator[Callable[[str, str], None]]:
    """Change a table for one test; afterwards it is as it was."""
    tables: list[str] = []

    def change(relation: str, sql: str) -> None:
        tables.append(relation)
        with duckdb.connect(str(history)) as con:
            con.execute(f"create table {relation}_kept as from {relation}")
            con.execute(sql.format(relation))

    yield change
    with duckdb.connect(str(history)) as con:
        for relation in tables:
            con.execute(f"delete from {relation}; insert into {relation} from {relation}_kept")
            con.execute(f"drop table {relation}_kept")


def judge(path: Path, relation: str, context: GateContext = CONTEXT) -> RelationVerdict:
    row = next(row for row in GATES if row.relation == relation)
    return run_gate(row.gate, path, context=context, rows=[row]).verdicts[0]


def names(verdict: RelationVerdict) -> set[str]:
    assert verdict.problems == ()
    return {found.name for found in verdict.failed}


@pytest.mark.parametrize(("relation", "sql", "rule"), DEFECTS, ids=[f"{d[0]}-{d[2]}" for d in DEFECTS])
def test_a_break_with_history_fails_its_expectation(
    history: Path, changed: Callable[[str, str], None], relation: str, sql: str, rule: str
) -> None:
    if relation != "raw.mapped__survey_response":
        before = judge(history, relation)
        assert rule not in names(before) | {name for name, _ in before.unjudged}, before.summary
    changed(relation, sql)
    assert rule in names(judge(history, relation))


@pytest.mark.parametrize(
    ("defect", "rule"), [(sql, rule) for relation, sql, rule in DEFECTS if relation == "raw.batches"]
)
def test_deliveries_of_tables_that_are_only_kept_stop_nobody(
    history: Path, changed: Callable[[str, str], None], defect: str, rule: str
) -> None:
    """No number is made of them, so a list of tags that halves, or comes no more, must not hold numbers back."""
    changed("raw.batches", f"{defect}; update {{0}} set relation = 'raw.kept__shop__tags'".replace("{}", "{0}"))
    assert rule not in names(judge(history, "raw.batches"))


def test_a_late_source_is_told_before_it_stops_anything(history: Path, changed: Callable[[str, str], None]) -> None:
    changed("raw.batches", "delete from {} where batch_id >= 'b27' and batch_id < 'b3'")
    verdict = judge(history, "raw.batches")
    assert verdict.outcome == "passed"
    assert {found.name for found in verdict.warnings} == {"no_source_is_late"}


@pytest.mark.parametrize(("reaches", "stops"), [("2026-06-29", False), ("2026-06-30", True)])
def test_a_day_whose_files_have_not_come_is_late_and_no_fault(
    history: Path, changed: Callable[[str, str], None], reaches: str, stops: bool
) -> None:
    """The shop's export of yesterday comes tomorrow; a day whose files are there and hold nothing is another matter."""
    changed("core.int_kpi_reach", f"update {{}} set complete_until = date '{reaches}'")
    changed("marts.kpi_daily", "update {} set numerator = 0 where day = date '2026-06-30' and denominator is null")
    verdict = judge(history, "marts.kpi_daily")
    assert ("new_days_are_no_other_unit" in names(verdict)) is stops
    assert ("new_days_move_as_days_do" in {found.name for found in verdict.warnings}) is stops


def test_a_campaign_in_the_evening_is_no_other_time_zone(history: Path, changed: Callable[[str, str], None]) -> None:
    changed(
        "raw.mapped__order",
        "update {} set ordered_at = date_trunc('day', ordered_at) + interval 11 hour where _batch = 'b29'"
        " and _line % 2 = 0",
    )
    assert "ordered_at_keeps_its_clock" not in names(judge(history, "raw.mapped__order"))


@pytest.mark.parametrize(
    ("context", "why"),
    [
        (replace(CONTEXT, previous_as_of=None), "nothing was published before"),
        (replace(CONTEXT, as_of=date(2026, 6, 20)), "a day before the published one is built"),
    ],
)
def test_without_history_there_is_no_verdict_and_it_says_why(
    history: Path, changed: Callable[[str, str], None], context: GateContext, why: str
) -> None:
    changed("raw.mapped__order", "update {} set gross_amount = gross_amount * 100 where _batch = 'b29'")
    verdict = judge(history, "raw.mapped__order", context)
    assert "amounts_keep_their_unit" not in names(verdict)
    assert ("amounts_keep_their_unit", why) in verdict.unjudged


def test_too_few_rows_give_no_verdict(history: Path, changed: Callable[[str, str], None]) -> None:
    changed("raw.batches", "delete from {} where first_event_at < timestamp '2026-06-25'")
    verdict = judge(history, "raw.batches")
    assert {name for name, _ in verdict.unjudged} == {
        "deliveries_are_not_half_of_what_they_were", "deliveries_are_of_their_usual_size",
        "sources_that_came_regularly_still_come", "no_source_is_late",
    }  # fmt: skip
    assert "no source with 8 published deliveries over 14 days" in {why for _, why in verdict.unjudged}


def test_a_company_can_let_a_change_through(history: Path, changed: Callable[[str, str], None]) -> None:
    changed("marts.kpi_daily", "update {} set numerator = numerator * 100 where day = date '2026-06-30'")
    meant = replace(CONTEXT, limits=GateLimits(max_kpi_factor=200))
    assert "new_days_are_no_other_unit" in names(judge(history, "marts.kpi_daily"))
    assert "new_days_are_no_other_unit" not in names(judge(history, "marts.kpi_daily", meant))


@pytest.mark.parametrize(("times", "stops"), [(1.5, True), (4, False)])
def test_a_day_of_a_rush_is_seen_and_not_stopped(
    history: Path, changed: Callable[[str, str], None], times: float, stops: bool
) -> None:
    """A failed delivery: many times the contacts of any day before, hardly one of them answered in time."""
    changed(
        "marts.kpi_daily",
        f"update {{}} set value = 1.2, denominator = denominator * {times} where day = date '2026-06-30'"
        " and kpi = 'csat'",
    )
    verdict = judge(history, "marts.kpi_daily")
    assert ("ratios_do_not_leap" in names(verdict)) is stops
    assert "ratios_move_as_days_do" in {found.name for found in verdict.warnings}


def test_a_bad_day_of_few_answers_and_a_field_that_fills_later_are_no_fault(
    history: Path, changed: Callable[[str, str], None]
) -> None:
    changed(
        "marts.kpi_daily",
        "update {} set denominator = if(day = date '2026-06-30', 40, 60), value = if(day = date '2026-06-30', 1, value)"
        " where kpi = 'csat'",
    )
    verdict = judge(history, "marts.kpi_daily")
    assert "ratios_do_not_leap" not in names(verdict)
    assert "ratios_move_as_days_do" in {found.name for found in verdict.warnings}
    # The first file of a source brought years of rows that are long closed; each day's are open.
    changed("raw.mapped__order", "update {} set cancelled_at = ordered_at where _batch = 'b0'")
    assert "columns_are_filled_as_before" not in names(judge(history, "raw.mapped__order"))
