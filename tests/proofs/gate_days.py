"""Days of a company drawn by chance, as the gates see them: deliveries, orders, KPIs, customers.

What must not stop a build is in them: weekends, a source that rests then, one that comes once a week, campaigns of
three times the usual, growth, late rows, customers who move. Made in DuckDB, not ingested: what is judged are the rules
that compare with history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np

from expectations.context import GateContext
from expectations.registry import GATES
from expectations.report import RelationVerdict
from expectations.runner import run_gate

FIRST, DAYS = date(2026, 3, 2), 100
#: Days of history before the first one that is judged.
YOUNG = 60
JUDGED = ("raw.batches", "raw.mapped__order", "core.dim_customers", "core.fct_orders", "marts.kpi_daily")

SCHEMAS = ("raw", "staging", "state", "core", "marts", "identity")


@dataclass(frozen=True)
class Days:
    """One company. `path` holds everything up to its last day; `until` makes the build of an earlier one."""

    path: Path

    def until(self, day: int, target: Path) -> GateContext:
        """The build of `day` (0 is the first), with the state of the day before as published."""
        on, before = FIRST + timedelta(days=day), FIRST + timedelta(days=day - 1)
        target.unlink(missing_ok=True)
        with duckdb.connect(str(target)) as con:
            con.execute(f"ATTACH '{self.path}' AS everything (READ_ONLY)")
            con.execute("".join(f"CREATE SCHEMA {name};" for name in SCHEMAS))
            con.execute(_BUILD.replace("$on", f"DATE '{on}'").replace("$before", f"DATE '{before}'"))
            rows = {
                relation: con.execute(f"SELECT count(*) FROM {relation} WHERE {was}").fetchall()[0][0]
                for relation, was in _PUBLISHED.items()
            }
        return GateContext(as_of=on, timezone="UTC", currency="JPY", previous_as_of=before, previous_rows=rows)


#: What of a table had been published the day before.
_PUBLISHED = {
    "raw.mapped__order": "_batch IN (FROM state.published_batches)",
    "core.dim_customers": "joined <= (SELECT max(day) FROM state.kpi_daily)",
    "core.fct_orders": "ordered_on <= (SELECT max(day) FROM state.kpi_daily)",
}

_BUILD = """
CREATE TABLE raw.batches AS SELECT * EXCLUDE (loaded_on) FROM everything.batches WHERE loaded_on <= $on;
CREATE TABLE state.published_batches AS SELECT batch_id FROM everything.batches WHERE loaded_on <= $before;
CREATE TABLE raw.mapped__order AS SELECT * FROM everything.orders WHERE _batch IN (SELECT batch_id FROM raw.batches);
CREATE TABLE core.dim_customers AS
    SELECT * EXCLUDE (region, moves_on, moves_to), CASE WHEN moves_on <= $on THEN moves_to ELSE region END AS region
    FROM everything.customers WHERE joined <= $on;
CREATE TABLE staging.stg_shopify__orders AS
    SELECT currency, gross_amount AS total_amount FROM raw.mapped__order WHERE false;
CREATE TABLE staging.canonical__order AS SELECT currency, gross_amount FROM raw.mapped__order;
CREATE TABLE core.fct_orders AS
    SELECT order_key AS order_id, 'shop' AS source, ordered_at::DATE AS ordered_on, currency, gross_amount,
        gross_amount AS net_amount, 0::DECIMAL(18, 2) AS refunded_amount,
        CASE currency WHEN 'USD' THEN 150 ELSE 1 END AS exchange_rate, gross_amount * exchange_rate AS gross_reporting,
        gross_reporting AS net_reporting, 0::DECIMAL(18, 2) AS refunded_reporting,
        false AS is_cancelled, false AS is_test, true AS is_counted,
        CASE WHEN tier IS NOT NULL THEN ids[1 + CAST(hash(order_key) % len(ids) AS INT)] END AS customer_id
    FROM raw.mapped__order, (SELECT list(customer_id) AS ids FROM core.dim_customers);
CREATE TABLE identity.customer_map AS SELECT customer_id FROM core.dim_customers;
CREATE TABLE state.customer_360 AS
    SELECT customer_id, CASE WHEN moves_on <= $before THEN moves_to ELSE region END AS region
    FROM everything.customers WHERE joined <= $before;
CREATE TABLE marts.kpi_definitions AS
    SELECT kpi, 'orders' AS family FROM everything.kpis UNION SELECT kpi, 'support' FROM everything.ratios;
CREATE TABLE core.int_kpi_reach AS SELECT 'orders' AS family, $on AS complete_until;
CREATE TABLE marts.kpi_daily AS
    -- Late rows: of the last three days, some arrive on the next.
    SELECT *, $on AS as_of, true AS is_complete, CAST(NULL AS DECIMAL(20, 2)) AS denominator,
        CAST(floor(total * CASE WHEN day > $on - 3 THEN 0.96 ELSE 1 END) AS DECIMAL(20, 2)) AS numerator,
        CAST(numerator AS DOUBLE) AS value
    FROM everything.kpis WHERE day <= $on
    UNION ALL SELECT kpi, unit, 'overall', 'all', day, answers * usual, $on, true, answers, answers * usual, usual
    FROM everything.ratios WHERE day <= $on;
CREATE TABLE state.kpi_daily AS
    SELECT kpi, segment_type, segment, day, value,
        CAST(floor(total * CASE WHEN day > $before - 3 THEN 0.96 ELSE 1 END) AS DECIMAL(20, 2)) AS numerator,
        denominator
    FROM marts.kpi_daily WHERE day <= $before;
