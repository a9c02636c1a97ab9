"""A tiny company, whole from raw to marts, as one build's DuckDB file: 40 customers, coherent to the yen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from expectations.context import GateContext
from expectations.suites.raw import RELATIONS

AS_OF = date(2026, 6, 30)
CUSTOMERS = 40

_EXTRA = "null::varchar as _extra, 'f.csv' as _file, i + 1 as _line, timestamp '2026-07-01' as _loaded_at"


def _raw_column(name: str) -> str:
    """A harmless value by what the gate knows of the column."""
    for relation in RELATIONS:
        if name in relation.event_times:
            return f"timestamp '2026-01-05 03:00:00' + to_days(i::int) as {name}"
        if name in relation.amounts:
            return f"(i % 5 + 1)::decimal(18,2) as {name}"
    if name == "rate_on":
        return "date '2026-01-01' + i::int as rate_on"
    return f"'{name}-' || i as {name}"


def _raw(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    con.execute("create schema raw")
    con.execute(
        "create table raw.batches (batch_id varchar, source varchar, entity varchar, relation varchar, file varchar,"
        " content_hash varchar, bytes bigint, rows_in bigint, accepted bigint, quarantined bigint, duplicates bigint,"
        " first_event_at timestamp, last_event_at timestamp, loaded_at timestamp)"
    )
    for relation in RELATIONS:
        columns = list(dict.fromkeys([*relation.key, *relation.event_times, *relation.amounts]))
        listed = ", ".join(_raw_column(column) for column in columns)
        con.execute(
            f"create table raw.{relation.name} as select {listed}, 'b-{relation.name}' as _batch, {_EXTRA}"
            f" from range({rows}) as r(i)"
        )
        if rows:
            source, entity = relation.name.split("__")
            con.execute(
                "insert into raw.batches select ?, ?, ?, ?, ?, 'x', 100, ?, ?, 1, 1, timestamp '2026-01-05',"
                " timestamp '2026-06-01', timestamp '2026-07-01'",
                [f"b-{relation.name}", source, entity, f"raw.{relation.name}", "f.csv", rows + 2, rows],
            )


_STAGES = """
create schema identity; create schema staging; create schema core; create schema marts; create schema state;

