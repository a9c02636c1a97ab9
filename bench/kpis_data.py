"""A large company's records as they stand in a build when the KPI models begin: seeded, made by the engine, as Parquet.

One file per relation, named `<schema>.<table>.parquet`. For N customers: 10 N orders over three years, 0.35 N dated
refunds, 10 N sessions (a fifth of them of visitors nobody knows), 1.5 N contacts, 0.6 N survey answers, 0.05 N
subscriptions, and for every customer a score. Everything is drawn by DuckDB's hash of (row, salt, seed), so the same
version of the engine makes the same rows.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

AS_OF = "2026-06-30"
FIRST_DAY = "2023-07-01"
DAYS = 1096
#: Rows per customer.
ORDERS, SESSIONS, CONTACTS, ANSWERS, SUBSCRIPTIONS, VISITORS = 10, 10, 1.5, 0.6, 0.05, 0.2

_MACROS = """
CREATE MACRO u(i, salt) AS (hash(i, salt, {seed}) >> 11) / 9007199254740992.0;
CREATE MACRO pick(i, salt, words) AS words[1 + CAST(floor(u(i, salt) * len(words)) AS BIGINT)];
-- The first customers order more often; one in twelve never orders.
CREATE MACRO buyer(i, salt) AS CAST(floor({customers} * 0.92 * power(u(i, salt), 1.6)) AS BIGINT);
CREATE MACRO joined_at(c) AS
    TIMESTAMP '{first_day} 03:00:00' + to_seconds(CAST(floor(u(c, 'joined') * {days} * 86400 * 0.97) AS BIGINT));
