"""What R3 plants: one defect at a time, as SQL over the tables of a build."""

from __future__ import annotations

import random

#: (relation that is judged, SQL). `$row` is the condition of one row, `$half` of every second one, both by the seed.
DEFECTS: tuple[tuple[str, str], ...] = (
    ("raw.batches", "UPDATE raw.batches SET accepted = accepted - 1 WHERE $row"),
    ("raw.batches", "INSERT INTO raw.batches FROM raw.batches WHERE $row"),
    ("raw.shopify__orders", "UPDATE raw.shopify__orders SET name = NULL WHERE $row"),
    ("raw.shopify__orders", "DELETE FROM raw.shopify__orders WHERE $half"),
    ("raw.shopify__orders", "UPDATE raw.shopify__orders SET total = -1 WHERE $row"),
    ("raw.shopify__orders", "UPDATE raw.shopify__orders SET _batch = 'of nowhere' WHERE $row"),
    ("raw.ga4__events", "UPDATE raw.ga4__events SET event_timestamp = TIMESTAMP '1970-01-01' WHERE $half"),
    ("raw.reference__exchange_rates", "UPDATE raw.reference__exchange_rates SET rate = 1 / rate"
     " WHERE rate_on = (SELECT max(rate_on) FROM raw.reference__exchange_rates)"),
    ("identity.customer_map", "DELETE FROM identity.customer_map WHERE $row"),
    ("identity.customer_map", "INSERT INTO identity.customer_map FROM identity.customer_map WHERE $row"),
    ("identity.customer_map", "UPDATE identity.customer_map SET customer_id = NULL WHERE $row"),
    ("identity.customer_identifiers", "UPDATE identity.customer_identifiers SET customer_id = 'c_nobody' WHERE $row"),
    ("core.dim_customers", "INSERT INTO core.dim_customers FROM core.dim_customers WHERE $row"),
    ("core.fct_orders", "UPDATE core.fct_orders SET order_id = NULL WHERE $row"),
    ("core.fct_orders", "INSERT INTO core.fct_orders FROM core.fct_orders WHERE $row"),
    ("core.fct_orders", "UPDATE core.fct_orders SET customer_id = 'c_nobody' WHERE $row"),
    ("core.fct_orders", "DELETE FROM core.fct_orders WHERE $half"),
    ("core.fct_orders", "UPDATE core.fct_orders SET gross_amount = 100 * gross_amount, net_amount = 100 * net_amount,"
     " refunded_amount = 100 * refunded_amount WHERE $half"),
    ("core.fct_orders", "UPDATE core.fct_orders SET exchange_rate = NULL WHERE is_counted"),
    ("core.fct_orders", "UPDATE core.fct_orders SET ordered_on = ordered_on + 1000 WHERE $row"),
    ("core.fct_survey_responses", "UPDATE core.fct_survey_responses SET score = 11, is_valid = true WHERE $row"),
    ("core.fct_sessions", "DELETE FROM core.fct_sessions WHERE $row"),
    ("core.customer_features", "UPDATE core.customer_features SET as_of = as_of + 1 WHERE $row"),
    ("marts.customer_360", "DELETE FROM marts.customer_360 WHERE $row"),
    ("marts.customer_360", "UPDATE marts.customer_360 SET region = 'someone@example.jp' WHERE $row"),
    ("marts.ltv_by_customer", "UPDATE marts.ltv_by_customer SET net = net - 1 WHERE $row"),
    ("marts.ltv_by_customer", "UPDATE marts.ltv_by_customer SET ltv = -1 WHERE $row"),
    ("marts.nps_by_period", "UPDATE marts.nps_by_period SET nps = 101 WHERE $row"),
    ("marts.churn_risk", "UPDATE marts.churn_risk SET probability = 1.2 WHERE $row"),
    ("marts.kpi_daily", "UPDATE marts.kpi_daily SET value = 'nan' WHERE $row"),
)  # fmt: skip

#: The same for a company of drawn days; `$last` is its day.
BESIDE_HISTORY: tuple[tuple[str, str], ...] = (
    ("raw.mapped__order", "UPDATE raw.mapped__order SET gross_amount = gross_amount * 100 WHERE $new"),
    ("raw.mapped__order", "UPDATE raw.mapped__order SET ordered_at = ordered_at - INTERVAL 9 HOUR WHERE $new"),
    ("raw.mapped__order", "DELETE FROM raw.mapped__order WHERE _line % 5 < 3"),
    ("raw.batches", "UPDATE raw.batches SET rows_in = rows_in // 3, accepted = accepted // 3 WHERE source = 'shop'"
     " AND batch_id NOT IN (FROM state.published_batches)"),
    ("raw.batches", "UPDATE raw.batches SET last_event_at = least(last_event_at, $last - INTERVAL 5 DAY)"
     " WHERE source = 'shop'"),
    ("core.dim_customers", "UPDATE core.dim_customers SET region = 'unknown' WHERE region <> 'east'"),
    ("marts.kpi_daily", "UPDATE marts.kpi_daily SET numerator = numerator * 100 WHERE day = $last AND unit = 'money'"),
    ("marts.kpi_daily", "UPDATE marts.kpi_daily SET numerator = numerator / 50 WHERE day = $last"),
    ("marts.kpi_daily", "UPDATE marts.kpi_daily SET numerator = numerator * 2 WHERE day < $last AND kpi = 'orders'"),
    ("raw.mapped__order", "UPDATE raw.mapped__order SET tier = NULL WHERE $new"),
    ("marts.kpi_daily", "UPDATE marts.kpi_daily SET value = 1 - value, denominator = 300 WHERE day = $last"
     " AND kpi = 'sla_met_share' AND value > 0.8"
     "; UPDATE marts.kpi_daily SET value = -100, denominator = 300 WHERE day = $last AND kpi = 'nps_28d'"),
    ("marts.kpi_daily", "UPDATE marts.kpi_daily SET value = value * 100, denominator = 300 WHERE day = $last"
     " AND unit = 'minutes'"),
    # The ids of the shop broke: its orders are nobody's, and no sum of money shows it.
    ("core.fct_orders", "UPDATE core.fct_orders SET customer_id = NULL WHERE ordered_on = $last"),
    # A migrated shop: most of what was sold in eight weeks is dated on the day of the export.
    ("core.fct_orders", "UPDATE core.fct_orders SET ordered_on = $last WHERE ordered_on > $last - 56"
     " AND hash(order_id) % 10 < 6"),
)  # fmt: skip

#: Those that go through every launch, by their place in `DEFECTS`.
LAUNCHED = (3, 8, 14, 17, 26)


def by_chance(sql: str, dice: random.Random) -> str:
    """The same with its rows chosen; `$table` stays for who plants it."""
    return sql.replace("$row", f"rowid = (SELECT rowid FROM $table ORDER BY hash(rowid, {dice.randrange(10**9)})"
                       " LIMIT 1)").replace("$half", f"hash(rowid, {dice.randrange(10**9)}) % 2 = 0")  # fmt: skip