"""

_EVERYTHING = """
CREATE TABLE batches AS
SELECT source || d AS batch_id, source, 'order' AS entity,
    CASE source WHEN 'shop' THEN 'raw.mapped__order' ELSE 'raw.' || source || '__rows' END AS relation,
    n AS rows_in, n AS accepted, 0 AS quarantined, 0 AS duplicates,
    DATE '{first}' + d::INT + INTERVAL 0 HOUR AS first_event_at, DATE '{first}' + d::INT + INTERVAL 22 HOUR
        AS last_event_at,
    DATE '{first}' + d::INT + INTERVAL 23 HOUR AS loaded_at, DATE '{first}' + d::INT AS loaded_on
FROM drawn;
CREATE TABLE orders AS
SELECT 'o' || d || '-' || i AS order_key, 'c' || (hash(d, i) % 5000) AS customer_key,
    DATE '{first}' + d::INT + to_seconds(CAST(
        3600 * (8 + 12 * (u(d, i, 1) + u(d, i, 2) + u(d, i, 3)) / 3) + CASE WHEN u(d, i, 4) < .15 THEN -21600 ELSE 0 END
        AS BIGINT)) AS ordered_at,
    CAST(NULL AS TIMESTAMP) AS cancelled_at, CASE WHEN u(d, i, 5) < .1 THEN 'USD' ELSE 'JPY' END AS currency,
    CAST(CASE currency WHEN 'USD' THEN 20 ELSE 3000 END * exp(1.2 * (u(d, i, 6) + u(d, i, 7) + u(d, i, 8) - 1.5))
        AS DECIMAL(18, 2)) AS gross_amount,
    CAST(0 AS DECIMAL(18, 2)) AS discount_amount, 1 AS quantity, 'shop' || d AS _batch,
    -- Some are guests, on some days of a campaign many.
    CASE WHEN u(d, i, 9) < .1 + .3 * u(d, 1, 1) THEN NULL ELSE 'member' END AS tier,
    DATE '{first}' + d::INT + INTERVAL 23 HOUR AS _loaded_at, i AS _line
FROM (SELECT d, unnest(range(n)) AS i FROM drawn WHERE source = 'shop');
CREATE TABLE kpis AS
SELECT kpi, unit, 'overall' AS segment_type, 'all' AS segment, DATE '{first}' + d::INT AS day,
    floor(n * times * CASE unit WHEN 'money' THEN .8 + .4 * u(d, times, 9) ELSE 1 END) AS total
FROM (SELECT d, sum(n) AS n FROM drawn WHERE source = 'shop' GROUP BY d),
    (VALUES ('orders', 'count', 1), ('net_revenue', 'money', 3100), ('gross_revenue', 'money', 3300))
        AS k(kpi, unit, times);
CREATE TABLE ratios AS
SELECT kpi, unit, DATE '{first}' + d::INT AS day, 150 + floor(300 * u(d, 2, 2)) AS answers,
    low + (high - low) * (u(d, 3, 3) + u(d, 4, 4) + u(d, 5, 5)) / 3 AS usual
FROM (SELECT DISTINCT d FROM drawn WHERE source = 'shop'),
    (VALUES ('sla_met_share', 'share', .6, .95), ('csat_avg', 'score', 3.4, 4.6), ('nps_28d', 'nps', 5, 45),
        ('first_response_median_minutes', 'minutes', 10, 60)) AS r(kpi, unit, low, high);
CREATE TABLE customers AS
SELECT 'c' || i AS customer_id, true AS is_known, joined + INTERVAL 1 HOUR AS first_seen_at,
    joined + INTERVAL 9 HOUR AS last_seen_at, joined,
    ['east', 'east', 'west', 'north', 'south'][1 + CAST(floor(u(i, 2, 2) * 5) AS INT)] AS region,
    CASE WHEN u(i, 3, 3) < .2 THEN DATE '{first}' + CAST(u(i, 4, 4) * {days} AS INT) END AS moves_on,
    ['east', 'west', 'north', 'south'][1 + CAST(floor(u(i, 5, 5) * 4) AS INT)] AS moves_to
FROM (SELECT i, DATE '{first}' + CAST(u(i, 1, 1) * ({days} + 300) - 300 AS INT) AS joined FROM range(2000) r(i));
"""


def draw(seed: int, path: Path) -> Days:
    """A company by its seed."""
    rng = np.random.default_rng(seed)
    days = np.arange(DAYS)
    week = np.array([1, 1, 0.95, 1, 1.1, 1.2, 0.8])[days % 7]
    campaign = np.where(rng.uniform(size=DAYS) < 0.05, rng.uniform(1.5, 3.0, DAYS), 1.0)
    usual = 450 * week * campaign * np.exp(0.002 * days + rng.normal(0, 0.08, DAYS))
    drawn = [("shop", int(day), int(rng.poisson(usual[day]))) for day in days]
    drawn += [("office", int(day), int(rng.poisson(300))) for day in days if day % 7 < 5]
    drawn += [("weekly", int(day), int(rng.poisson(2000))) for day in days if day % 7 == 0]
    with duckdb.connect(str(path)) as con:
        con.execute(f"CREATE MACRO u(a, b, c) AS (hash(a, b, c, {seed}) >> 11) / 9007199254740992.0")
        con.execute("CREATE TABLE drawn (source VARCHAR, d BIGINT, n BIGINT)")
        con.executemany("INSERT INTO drawn VALUES (?, ?, ?)", drawn)
        con.execute(_EVERYTHING.format(first=FIRST, days=DAYS))
    return Days(path)


def judge(path: Path, context: GateContext, relation: str) -> RelationVerdict:
    """The verdict of one relation's suite."""
    row = next(row for row in GATES if row.relation == relation)
    return run_gate(row.gate, path, context=context, rows=[row]).verdicts[0]