CREATE MACRO later(c, i, salt) AS joined_at(c) + to_seconds(CAST(floor(
    power(u(i, salt), 1.3) * date_diff('second', joined_at(c), TIMESTAMP '{as_of} 14:59:00')
) AS BIGINT));
CREATE MACRO local_day(moment) AS CAST(CAST(moment AS TIMESTAMP) AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo' AS DATE);
CREATE MACRO person(c) AS 'c_' || substr(md5('customer ' || c || ' {seed}'), 1, 20);
"""

_RELATIONS = {
    "core.dim_customers": """
        SELECT
            person(c) AS customer_id, c < {customers} AS is_known, joined_at(c) AS first_seen_at,
            TIMESTAMP '{as_of} 10:00:00' AS last_seen_at,
            CASE WHEN c < {customers} THEN pick(c, 'region',
                ['関東', '関東', '関東', '近畿', '近畿', '中部', '九州', '東北', '北海道', '中国', '四国', 'unknown'])
                ELSE 'unknown' END AS region,
            CASE WHEN c < {customers} THEN pick(c, 'age',
                ['under 20', '20-29', '30-39', '30-39', '40-49', '50-59', '60-69', '70 and over', 'unknown'])
                ELSE 'unknown' END AS age_band,
            CAST(NULL AS INTEGER) AS birth_year, '日本' AS country, CAST(NULL AS VARCHAR) AS postal_prefix,
            u(c, 'consent') < 0.7 AS email_consent,
            CASE WHEN c < {customers} AND u(c, 'account') < 0.03 THEN 'acc-' || (c % 997) END AS account_id,
            'C-' || substr(md5(person(c)), 1, 8) AS display_label, CAST(2 AS BIGINT) AS records,
            'shop.customer' AS sources
        FROM range({people}) AS people (c)""",
    "identity.customer_map": """
        SELECT 'shop.customer' AS source, 'U' || c AS record_key, person(c) AS customer_id, true AS is_known
        FROM range({customers}) AS people (c)
        UNION ALL
        SELECT 'crm.contact', 'K' || c, person(c), true FROM range({customers}) AS people (c) WHERE u(c, 'crm') < 0.5
        UNION ALL
        SELECT 'web.device', 'D' || c, person(c), false FROM range({customers}, {people}) AS people (c)""",
    "identity.source_records": """
        SELECT 'shop.customer' AS source, 'U' || c AS record_key, 'customer' AS entity, joined_at(c) AS created_at
        FROM range({customers}) AS people (c)
        UNION ALL
        SELECT 'crm.contact', 'K' || c, 'contact', joined_at(c) + to_days(CAST(floor(u(c, 'late') * 90) AS INTEGER))
        FROM range({customers}) AS people (c) WHERE u(c, 'crm') < 0.5
        UNION ALL
        SELECT 'web.device', 'D' || c, 'device', joined_at(c) FROM range({customers}, {people}) AS people (c)""",
    "staging.canonical__order": """
        SELECT
            'mapped.shop:A' || i AS order_id, 'mapped.shop' AS source_name, 'shop' AS identity_namespace,
            'A' || i AS order_key, CAST(NULL AS VARCHAR) AS account_key, 'shop.customer' AS person_source,
            CASE WHEN u(i, 'guest') < 0.01 THEN 'G' || i ELSE 'U' || c END AS person_record_key,
            later(c, i, 'ordered') AS ordered_at, local_day(later(c, i, 'ordered')) AS ordered_on,
            CASE WHEN is_dollar THEN 'USD' ELSE 'JPY' END AS currency,
            CAST(CASE WHEN is_dollar THEN round(8 + 300 * power(u(i, 'worth'), 4), 2)
                ELSE floor(900 + 38000 * power(u(i, 'worth'), 4)) END AS DECIMAL(18, 2)) AS gross_amount,
            CAST(0 AS DECIMAL(18, 2)) AS discount_amount,
            CAST(CASE WHEN u(i, 'exported') < 0.02 THEN 300 ELSE 0 END AS DECIMAL(18, 2)) AS refunded_amount,
            pick(i, 'channel', ['web', 'web', 'web', 'app', 'App ', 'store', NULL]) AS channel,
            u(i, 'cancelled') < 0.02 AS is_cancelled, u(i, 'voided') < 0.003 AS is_voided,
            u(i, 'test') < 0.001 AS is_test
        FROM (
            SELECT i, buyer(i, 'buyer') AS c, u(i, 'dollar') < 0.03 AS is_dollar FROM range({orders}) AS listed (i)
        )""",
    "staging.canonical__refund": """
        SELECT
            'mapped.shop:R' || i || '-' || n AS refund_id, 'mapped.shop' AS source_name, 'shop' AS identity_namespace,
            'R' || i || '-' || n AS refund_key, 'A' || i AS order_key,
            CASE WHEN u(i, 'dollar') < 0.03 THEN 'USD' ELSE 'JPY' END AS currency,
            CAST(CASE WHEN u(i, 'dollar') < 0.03 THEN 3.5 ELSE 350 * n END AS DECIMAL(18, 2)) AS amount,
            least(later(buyer(i, 'buyer'), i, 'ordered') + to_days(CAST(floor(u(i, 'back') * 30) AS INTEGER) + n),
                TIMESTAMP '{as_of} 14:59:00') AS refunded_at,
            local_day(refunded_at) AS refunded_on
        FROM range({orders}) AS listed (i), range(1, 3) AS parts (n)
        WHERE u(i, 'refunded') < 0.03 AND (n = 1 OR u(i, 'twice') < 0.17)""",
    "staging.canonical__survey_response": """
        SELECT
            'mapped.survey:S' || i AS response_id, 'mapped.survey' AS source_name, 'shop.customer' AS person_source,
            CASE WHEN u(i, 'nobody') < 0.03 THEN 'X' || i ELSE 'U' || c END AS person_record_key,
            kind AS survey_type, 'voice' AS survey,
            CAST(floor(u(i, 'score') * CASE kind WHEN 'nps' THEN 11 WHEN 'csat' THEN 5 ELSE 7 END)
                + CASE WHEN kind = 'nps' THEN 0 ELSE 1 END AS BIGINT) AS score,
            CAST(NULL AS VARCHAR) AS comment,
            pick(i, 'touchpoint', [NULL, NULL, 'delivery', 'support', 'checkout']) AS touchpoint,
            later(c, i, 'answered') AS sent_at, sent_at + to_hours(2) AS responded_at,
            local_day(responded_at) AS responded_on
        FROM (
            SELECT i, buyer(i, 'asked') AS c, pick(i, 'kind', ['nps', 'nps', 'nps', 'csat', 'ces']) AS kind
            FROM range({answers}) AS listed (i)
        ) WHERE local_day(later(c, i, 'answered') + to_hours(2)) <= DATE '{as_of}'""",
    "staging.canonical__subscription": """
        SELECT
            'mapped.billing:B' || i AS subscription_id, 'mapped.billing' AS source_name,
            CASE WHEN u(i, 'company') < 0.2 THEN 'acc-' || (i % 9973) END AS account_key,
            'shop.customer' AS person_source, 'U' || buyer(i, 'subscriber') AS person_record_key, 'box' AS plan,
            'active' AS status, CASE WHEN u(i, 'dollar') < 0.1 THEN 'USD' ELSE 'JPY' END AS currency,
            CAST(1000 + floor(u(i, 'price') * 9) * 500 AS DECIMAL(18, 2)) AS amount, CAST(1 AS BIGINT) AS quantity,
            pick(i, 'interval', ['month', 'month', 'month', 'year']) AS billing_interval,
            CAST(1 AS BIGINT) AS interval_count, joined_at(i) AS started_at, local_day(joined_at(i)) AS started_on,
            CASE WHEN u(i, 'trial') < 0.3 THEN joined_at(i) + to_days(30) END AS trial_ends_at,
            CAST(NULL AS TIMESTAMP) AS cancelled_at,
            CASE WHEN u(i, 'ends') < 0.5 THEN later(i, i, 'ended') END AS ended_at
        FROM range({subscriptions}) AS listed (i)""",
    "staging.canonical__subscription_term": """
        SELECT
            'mapped.billing:B' || i AS subscription_id, joined_at(i) AS valid_from,
            CASE WHEN u(i, 'dollar') < 0.1 THEN 'USD' ELSE 'JPY' END AS currency,
            CAST(1000 + floor(u(i, 'price') * 9) * 500 AS DECIMAL(18, 2)) AS amount, CAST(1 AS BIGINT) AS quantity,
            pick(i, 'interval', ['month', 'month', 'month', 'year']) AS billing_interval,
            CAST(1 AS BIGINT) AS interval_count
        FROM range({subscriptions}) AS listed (i)
        UNION ALL
        SELECT
            'mapped.billing:B' || i, later(i, i, 'changed'),
            CASE WHEN u(i, 'dollar') < 0.1 THEN 'USD' ELSE 'JPY' END,
            CAST(1000 + floor(u(i, 'new price') * 9) * 500 AS DECIMAL(18, 2)), 1,
            pick(i, 'interval', ['month', 'month', 'month', 'year']), 1
        FROM range({subscriptions}) AS listed (i) WHERE u(i, 'changes') < 0.4""",
    "core.fct_sessions": """
        SELECT
            md5('session ' || i) AS session_id, person(c) AS customer_id, later(c, i, 'visited') AS started_at,
            local_day(later(c, i, 'visited')) AS started_on, pick(i, 'device', ['mobile', 'desktop']) AS device_category
        FROM (
            SELECT i, CASE WHEN u(i, 'stranger') < 0.2
                THEN {customers} + CAST(floor(u(i, 'visitor') * {visitors}) AS BIGINT) ELSE buyer(i, 'who') END AS c
            FROM range({sessions}) AS listed (i)
        )""",
    "core.fct_interactions": """
        SELECT
            'desk:' || i AS interaction_id,
            CASE WHEN u(i, 'nobody') > 0.05 THEN person(buyer(i, 'asks')) END AS customer_id,
            CAST(NULL AS VARCHAR) AS continues_interaction_id, 'inbound' AS direction,
            pick(i, 'channel', ['email', 'email', 'chat', 'phone']) AS channel,
            later(buyer(i, 'asks'), i, 'opened') AS opened_at, local_day(opened_at) AS opened_on,
            CAST(floor(u(i, 'first') * 900) AS DECIMAL(18, 2)) AS first_response_minutes,
            u(i, 'first') < 0.6 AS is_sla_met,
            CASE WHEN u(i, 'solved') < 0.98 THEN local_day(opened_at) + CAST(floor(u(i, 'days') * 4) AS INTEGER) END
                AS solved_on,
            CASE WHEN solved_on <= DATE '{as_of}' THEN solved_on END AS resolved_on, resolved_on IS NULL AS is_open,
            CAST(floor(u(i, 'reopened') * 1.1) AS BIGINT) AS reopens,
            CASE WHEN u(i, 'rated') < 0.2 THEN CAST(1 + floor(u(i, 'stars') * 5) AS BIGINT) END AS csat_score,
            u(i, 'left') < 0.04 AS is_abandoned, channel = 'phone' AS is_call, NOT is_open AS is_resolved,
            CASE WHEN channel = 'phone' THEN u(i, 'left') < 0.05 END AS is_unanswered,
            CASE WHEN NOT is_open THEN CAST(floor(u(i, 'took') * 9000) AS DECIMAL(18, 2)) END AS resolution_minutes,
            CASE WHEN u(i, 'topic') < 0.7 THEN u(i, 'again') < 0.8 END AS is_fcr, u(i, 'again') < 0.75 AS is_fcr_proxy,
            CASE WHEN channel = 'phone' THEN CAST(60 + floor(u(i, 'work') * 900) AS BIGINT) END AS handle_seconds,
            CASE WHEN channel = 'phone' THEN CAST(floor(u(i, 'wrap') * 90) AS BIGINT) END AS acw_seconds
        FROM range({contacts}) AS listed (i)""",
    "scores.churn_scores": """
        SELECT
            person(c) AS customer_id, DATE '{as_of}' AS as_of,
            CASE WHEN scored THEN round(u(c, 'alive'), 6) END AS p_alive,
            CASE WHEN scored THEN round(6 * u(c, 'expected'), 6) END AS expected_purchases,
            CAST(CASE WHEN scored THEN floor(20000 * u(c, 'value')) END AS DECIMAL(18, 2)) AS expected_value,
            CAST(CASE WHEN scored THEN floor(19000 * u(c, 'value')) END AS DECIMAL(18, 2)) AS discounted_value,
            CAST(CASE WHEN scored THEN 0 END AS DECIMAL(18, 2)) AS value_low,
            CAST(CASE WHEN scored THEN floor(60000 * u(c, 'value')) END AS DECIMAL(18, 2)) AS value_high,
            CASE WHEN NOT scored THEN 'no_purchase' END AS reason
        FROM (SELECT c, c < 0.92 * {customers} AS scored FROM range({customers}) AS people (c))""",
    "staging.stg_reference__exchange_rates": """
        SELECT DATE '{first_day}' + CAST(d AS INTEGER) AS rate_on, 'USD' AS currency,
            CAST(140 + floor(u(d, 'rate') * 2000) / 100 AS DECIMAL(18, 8)) AS rate
        FROM range({days}) AS listed (d)""",
    "raw.batches": """
        SELECT source, relation, TIMESTAMP '{as_of} 14:00:00' AS last_event_at
        FROM (VALUES ('shop', 'raw.mapped__order'), ('web', 'raw.mapped__web_event'),
            ('desk', 'raw.mapped__interaction'), ('voice', 'raw.mapped__survey_response')) AS fed (source, relation)""",
}


def relations() -> list[str]:
    """Names of the relations that are written, `<schema>.<table>`."""
    return list(_RELATIONS)


def write(folder: Path, customers: int, seed: int) -> dict[str, int]:
    """Write the files of `customers` customers into `folder`; returns rows by relation."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {
        "seed": seed,
        "customers": customers,
        "visitors": int(VISITORS * customers),
        "people": customers + int(VISITORS * customers),
        "orders": ORDERS * customers,
        "sessions": SESSIONS * customers,
        "contacts": int(CONTACTS * customers),
        "answers": int(ANSWERS * customers),
        "subscriptions": int(SUBSCRIPTIONS * customers),
        "as_of": AS_OF,
        "first_day": FIRST_DAY,
        "days": DAYS,
    }
    rows: dict[str, int] = {}
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'; SET threads = 2; SET preserve_insertion_order = false")
        db.execute(_MACROS.format(**sizes))
        for name, query in _RELATIONS.items():
            target = str(folder / f"{name}.parquet")
            copied = db.execute(f"COPY ({query.format(**sizes)}) TO '{target}' (FORMAT parquet)").fetchall()
            rows[name] = copied[0][0]
    return rows