create table identity.not_customers (source varchar, record_key varchar, reason varchar);
create table identity.source_records as
  select 'shopify.customer' as source, 'c' || i as record_key, 'customer' as entity from range($n) r(i)
  union all select 'shopify.order', '#' || i, 'order' from range($n) r(i)
  union all select 'ga4.device', 'd' || i, 'device' from range($n // 4) r(i);
create table identity.customer_map as
  select source, record_key, 'K' || substr(record_key, 2) as customer_id, true as is_known from identity.source_records
  where source <> 'ga4.device';
create table identity.unmapped as
  select source, record_key, 'no identifier' as reason from identity.source_records where source = 'ga4.device';
create table identity.customer_identifiers as
  select 'K' || i as customer_id, 'shopify.customer' as source, kind as identifier_type,
    md5(kind || i) as identifier_hash, 'private' as normalized_value,
    timestamp '2026-01-01' as first_seen_at, timestamp '2026-02-01' as last_seen_at
  from range($n) r(i), (values ('email'), ('phone'), ('user_id')) k(kind);
create table identity.identity_drops as
  select 'email' as identifier_type, md5('x') as identifier_hash, 'blocked_value' as reason limit 0;
create table identity.decision_conflicts (line bigint, decision varchar, problem varchar, what_to_do varchar);
create table identity.identity_links as
  select 'K' || i as customer_id, 'shopify.customer' as source, md5('c' || i) as record_key_hash,
    'email' as identifier_type, md5('email' || i) as identifier_hash, 'same email' as rule, 0.98 as confidence
  from range($n) r(i);

create table identity.identity_changes as
  select 'created' as change, 'K' || i as customer_id, null::varchar as other_customer_id, 'first_build' as cause,
    date '2026-06-29' as as_of from range($n) r(i);
create table state.identity_changes as select * from identity.identity_changes;
create table state.customer_identifiers as select customer_id, identifier_type, identifier_hash
  from identity.customer_identifiers;
create table state.published_batches (batch_id varchar);
create table state.identity_audit as
  select 'device_stitch_rate' as metric, 'all' as detail, 0::decimal(20,6) as value where $n > 0;

create table core.dim_customers as
  select 'K' || i as customer_id, true as is_known, timestamp '2026-01-01' as first_seen_at,
    timestamp '2026-06-01' as last_seen_at, 'Kanto' as region from range($n) r(i);
create table core.dim_accounts as select 'A' || i as account_id from range($n // 10) r(i);
create table staging.stg_shopify__orders as
  select '#' || i as order_name, 'JPY' as currency, (1000 + i)::decimal(18,2) as total_amount from range($n) r(i);
create table staging.canonical__order as
  select 'm' as order_key, 'USD' as currency, 1::decimal(18,2) as gross_amount limit 0;
create table core.fct_orders as
  select 'shopify:#' || i as order_id, 'K' || i as customer_id, 'shopify' as source,
    timestamp '2026-02-01 03:00:00' + to_days(i::int) as ordered_at, date '2026-02-01' + i::int as ordered_on,
    'JPY' as currency, (1000 + i)::decimal(18,2) as gross_amount,
    (case when i = 3 then 500 else 0 end)::decimal(18,2) as refunded_amount,
    (gross_amount - refunded_amount)::decimal(18,2) as net_amount, 1::decimal(18,8) as exchange_rate,
    case when i < $n // 10 then 'A' || i end as account_id, gross_amount as gross_reporting,
    refunded_amount as refunded_reporting, net_amount as net_reporting,
    i = 7 as is_cancelled, false as is_test, i <> 7 as is_counted
  from range($n) r(i);
create table core.fct_refunds as
  select order_id || ':refund' as refund_id, order_id, 'shopify' as source, ordered_on as refunded_on, currency,
    refunded_amount as amount, refunded_amount as amount_order_currency, refunded_amount as amount_reporting,
    exchange_rate, true as is_counted
  from core.fct_orders where refunded_amount > 0;
create table staging.stg_ga4__events as
  select 'd' || (i % 10) as device_id, timestamp '2026-03-01' + to_minutes(i) as occurred_at from range(3 * $n) r(i);
create table staging.canonical__web_event as select * from staging.stg_ga4__events limit 0;
create table core.fct_sessions as
  select 's' || i as session_id, 'K' || i as customer_id, timestamp '2026-03-01' as started_at,
    timestamp '2026-03-01 00:10:00' as ended_at, date '2026-03-01' as started_on, 3 as events, 'login' as attribution,
    'ga4' as event_source
  from range($n) r(i);
create table staging.stg_zendesk__tickets as select 't' || i as ticket_id from range($n) r(i);
create table staging.stg_salesforce__case as
  select 'x' as case_id, true as is_deleted, null::varchar as master_case_id limit least($n, 1);
create table staging.stg_amazon_connect__contact_records as select 'x' as contact_id limit 0;
create table staging.canonical__call as select 'x' as call_key limit 0;
create table staging.canonical__interaction as select 'x' as interaction_key limit 0;
create table core.fct_interactions as
  select 'zendesk:t' || i as interaction_id, 'K' || i as customer_id, 'zendesk' as source, 'email' as channel,
    'inbound' as direction, null::varchar as continues_interaction_id, 'return' as topic,
    timestamp '2026-04-01' as opened_at, date '2026-04-01' as opened_on,
    timestamp '2026-04-01 01:00:00' as first_response_at, 60::decimal(18,2) as first_response_minutes,
    timestamp '2026-04-02' as resolved_at, 1440::decimal(18,2) as resolution_minutes, i % 5 + 1 as csat_score,
    false as has_time_conflict
  from range($n) r(i);
create table staging.stg_delighted__responses as select 'r' || i as response_id from range($n) r(i);
create table staging.canonical__survey_response as select 'x' as response_key limit 0;
create table core.fct_survey_responses as
  select 'delighted:r' || i as response_id, 'K' || i as customer_id, 'delighted' as source, 'nps' as kind,
    i % 11 as score, timestamp '2026-05-01' as submitted_at, date '2026-05-01' as submitted_on, true as is_valid
  from range($n) r(i);
create table core.customer_features as
  select c.customer_id, date '2026-06-30' as as_of, min(ordered_on) as first_order_on, max(ordered_on) as last_order_on,
    null::date as last_nps_on, date '2026-04-01' as last_interaction_on, null::date as last_session_on,
    coalesce(sum(net_reporting), 0)::decimal(18,2) as net_reporting
  from core.dim_customers c left join core.fct_orders o on c.customer_id = o.customer_id and is_counted group by 1;

create table marts.customer_360 as
  select customer_id, 'C-' || md5(customer_id)[1:6] as display_label, true as is_known, 'Kanto' as region,
    net_reporting as net_revenue, net_reporting as margin, net_reporting as ltv, 0.25::double as churn_probability,
    1 as open_tickets, 9 as nps,
    'active' as lifecycle_segment, 'A' as value_tier
  from core.customer_features;
create table state.customer_360 as select * from marts.customer_360 limit 0;
create table marts.ltv_by_customer as
  select f.customer_id, 'JPY' as currency, coalesce(sum(gross_reporting), 0)::decimal(18,2) as gross,
    coalesce(sum(refunded_reporting), 0)::decimal(18,2) as refunds, (gross - refunds)::decimal(18,2) as net,
    (net * 0.3)::decimal(18,2) as margin, 100::decimal(18,2) as predicted_12m, 10::decimal(18,2) as predicted_low,
    300::decimal(18,2) as predicted_high, 30::decimal(18,2) as predicted_margin_12m, null::varchar as prediction_reason,
    net + 100 as ltv, margin + 30 as ltv_margin
  from core.customer_features f left join core.fct_orders o on f.customer_id = o.customer_id and is_counted group by 1;
create table marts.ltv_by_cohort as
  select date '2026-02-01' as cohort_month, m.i as months_since_first_order, $n as customers,
    case when m.i = 0 then total else 0::decimal(18,2) end as net, total as net_cumulative
  from (select sum(net)::decimal(18,2) as total from marts.ltv_by_customer) t, range(3) m(i) where $n > 0;
create table marts.ltv_backtest as
  select g.name as repeat_purchases, $n as customers, 5 as actual_purchases, 3 as inside_interval
  from (values ('all'), ('0')) g(name) where $n > 0;
create table marts.revenue_reconciliation as
  select currency as order_currency, case when is_counted then 'counted' else 'cancelled' end as fate,
    count(*) as orders, sum(gross_amount) as gross, sum(net_reporting) as net_reporting
  from core.fct_orders group by all;
create table marts.ltv_by_segment as
  select 'overall' as segment_type, 'all' as segment, count(*) as customers, sum(net) as net, sum(ltv) as ltv
  from marts.ltv_by_customer having count(*) > 0;
create table marts.customer_value_ranks as
  select customer_id, 'overall' as segment_type, 'all' as segment, row_number() over (order by customer_id) as net_rank,
    $n as buyers, 1.0::double as net_share_cumulative from marts.ltv_by_customer;
create table marts.customer_years as
  select customer_id, 2026 as calendar_year, 2026 as first_year, 'new' as customer_class, true as has_ordered, net
  from marts.ltv_by_customer;
create table marts.mrr_movements as
  select 'customer' as payer_type, customer_id as payer_id, date '2026-06-01' as month_on, 0::decimal(18,2) as opening,
    5::decimal(18,2) as new, 0::decimal(18,2) as expansion, 0::decimal(18,2) as reactivated,
    0::decimal(18,2) as contraction, 0::decimal(18,2) as churned, 5::decimal(18,2) as closing
  from marts.ltv_by_customer;
create table marts.ltv_by_contract as
  select payer_type, payer_id, closing as mrr, closing as recurring_paid, 1::decimal(18,2) as predicted_margin,
    null::varchar as prediction_reason from marts.mrr_movements;
create table marts.account_360 as
  select a.account_id, 'good' as health, 'active' as contract_state, 2 as people, 1 as people_now, 50.0::double as nps,
    coalesce((select sum(net_reporting) from core.fct_orders o where o.account_id = a.account_id and is_counted
      and customer_id is not null), 0)::decimal(18,2) as net_revenue, 0::decimal(18,2) as mrr
  from core.dim_accounts a;
create table marts.account_people as
  select account_id, 'K' || substr(account_id, 2) as customer_id, 'buyer' as role, date '2026-01-01' as first_on,
    date '2026-06-01' as last_on from core.dim_accounts;
create table marts.order_fulfilment as
  select order_id, true as is_shipped, true as is_shipped_in_time, 1 as days_to_ship from core.fct_orders;
create table marts.fulfilment_by_segment as
  select 'overall' as segment_type, 'all' as segment, $n as orders, $n as shipped, 0 as not_shipped,
    1.0::double as share_in_time where $n > 0;
create table marts.nps_by_period as
  with counted as (select count_if(score >= 9) as promoters, count_if(score in (7, 8)) as passives,
    count_if(score <= 6) as detractors, count(*) as respondents from core.fct_survey_responses)
  select 'month' as period_type, date '2026-05-01' as period, s.segment_type, s.segment, 'nps' as kind,
    'relational' as survey_kind, counted.*, round(100.0::double * (promoters - detractors) / respondents, 6) as nps,
    -100::double as ci_low, 100::double as ci_high, null::double as response_rate
  from counted, (values ('overall', 'overall'), ('region', 'Kanto')) s(segment_type, segment) where respondents > 0;
create table marts.survey_scores_by_period as
  select 'month' as period_type, date '2026-05-01' as period, s.segment_type, s.segment, 'csat' as kind,
    'transactional' as survey_kind, 9 as respondents, 4.5::double as mean_score, 1.0::double as satisfied_share,
    null::double as response_rate
  from (values ('overall', 'overall'), ('region', 'Kanto')) s(segment_type, segment) where $n > 0;
create table marts.survey_responses as
  select response_id, customer_id, kind, score, 'thanks, call [number]' as comment_masked
  from core.fct_survey_responses;
create table marts.retention_cohorts as
  select 'first_order_month' as definition, 'first_order' as cohort_by, cohort_month as cohort,
    months_since_first_order as period_number, $n as cohort_size,
    case when months_since_first_order = 0 then $n else 5 end as returned,
    case when months_since_first_order = 0 then $n else 8 end as returned_unbounded, returned / $n as rate, net,
    $n - returned as lost
  from marts.ltv_by_cohort;
create table marts.retention_by_segment as
  select *, 'region' as segment_type, 'Kanto' as segment from marts.retention_cohorts;
create table marts.retention_within_days as
  select *, cohort as cohort_month, 7 as window_days from marts.retention_by_segment where period_number = 1;
create table marts.support_interactions as
  select interaction_id, customer_id, first_response_minutes, resolution_minutes, 'A-0f3b' as agent_label,
    true as is_owner
  from core.fct_interactions;
create table marts.support_weekly as
  select date '2026-03-30' as week, 'email' as channel, 'unknown' as queue, count(*) as opened,
    0 as backlog_start, count(*) as closed, 0 as backlog_end, 1.0::double as sla_met_share, 0.5::double as fcr_share
  from core.fct_interactions having count(*) > 0;
create table marts.support_parity as
  select interaction_id, 'reopens' as metric, 1::decimal(18,2) as ours, 1::decimal(18,2) as vendor, 'equal' as reason
  from core.fct_interactions;
create table marts.support_history_quality as
  select date '2026-04-01' as month, 'email' as channel, 'unknown' as queue, count(*) as contacts, 0 as complete
  from core.fct_interactions having count(*) > 0;
create table marts.knowledge_gaps as
  select date '2026-04-01' as month, 'return' as topic, count(*) as contacts, 4 as judged, 2 as returned
  from core.fct_interactions having count(*) > 0;
create table marts.churn_risk as
  select customer_id, 'non_contractual' as kind, 'Kanto' as region,
    date '2026-06-30' as as_of, 0.7::double as probability, 'high' as band,
    100::decimal(18,2) as value_at_risk from core.dim_customers;
create table marts.churn_risk_daily as
  select 'region' as segment_type, 'Kanto' as segment, date '2026-06-30' - i::int as day, $n as scored, 4 as at_risk,
    0.1::double as share from range(70) r(i) where $n > 0;
create table marts.churn_drivers_daily as
  select 'overall' as segment_type, 'all' as segment, date '2026-06-30' as day, date '2026-06-30' as as_of,
    'quiet' as driver, 0 as customers where $n > 0;
create table marts.kpi_definitions as
  select 'orders' as kpi, 'Orders' as name_en, '注文' as name_ja, 'orders' as family;
create table core.int_kpi_reach as select 'orders' as family, date '2026-06-30' as complete_until;
create table marts.kpi_daily as
  select 'orders' as kpi, 'overall' as segment_type, 'overall' as segment, date '2026-06-30' - i::int as day,
    date '2026-06-30' as as_of, 3.0::double as value, 3::decimal(20,2) as numerator, null::decimal(20,2) as denominator,
    true as is_complete, 'count' as unit from range(70) r(i) where $n > 0;
create table state.kpi_daily as select * from marts.kpi_daily limit 0;
create table marts.kpi_history as
  select 1 as build_number, 'b1' as build_id, as_of, kpi, segment_type, segment, day, numerator::decimal(20,6) as value,
    numerator, denominator from marts.kpi_daily;
create table marts.kpi_restatements as
  select 2 as build_number, 'b2' as build_id, 'orders' as kpi, 'overall' as segment_type, 'overall' as segment,
    date '2026-06-01' as day, c.cause, c.effect::decimal(20,6) as effect, 3::decimal(20,6) as value_before,
    3.5::decimal(20,6) as value_after from (values ('late_file', 2), ('refund', -1.5)) c(cause, effect) where $n > 0;
create table marts.kpi_progress as
  select 'orders' as kpi, 'overall' as segment_type, 'all' as segment, '2026-06' as period, 10::decimal(20,6) as target,
    'met' as status, 12::decimal(20,6) as actual, 12.0::double as forecast, 12.0::double as forecast_low,
    12.0::double as forecast_high, true as is_complete where $n > 0;
create table marts.segment_stability as
  select 'region' as scheme, s.segment, s.n as customers, s.n as customers_before, 0 as changed
  from (values ('all', 40), ('Kanto', 40)) s(segment, n) where $n > 0;
create table marts.kpi_records as
  select 'order' as record_type, md5(order_id) as record_key, ordered_on as day from core.fct_orders;
create table marts.data_state as
  select source, entity, sum(rows_in)::bigint as rows_in, sum(accepted)::bigint as accepted,
    sum(quarantined)::bigint as quarantined, sum(duplicates)::bigint as duplicates from raw.batches group by all;
create table marts.customer_identifiers as
  select customer_id, source, identifier_type, identifier_hash from identity.customer_identifiers;
create table marts.identity_links as select * from identity.identity_links;
create table marts.identity_changes as
  select 'created' as change, customer_id, null::varchar as other_customer_id, 'first build' as cause
  from core.dim_customers;
create table marts.identity_bands as
  select kpi, ruleset, date '2026-06-30' as as_of, value::double as value, numerator::decimal(20,2) as numerator,
    value::double as low, value::double as high
  from (values ('strict'), ('default'), ('loose')) r(ruleset), (
    select 'known_customers' as kpi, $n as value, $n as numerator
    union all select 'customers_with_orders', greatest($n - 1, 0), greatest($n - 1, 0)
    union all select 'net_revenue_per_customer', sum(net_reporting) / count(*), sum(net_reporting)
      from core.fct_orders where is_counted
  ) k where $n > 0;
create table marts.customer_attributes as
  select customer_id, 'region' as attribute, 'Kanto' as value, 'shopify.customer' as source,
    md5(customer_id) as record_key_hash from core.dim_customers;
create table marts.identity_audit as
  select 'customers' as metric, 'all' as detail, $n::decimal(20,6) as value, 'ok' as band;
"""


def _build(path: Path, rows: int) -> Path:
    with duckdb.connect(str(path)) as con:
        _raw(con, rows)
        con.execute(_STAGES.replace("$n", str(rows)))
    return path


@pytest.fixture(scope="session")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company with every source. Read it only."""
    return _build(tmp_path_factory.mktemp("gates") / "build.duckdb", CUSTOMERS)


@pytest.fixture(scope="session")
def empty_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company on its first day: every relation exists, nothing in any of them. Read it only."""
    return _build(tmp_path_factory.mktemp("empty") / "build.duckdb", 0)


@pytest.fixture
def harmed(tmp_path: Path, unharmed: Path) -> Callable[[str], Path]:
    """A copy of the unharmed company with SQL run over it."""

    def harm(sql: str) -> Path:
        path = tmp_path / "build.duckdb"
        path.write_bytes(unharmed.read_bytes())
        with duckdb.connect(str(path)) as con:
            con.execute(sql)
        return path

    return harm


@pytest.fixture(scope="session")
def context() -> GateContext:
    return GateContext(as_of=AS_OF, timezone="Asia/Tokyo", currency="JPY")
