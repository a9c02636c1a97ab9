"""Cuts that a company asks for by kpi.segments: each has everybody once, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from kizuna.settings import KpiParams

VARIABLES = {
    "as_of": "2026-06-30",
    "timezone": "Asia/Tokyo",
    "currency": "JPY",
    "retention_periods": {"day": 1, "week": 1},
}
TABLES = """
create schema identity;
create table customer_segments(customer_id varchar, lifecycle_segment varchar, value_tier varchar, rfm_segment varchar,
    channel_preference varchar, device_mix varchar);
create table dim_customers as select 'c' || i as customer_id, 'r' || (i % 2) as region, '30-39' as age_band
    from range(6) t(i);
create table int_customer_value as select customer_id, 'web' as first_channel from dim_customers;
create table int_retention_people as select 'c' || i as customer_id, i::integer as customer_number,
    date '2026-05-01' as first_order_on, null::date as first_session_on, null::date as signed_up_on,
    date '2026-06-01' as last_order_on, null::date as last_session_on from range(6) t(i);
create table int_active_days as select i::integer as customer_number, day, true as has_ordered, false as has_visited,
    10::decimal(18, 2) as gross, 10::decimal(18, 2) as net
    from range(6) t(i), (values (date '2026-05-01'), (date '2026-06-01')) d(day) where day < date '2026-06-01' or i > 2;
alter table int_active_days rename column day to active_on;
create table int_contract_cohorts(customer_id varchar, cohort date, period_number bigint, recurring decimal(18, 2));
create table fct_survey_responses as select 'a' || i as response_id, case when i < 6 then 'c' || i end as customer_id,
    'nps' as kind, 'relational' as survey_kind, null::varchar as touchpoint, i::bigint + 4 as score,
    timestamp '2026-06-10' as submitted_at, date '2026-06-10' as submitted_on, true as is_valid from range(7) t(i);
create table stg_medallia__feedback as select 'call' as touchpoint, date '2026-06-03' as sent_on, true as is_sent,
    i = 0 as is_answered, 'm' as person_source, i::varchar as person_record_key from range(4) t(i);
create table identity.customer_map as select 'm' as source, i::varchar as record_key, 'c' || i as customer_id
    from range(2) t(i);
create table ltv_by_customer as select 'c' || i as customer_id, 'r' || (i % 2) as region, 'web' as first_channel,
    date '2026-05-01' as first_order_on, 2 as orders, 20.0 as gross, 0.0 as refunds, 20.0 as net, 10.0 as margin,
    (5 * i)::decimal(18, 2) as predicted_12m, (20 + 5 * i)::decimal(18, 2) as ltv, 10.0 as ltv_margin
    from range(6) t(i);
create table customer_value_ranks(segment_type varchar, segment varchar, net_share_cumulative double);
"""
CUTS = ("lifecycle_segment", "value_tier", "rfm_segment", "channel_preference", "device_mix")


@pytest.fixture
def company() -> Iterator[duckdb.DuckDBPyConnection]:
    """Six buyers, of whom three came back; one of them stands in no segment."""
    with duckdb.connect() as db:
        db.execute(TABLES)
        for number in range(5):
            tier = "top" if number in (0, 4) else "rest"
            db.execute("insert into customer_segments values (?, 'x', ?, 'y', 'z', 'w')", (f"c{number}", tier))
        yield db


def shown(db: duckdb.DuckDBPyConnection, sql: str, columns: str) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for kind, *row in db.execute(f"select segment_type, segment, {columns} from ({sql}) order by all").fetchall():
        found.setdefault(kind, []).append(tuple(row))
    return found


def test_retention_is_cut_by_what_is_asked_for(company: duckdb.DuckDBPyConnection, render: Callable[..., str]) -> None:
    month = "where definition = 'first_order_month' and period_number = 1"
    plain, cut = (
        shown(
            company,
            f"select * from ({render('int_retention', **VARIABLES, kpi_segments=wanted)}) {month}",
            "cohort_size, returned, net",
        )
        for wanted in ([], ["value_tier"])
    )
    assert cut.pop("value_tier") == [("rest", 3, 1, 10), ("top", 2, 1, 10), ("unknown", 1, 1, 10)]
    assert cut == plain and plain["overall"] == [("all", 6, 3, 30)]


def test_answers_and_requests_are_cut_by_what_is_asked_for(
    company: duckdb.DuckDBPyConnection, render: Callable[..., str]
) -> None:
    plain, cut = (
        shown(company, render("int_survey_periods", **VARIABLES, kpi_segments=wanted), "kind, respondents, asked")
        for wanted in ([], ["value_tier"])
    )
    assert cut.pop("value_tier") == [
        ("rest", "csat", 0, 1),
        ("rest", "nps", 3, None),
        ("top", "csat", 0, 1),
        ("top", "nps", 2, None),
        ("unknown", "csat", 0, 2),
        ("unknown", "nps", 2, None),
    ]
    assert cut == plain


def test_lifetime_value_is_cut_by_what_is_asked_for(
    company: duckdb.DuckDBPyConnection, render: Callable[..., str]
) -> None:
    plain, cut = (
        shown(company, render("ltv_by_segment", **VARIABLES, kpi_segments=wanted), "customers, net, ltv")
        for wanted in ([], ["device_mix", "value_tier"])
    )
    assert cut.pop("value_tier") == [("rest", 3, 60, 90), ("top", 2, 40, 60), ("unknown", 1, 20, 45)]
    assert cut.pop("device_mix") == [("unknown", 1, 20, 45), ("w", 5, 100, 150)]
    assert cut == plain and plain["overall"] == [("all", 6, 120, 195)]
    assert all(sum(row[3] for row in rows) == 195 for rows in plain.values()), "each cut has everybody once"


def test_every_cut_that_may_be_asked_for_is_one_that_the_marts_promise() -> None:
    assert KpiParams.model_validate({"segments": list(CUTS)}).segments == list(CUTS)
    with pytest.raises(ValueError, match="shoe_size"):
        KpiParams.model_validate({"segments": ["shoe_size"]})
    marts = Path(__file__).parents[3] / "dbt_project" / "models" / "marts"
    for mart in ("value/ltv_by_segment", "loyalty/nps_by_period", "retention/retention_by_segment"):
        (model,) = yaml.safe_load((marts / f"{mart}.yml").read_text(encoding="utf-8"))["models"]
        (column,) = [column for column in model["columns"] if column["name"] == "segment_type"]
        assert set(CUTS) <= set(column["config"]["meta"]["values"]), mart
