-- The KPI marts without dbt, models or layers, as somebody would write them whose only task is speed.
--
-- Reads the Parquet files of bench/kpis_data.py from the folder in variable `inputs`, as of the variable `as_of`, and
-- writes the schema `marts`. Customers become dense integers at once; every large input is read once; orders and
-- sessions become one table of days per customer, that becomes one of months, and segments are sums of small tables.
-- It knows what the inputs lack and leaves it out: lines of orders, comments, merged shop orders, exports that list
-- what was asked, opportunities, other settings than the usual ones.

SET preserve_insertion_order = false;
CREATE SCHEMA marts;
CREATE TEMP MACRO file(name) AS getvariable('inputs') || '/' || name || '.parquet';
CREATE TEMP MACRO ratio(n, d) AS CASE WHEN d <> 0 THEN round(CAST(n AS DOUBLE) / CAST(d AS DOUBLE), 6) END;
CREATE TEMP MACRO yen(x) AS CAST(round(x, 0) AS DECIMAL(18, 2));
CREATE TEMP MACRO month_of(d) AS CAST(date_trunc('month', d) AS DATE);
CREATE TEMP MACRO month_number(d) AS CAST(year(d) * 12 + month(d) - 1 AS INTEGER);
CREATE TEMP MACRO month_date(n) AS make_date(n // 12, n % 12 + 1, 1);
CREATE TEMP MACRO local_day(t) AS CAST(t AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo' AS DATE);

-- People and their records ------------------------------------------------------------------------------------------

CREATE TEMP TABLE people AS
SELECT CAST(row_number() OVER () AS INTEGER) AS c, customer_id, is_known, region, age_band, account_id
FROM read_parquet(file('core.dim_customers'));

CREATE TEMP TABLE records AS
SELECT source, record_key, c
FROM read_parquet(file('identity.customer_map')) JOIN people USING (customer_id);

CREATE TEMP TABLE rates AS
SELECT currency, valid_from + CAST(n AS INTEGER) AS day, CAST(rate AS DECIMAL(18, 8)) AS rate
FROM (
    SELECT *, unnest(range(coalesce(lead(valid_from) OVER (PARTITION BY currency ORDER BY valid_from),
        getvariable('as_of') + 1) - valid_from)) AS n
    FROM (SELECT currency, rate_on AS valid_from, rate FROM read_parquet(file('staging.stg_reference__exchange_rates')))
);

-- Orders ------------------------------------------------------------------------------------------------------------

-- Refunds: only the orders that have any are looked at, by the number of their row.
CREATE TEMP TABLE refunded AS
SELECT
    o.file_row_number AS o, o.order_id, o.ordered_on, o.currency, o.refunded_amount AS exported, r.refund_id,
    r.refunded_on, r.currency AS refund_currency, r.amount
FROM read_parquet(file('staging.canonical__order'), file_row_number = true) AS o
LEFT JOIN read_parquet(file('staging.canonical__refund')) AS r
    ON o.order_key = r.order_key AND o.identity_namespace = r.identity_namespace
WHERE r.refund_id IS NOT NULL OR o.refunded_amount > 0;

CREATE TEMP TABLE refunds AS
WITH parts AS (
    SELECT o, ordered_on, currency, refund_id, refunded_on, refund_currency, amount FROM refunded
    WHERE refund_id IS NOT NULL
    UNION ALL
    SELECT o, ordered_on, currency, order_id || ':refund', ordered_on, currency, exported - coalesce(dated, 0)
    FROM (
        SELECT o, order_id, ordered_on, currency, exported,
            sum(CASE WHEN refund_currency = currency THEN amount END) AS dated
        FROM refunded GROUP BY ALL
    )
    WHERE exported > coalesce(dated, 0)
), valued AS (
    SELECT
        parts.*, coalesce(rate, 1) AS rate,
        sum(amount) OVER (PARTITION BY o, refund_currency ORDER BY refunded_on NULLS FIRST, refund_id
            ROWS UNBOUNDED PRECEDING) AS running
    FROM parts
    LEFT JOIN rates ON rates.currency = parts.refund_currency AND rates.day = coalesce(ordered_on, refunded_on)
)
SELECT o, refunded_on, refund_currency, currency, CAST(amount AS DECIMAL(18, 2)) AS amount,
    CAST(yen(CAST(running AS DECIMAL(20, 2)) * rate) - yen(CAST(running - amount AS DECIMAL(20, 2)) * rate)
        AS DECIMAL(18, 2)) AS yen
FROM valued;

CREATE TEMP TABLE orders AS
SELECT
    o.file_row_number AS o, c, o.order_id, o.ordered_at, o.ordered_on AS day, o.channel, o.currency, o.gross_amount,
    CASE WHEN is_test THEN 'test' WHEN is_cancelled THEN 'cancelled' WHEN is_voided THEN 'voided'
        WHEN o.ordered_on IS NULL THEN 'no_event_time' WHEN c IS NULL THEN 'nobody_known' ELSE 'counted' END AS fate,
    CASE WHEN o.currency = 'JPY' THEN yen(o.gross_amount)
        ELSE yen(CAST(o.gross_amount AS DECIMAL(20, 2)) * rate) END AS gross,
    coalesce(r.amount, 0) AS refunded_amount, CAST(coalesce(r.yen, 0) AS DECIMAL(18, 2)) AS refunds
FROM read_parquet(file('staging.canonical__order'), file_row_number = true) AS o
LEFT JOIN records ON o.person_source = records.source AND o.person_record_key = records.record_key
LEFT JOIN rates ON o.currency = rates.currency AND o.ordered_on = rates.day
LEFT JOIN (SELECT o, sum(amount) AS amount, sum(yen) AS yen FROM refunds GROUP BY o) AS r ON o.file_row_number = r.o;

CREATE TABLE marts.revenue_reconciliation AS
SELECT currency AS order_currency, fate, getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone, 'JPY' AS currency,
    count(*) AS orders, sum(gross_amount) AS gross, sum(refunded_amount) AS refunds, sum(gross) AS gross_reporting,
    sum(gross - refunds) AS net_reporting, true AS is_complete
FROM orders GROUP BY currency, fate;

-- What each customer did on each day: orders and sessions in one table.
CREATE TEMP TABLE days AS
SELECT c, day, CAST(sum(n) AS INTEGER) AS orders, CAST(sum(gross) AS DECIMAL(18, 2)) AS gross,
    CAST(sum(refunds) AS DECIMAL(18, 2)) AS refunds, max(visited) AS visited
FROM (
    SELECT c, day, 1 AS n, gross, refunds, 0 AS visited FROM orders WHERE fate = 'counted'
    UNION ALL
    SELECT c, started_on, 0, 0, 0, 1
    FROM read_parquet(file('core.fct_sessions')) JOIN people USING (customer_id)
    WHERE started_on IS NOT NULL
)
GROUP BY c, day;

-- Everybody once: first and last days, sums, first channel, sign-up, number of the group of segments.
CREATE TEMP TABLE firsts AS
WITH active AS (
    SELECT c, min(day) FILTER (orders > 0) AS ordered_on, max(day) FILTER (orders > 0) AS last_ordered_on,
        min(day) FILTER (visited > 0) AS visited_on, max(day) FILTER (visited > 0) AS last_visited_on,
        CAST(sum(orders) AS BIGINT) AS orders, sum(gross) AS gross, sum(refunds) AS refunds
    FROM days GROUP BY c
), first_times AS (
    SELECT c, min(ordered_at) AS ordered_at FROM orders WHERE fate = 'counted' GROUP BY c
), channels AS (
    SELECT orders.c, arg_min(coalesce(lower(trim(channel)), 'unknown'), order_id) AS first_channel
    FROM orders JOIN first_times ON orders.c = first_times.c AND orders.ordered_at = first_times.ordered_at
    WHERE fate = 'counted' GROUP BY orders.c
), sign_ups AS (
    SELECT records.c, local_day(min(created_at)) AS signed_up_on
    FROM read_parquet(file('identity.source_records')) AS s
    JOIN records ON s.source = records.source AND s.record_key = records.record_key
    JOIN people ON records.c = people.c
    WHERE s.entity IN ('contact', 'user', 'customer') AND s.created_at IS NOT NULL AND people.is_known
    GROUP BY records.c
)
SELECT people.c, region, age_band, coalesce(first_channel, 'none') AS first_channel, ordered_on, last_ordered_on,
    visited_on, last_visited_on, signed_up_on, orders, gross, refunds,
    CAST(dense_rank() OVER (ORDER BY region, age_band, coalesce(first_channel, 'none')) AS INTEGER) AS g
FROM people LEFT JOIN active USING (c) LEFT JOIN channels USING (c) LEFT JOIN sign_ups USING (c);

CREATE TEMP TABLE groups AS SELECT DISTINCT g, region, age_band, first_channel FROM firsts;

-- Lifetime value ----------------------------------------------------------------------------------------------------

CREATE TEMP TABLE valued AS
WITH scored AS (
    SELECT people.c, customer_id, is_known, firsts.region, firsts.age_band, first_channel, ordered_on, last_ordered_on,
        coalesce(orders, 0) AS orders, CAST(coalesce(gross, 0) AS DECIMAL(18, 2)) AS gross,
        CAST(coalesce(refunds, 0) AS DECIMAL(18, 2)) AS refunds,
        CAST(coalesce(gross - refunds, 0) AS DECIMAL(18, 2)) AS net,
        yen(CAST(coalesce(gross - refunds, 0) AS DECIMAL(18, 2)) * CAST(0.30 AS DECIMAL(9, 4))) AS margin,
        p_alive, expected_purchases, discounted_value AS predicted, expected_value, value_low, value_high,
        CASE WHEN expected_value IS NULL THEN coalesce(reason, 'not_known') END AS reason
    FROM people JOIN firsts USING (c)
    LEFT JOIN read_parquet(file('scores.churn_scores')) AS scores USING (customer_id)
    WHERE is_known OR orders > 0
)
SELECT *, yen(predicted * CASE WHEN net > 0 AND margin > 0
    THEN CAST(round(CAST(margin AS DOUBLE) / CAST(net AS DOUBLE), 6) AS DECIMAL(9, 6))
    ELSE CAST(0.30 AS DECIMAL(9, 6)) END) AS predicted_margin
FROM scored;

CREATE TABLE marts.ltv_by_customer AS
SELECT customer_id, 'JPY' AS currency, getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone, region, first_channel,
    ordered_on AS first_order_on, last_ordered_on AS last_order_on, orders, gross, refunds, net,
    CAST(0.30 AS DECIMAL(9, 4)) AS margin_rate, CAST(0 AS DECIMAL(18, 2)) AS net_of_articles,
    CAST(0 AS DECIMAL(18, 2)) AS margin_of_articles, margin, p_alive, expected_purchases, predicted AS predicted_12m,
    expected_value AS predicted_12m_undiscounted, value_low AS predicted_low, value_high AS predicted_high,
    predicted_margin AS predicted_margin_12m, reason AS prediction_reason, net + coalesce(predicted, 0) AS ltv,
    margin + coalesce(predicted_margin, 0) AS ltv_margin, true AS is_complete
FROM valued;

-- One sort of all buyers; within a segment their numbers stand in the same order.
CREATE TABLE marts.customer_value_ranks AS
WITH sorted AS (
    SELECT customer_id, region, first_channel, net,
        CAST(row_number() OVER (ORDER BY net DESC, customer_id) AS INTEGER) AS place
    FROM valued WHERE orders > 0
), segmented AS (
    SELECT 'overall' AS segment_type, 'all' AS segment, customer_id, net, place FROM sorted
    UNION ALL SELECT 'region', region, customer_id, net, place FROM sorted
    UNION ALL SELECT 'first_channel', first_channel, customer_id, net, place FROM sorted
), totals AS (
    SELECT segment_type, segment, count(*) AS buyers, sum(net) AS total FROM segmented GROUP BY ALL
), ranked AS (
    SELECT segment_type, segment, customer_id, net, row_number() OVER w AS net_rank, sum(net) OVER w AS net_cumulative
    FROM segmented
    WINDOW w AS (PARTITION BY segment_type, segment ORDER BY place ROWS UNBOUNDED PRECEDING)
)
SELECT customer_id, segment_type, segment, getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone, 'JPY' AS currency,
    net_rank, buyers, net, CAST(net_cumulative AS DECIMAL(18, 2)) AS net_cumulative,
    CASE WHEN total > 0 THEN round(CAST(net AS DOUBLE) / CAST(total AS DOUBLE), 15) END AS net_share,
    CASE WHEN total > 0 THEN round(CAST(net_cumulative AS DOUBLE) / CAST(total AS DOUBLE), 15) END
        AS net_share_cumulative,
    ratio(net_rank, buyers) AS buyers_share, true AS is_complete
FROM ranked JOIN totals USING (segment_type, segment);

CREATE TABLE marts.ltv_by_segment AS
WITH small AS (
    SELECT region, first_channel, age_band, coalesce(CAST(year(ordered_on) AS VARCHAR), 'none') AS first_order_year,
        count(*) AS customers, count(*) FILTER (orders > 0) AS buyers, count(*) FILTER (orders > 1) AS repeat_buyers,
        sum(orders) AS orders, sum(gross) AS gross, sum(refunds) AS refunds, sum(net) AS net, sum(margin) AS margin,
        count(predicted) AS customers_predicted, sum(coalesce(predicted, 0)) AS predicted_12m,
        sum(net + coalesce(predicted, 0)) AS ltv, sum(margin + coalesce(predicted_margin, 0)) AS ltv_margin
    FROM valued GROUP BY ALL
), segmented AS (
    SELECT 'overall' AS segment_type, 'all' AS segment, small.* FROM small
    UNION ALL SELECT 'region', region, small.* FROM small
    UNION ALL SELECT 'first_channel', first_channel, small.* FROM small
    UNION ALL SELECT 'first_order_year', first_order_year, small.* FROM small
    UNION ALL SELECT 'age_band', age_band, small.* FROM small
), totals AS (
    SELECT segment_type, segment, sum(customers) AS customers, sum(buyers) AS buyers,
        sum(repeat_buyers) AS repeat_buyers, sum(orders) AS orders, sum(gross) AS gross, sum(refunds) AS refunds,
        sum(net) AS net, sum(margin) AS margin, sum(customers_predicted) AS customers_predicted,
        sum(predicted_12m) AS predicted_12m, sum(ltv) AS ltv, sum(ltv_margin) AS ltv_margin
    FROM segmented GROUP BY ALL
), largest AS (
    SELECT segment_type, segment, count(*) AS leaders
    FROM marts.customer_value_ranks WHERE net_share_cumulative <= 0.8 GROUP BY ALL
)
SELECT totals.*, getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone, 'JPY' AS currency,
    ratio(net, buyers) AS net_per_buyer, ratio(ltv, buyers) AS ltv_per_buyer,
    ratio(repeat_buyers, buyers) AS repeat_share, leaders AS buyers_of_80_percent,
    ratio(leaders, buyers) AS share_of_buyers_of_80_percent, true AS is_complete
FROM totals LEFT JOIN largest USING (segment_type, segment);

-- Months, cohorts and years -----------------------------------------------------------------------------------------

CREATE TEMP TABLE months AS
SELECT c, month_number(day) AS m, CAST(sum(orders) AS BIGINT) AS orders, count(*) FILTER (orders > 0) AS order_days,
    sum(gross) AS gross, sum(refunds) AS refunds, max(day) AS last_on, bool_or(visited > 0) AS visited
FROM days GROUP BY c, month_number(day);

CREATE TABLE marts.ltv_by_cohort AS
WITH cohorts AS (
    SELECT month_number(ordered_on) AS m, count(*) AS customers FROM firsts WHERE ordered_on IS NOT NULL GROUP BY ALL
), monthly AS (
    SELECT month_number(ordered_on) AS cohort, m, count(*) AS buyers, sum(months.orders) AS orders,
        sum(months.gross) AS gross, sum(months.refunds) AS refunds
    FROM months JOIN firsts USING (c) WHERE months.orders > 0 GROUP BY ALL
), grid AS (
    SELECT m AS cohort, customers, unnest(range(m, month_number(getvariable('as_of')) + 1)) AS m FROM cohorts
)
SELECT month_date(cohort) AS cohort_month, m - cohort AS months_since_first_order, 'JPY' AS currency,
    getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone, customers, coalesce(buyers, 0) AS buyers,
    coalesce(orders, 0) AS orders, coalesce(gross, 0) AS gross, coalesce(refunds, 0) AS refunds,
    coalesce(gross - refunds, 0) AS net,
    sum(coalesce(gross - refunds, 0)) OVER (PARTITION BY cohort ORDER BY m ROWS UNBOUNDED PRECEDING) AS net_cumulative,
    last_day(month_date(m)) <= getvariable('as_of') AS is_complete
FROM grid LEFT JOIN monthly USING (cohort, m);

CREATE TABLE marts.customer_years AS
WITH years AS (
    SELECT c, m // 12 AS y, sum(order_days) AS order_days, sum(gross) AS gross, sum(gross - refunds) AS net
    FROM months WHERE orders > 0 GROUP BY ALL
), grid AS (
    SELECT c, year(ordered_on) AS first_year, first_channel,
        unnest(range(year(ordered_on), year(getvariable('as_of')) + 1)) AS y
    FROM firsts WHERE ordered_on IS NOT NULL
)
SELECT customer_id, grid.y AS calendar_year, getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone,
    'JPY' AS currency, first_year, first_channel, years.c IS NOT NULL AS has_ordered,
    CASE WHEN years.c IS NULL THEN 'sleeping' WHEN grid.y = first_year THEN 'new'
        WHEN before.c IS NOT NULL THEN 'consistent' ELSE 'returning' END AS customer_class,
    coalesce(years.order_days, 0) AS order_days, coalesce(years.gross, 0) AS gross, coalesce(years.net, 0) AS net,
    year(getvariable('as_of') + 1) > grid.y AS is_complete
FROM grid
JOIN people USING (c)
LEFT JOIN years ON grid.c = years.c AND grid.y = years.y
LEFT JOIN years AS before ON grid.c = before.c AND grid.y - 1 = before.y;

-- Contracts ---------------------------------------------------------------------------------------------------------

CREATE TEMP TABLE contract_months AS
WITH subscriptions AS (
    SELECT s.*, people.customer_id, coalesce(account_key, people.account_id) AS account_id
    FROM read_parquet(file('staging.canonical__subscription')) AS s
    LEFT JOIN records ON s.person_source = records.source AND s.person_record_key = records.record_key
    LEFT JOIN people USING (c)
), stated AS (
    SELECT s.subscription_id, s.account_id, s.customer_id, s.started_at, s.trial_ends_at, s.ended_at, t.valid_from,
        coalesce(t.currency, s.currency) AS currency,
        CAST(round(CAST(coalesce(t.amount, s.amount) * coalesce(t.quantity, s.quantity) AS DECIMAL(18, 2))
            / (CASE coalesce(t.billing_interval, s.billing_interval) WHEN 'year' THEN 12 ELSE 1 END
                * coalesce(t.interval_count, s.interval_count)), 2) AS DECIMAL(18, 2)) AS monthly,
        row_number() OVER (PARTITION BY s.subscription_id ORDER BY t.valid_from) AS term
    FROM subscriptions AS s
    LEFT JOIN read_parquet(file('staging.canonical__subscription_term')) AS t USING (subscription_id)
), begun AS (
    SELECT *, greatest(CASE WHEN term = 1 THEN started_at ELSE valid_from END, started_at,
        coalesce(trial_ends_at, started_at)) AS from_at
    FROM stated
), spans AS (
    SELECT *, local_day(from_at) AS from_on, local_day(ended_at) AS ended_on,
        coalesce(local_day(lead(from_at) OVER (PARTITION BY subscription_id ORDER BY term)), local_day(ended_at))
            AS next_on
    FROM begun
), priced AS (
    SELECT subscription_id, account_id, customer_id, from_on,
        CASE WHEN ended_on < next_on THEN ended_on ELSE next_on END AS until_on,
        yen(CAST(monthly AS DECIMAL(18, 2)) * CASE WHEN spans.currency = 'JPY' THEN 1 ELSE rate END) AS recurring
    FROM spans LEFT JOIN rates ON spans.currency = rates.currency AND rates.day = getvariable('as_of')
    WHERE (next_on IS NULL OR next_on > from_on) AND (ended_on IS NULL OR ended_on > from_on)
), dated AS (
    SELECT *, unnest(range(month_number(from_on),
        month_number(least(coalesce(until_on, getvariable('as_of')), getvariable('as_of'))) + 1)) AS m
    FROM priced WHERE from_on <= getvariable('as_of')
)
SELECT CASE WHEN account_id IS NOT NULL THEN 'account' WHEN customer_id IS NOT NULL THEN 'customer' ELSE 'unnamed' END
        AS payer_type,
    coalesce(account_id, customer_id, subscription_id) AS payer_id, CAST(m AS INTEGER) AS m,
    CAST(sum(recurring) AS DECIMAL(18, 2)) AS mrr
FROM dated
WHERE from_on <= least(last_day(month_date(m)), getvariable('as_of'))
    AND (until_on IS NULL OR until_on > least(last_day(month_date(m)), getvariable('as_of')))
    AND recurring <> 0
GROUP BY ALL;

CREATE TABLE marts.mrr_movements AS
WITH filled AS (
    SELECT payer_type, payer_id, first_m, m, coalesce(mrr, 0) AS closing
    FROM (
        SELECT payer_type, payer_id, min(m) AS first_m,
            unnest(range(min(m), month_number(getvariable('as_of')) + 1)) AS m
        FROM contract_months GROUP BY payer_type, payer_id
    )
    LEFT JOIN contract_months USING (payer_type, payer_id, m)
), moved AS (
    SELECT *, coalesce(lag(closing) OVER (PARTITION BY payer_type, payer_id ORDER BY m), 0) AS opening FROM filled
)
SELECT payer_type, payer_id, month_date(m) AS month_on, getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone,
    'JPY' AS currency, opening, CASE WHEN m = first_m THEN closing ELSE 0 END AS new,
    CASE WHEN opening > 0 AND closing > opening THEN closing - opening ELSE 0 END AS expansion,
    CASE WHEN closing > 0 AND closing < opening THEN opening - closing ELSE 0 END AS contraction,
    CASE WHEN closing <= 0 AND opening > 0 THEN opening - closing ELSE 0 END AS churned,
    CASE WHEN opening <= 0 AND closing > 0 AND m > first_m THEN closing - opening ELSE 0 END AS reactivated, closing,
    CASE WHEN m = first_m THEN 'new' WHEN opening <= 0 AND closing > 0 THEN 'reactivated'
        WHEN closing <= 0 AND opening > 0 THEN 'churned' WHEN closing > opening THEN 'expansion'
        WHEN closing < opening THEN 'contraction' ELSE 'unchanged' END AS movement,
    m - first_m AS months_since_first, last_day(month_date(m)) <= getvariable('as_of') AS is_complete
FROM moved WHERE opening <> 0 OR closing <> 0;

CREATE TABLE marts.ltv_by_contract AS
WITH runs AS (
    SELECT payer_type, payer_id, month_number(month_on) AS m, month_on, opening, closing, movement,
        max(month_number(month_on)) FILTER (movement IN ('new', 'reactivated')) OVER (
            PARTITION BY payer_type, payer_id ORDER BY month_on ROWS UNBOUNDED PRECEDING) AS run_m
    FROM marts.mrr_movements
), risks AS (
    SELECT payer_type, least(m - run_m, 13) AS tenure, count(*) AS at_risk,
        count(*) FILTER (movement = 'churned') AS stopped
    FROM runs
    WHERE opening > 0 AND month_number(getvariable('as_of') + 1) - m BETWEEN 1 AND 12 GROUP BY ALL
), pace AS (
    SELECT CASE WHEN sum(stopped) >= 5 THEN CAST(sum(stopped) AS DOUBLE) / sum(at_risk) END AS share FROM risks
), payers AS (
    SELECT payer_type, payer_id, min(month_on) AS first_month, count(*) FILTER (closing > 0) AS months_paid,
        sum(closing) AS recurring_paid, coalesce(sum(closing) FILTER (m = now_m), 0) AS mrr,
        max(m - run_m) FILTER (m = now_m AND closing > 0) AS tenure
    FROM runs CROSS JOIN (SELECT month_number(getvariable('as_of')) AS now_m) GROUP BY ALL
), kinds AS (
    SELECT payer_type, (coalesce(sum(stopped), 0) + 24 * any_value(share)) / (coalesce(sum(at_risk), 0) + 24) AS share
    FROM (SELECT DISTINCT payer_type FROM payers WHERE tenure IS NOT NULL) LEFT JOIN risks USING (payer_type)
        CROSS JOIN pace GROUP BY payer_type
), curve AS (
    SELECT k.payer_type, t, CASE WHEN t = 0 THEN 1 ELSE greatest(1 - (coalesce(stopped, 0) + 24 * share)
        / (coalesce(at_risk, 0) + 24), 0.000001) END AS kept
    FROM kinds AS k CROSS JOIN range(73) AS ahead (t)
    LEFT JOIN risks AS r ON k.payer_type = r.payer_type AND least(t, 13) = r.tenure
), survival AS (
    SELECT *, sum(CAST(round(ln(kept), 12) AS DECIMAL(20, 12))) OVER (PARTITION BY payer_type ORDER BY t) AS log_kept
    FROM curve WHERE kept IS NOT NULL
), outlook AS (
    SELECT a.payer_type, a.t AS tenure, round(max(b.kept) FILTER (b.t = a.t + 1), 6) AS kept_next,
        CAST(sum(CAST(round(exp(CAST(b.log_kept - a.log_kept AS DOUBLE)), 8) AS DECIMAL(12, 8))) AS DECIMAL(9, 2))
            AS remaining
    FROM survival AS a JOIN survival AS b
        ON a.payer_type = b.payer_type AND b.t BETWEEN a.t + 1 AND a.t + 60
    WHERE a.t <= 12 GROUP BY ALL
), expected AS (
    SELECT p.*, round(1 - share, 6) AS kept, kept_next, remaining
    FROM payers AS p CROSS JOIN pace
    LEFT JOIN outlook AS o ON p.payer_type = o.payer_type AND p.tenure IS NOT NULL AND least(p.tenure, 12) = o.tenure
)
SELECT payer_type, payer_id, getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone, 'JPY' AS currency, first_month,
    months_paid, recurring_paid, mrr, 0.30 AS margin_rate, kept AS kept_per_month,
    tenure AS tenure_months, kept_next AS kept_next_month, remaining AS expected_remaining_months,
    yen(mrr * CAST(0.30 AS DECIMAL(9, 4)) * remaining) AS predicted_margin,
    CASE WHEN mrr <= 0 THEN 'ended' WHEN remaining IS NULL THEN 'too_few_ended' END AS prediction_reason,
    true AS is_complete
FROM expected;

-- Retention ---------------------------------------------------------------------------------------------------------

-- Everybody once per way to enter a cohort, with what the first day, week, month and year brought.
CREATE TEMP TABLE comers AS
WITH early AS (
    SELECT days.c, sum(days.gross - days.refunds) FILTER (day = ordered_on) AS day_net,
        sum(days.gross - days.refunds) AS week_net
    FROM days JOIN firsts USING (c)
    WHERE days.orders > 0 AND day < CAST(date_trunc('week', ordered_on) AS DATE) + 7
    GROUP BY days.c
), later AS (
    SELECT months.c, sum(months.gross - months.refunds) FILTER (m = month_number(ordered_on)) AS month_net,
        sum(months.gross - months.refunds) AS year_net
    FROM months JOIN firsts USING (c)
    WHERE months.orders > 0 AND m // 12 = year(ordered_on)
    GROUP BY months.c
), signed AS (
    SELECT c, g, signed_up_on,
        CASE WHEN greatest(last_ordered_on, last_visited_on) >= signed_up_on
            THEN greatest(last_ordered_on, last_visited_on) END AS last_on
    FROM firsts WHERE signed_up_on IS NOT NULL
)
SELECT 1 AS way, c, g, ordered_on AS first_on, last_ordered_on AS last_on, day_net, week_net, month_net, year_net
FROM firsts JOIN early USING (c) JOIN later USING (c)
UNION ALL
SELECT 2, c, g, visited_on, last_visited_on, NULL, NULL, NULL, NULL FROM firsts WHERE visited_on IS NOT NULL
UNION ALL
SELECT 3, c, g, signed_up_on, last_on, NULL, NULL, NULL, NULL FROM signed;

-- Cohorts, periods as whole numbers (days, weeks and months since 1970 or year 0), with the group of segments.
CREATE TEMP TABLE lasting AS
SELECT way, 'day' AS grain, first_on - DATE '1970-01-05' AS cohort, last_on - first_on AS n, 0 AS g, count(*) AS people
FROM comers GROUP BY ALL
UNION ALL
SELECT way, 'week', floor((first_on - DATE '1970-01-05') / 7),
    CAST(floor((last_on - DATE '1970-01-05') / 7) - floor((first_on - DATE '1970-01-05') / 7) AS BIGINT), 0, count(*)
FROM comers GROUP BY ALL
UNION ALL
SELECT way, 'month', month_number(first_on), month_number(last_on) - month_number(first_on), g, count(*)
FROM comers GROUP BY ALL
UNION ALL
SELECT way, 'year', year(first_on), year(last_on) - year(first_on), g, count(*) FROM comers GROUP BY ALL;

CREATE TEMP TABLE returning_customers AS
WITH near AS (
    SELECT way, comers.c, day, first_on, gross - refunds AS net, gross, day_net, week_net
    FROM days JOIN comers USING (c)
    WHERE day < first_on + 190
        AND CASE way WHEN 1 THEN orders > 0 WHEN 2 THEN visited > 0 ELSE day >= first_on END
), weeks AS (
    SELECT way, c, first_on, week_net, CAST(floor((day - DATE '1970-01-05') / 7)
        - floor((first_on - DATE '1970-01-05') / 7) AS INTEGER) AS n, sum(gross) AS gross, sum(net) AS net
    FROM near GROUP BY ALL
), in_months AS (
    SELECT way, comers.c, g, month_number(first_on) AS cohort, m - month_number(first_on) AS n, m, gross,
        gross - refunds AS net, month_net, year_net
    FROM months JOIN comers USING (c)
    WHERE CASE way WHEN 1 THEN orders > 0 WHEN 2 THEN visited ELSE months.last_on >= first_on END
), years AS (
    SELECT way, c, g, cohort // 12 AS cohort, m // 12 - cohort // 12 AS n, year_net, sum(gross) AS gross,
        sum(net) AS net
    FROM in_months GROUP BY ALL
)
SELECT way, 'day' AS grain, first_on - DATE '1970-01-05' AS cohort, day - first_on AS n, 0 AS g, count(*) AS returned,
    sum(gross) AS gross, sum(net) AS net, sum(least(greatest(net, 0), greatest(day_net, 0))) AS kept
FROM near WHERE day <= first_on + 30 GROUP BY ALL
UNION ALL
SELECT way, 'week', floor((first_on - DATE '1970-01-05') / 7), n, 0, count(*), sum(gross), sum(net),
    sum(least(greatest(net, 0), greatest(week_net, 0)))
FROM weeks WHERE n <= 26 GROUP BY ALL
UNION ALL
SELECT way, 'month', cohort, n, g, count(*), sum(gross), sum(net),
    sum(least(greatest(net, 0), greatest(month_net, 0)))
FROM in_months GROUP BY ALL
UNION ALL
SELECT way, 'year', cohort, n, g, count(*), sum(gross), sum(net), sum(least(greatest(net, 0), greatest(year_net, 0)))
FROM years GROUP BY ALL;

-- Payers' months are few: they join with the others here.
INSERT INTO groups VALUES (0, NULL, NULL, NULL), (-1, 'unknown', 'unknown', 'none');
CREATE TEMP TABLE payers AS
SELECT payer_id, coalesce(g, -1) AS g, min(m) AS first_m, max(m) AS last_m, min_by(mrr, m) AS first_mrr
FROM contract_months
LEFT JOIN people ON payer_id = customer_id
LEFT JOIN firsts USING (c)
WHERE payer_type <> 'unnamed' GROUP BY ALL;
INSERT INTO lasting SELECT 4, 'month', first_m, last_m - first_m, g, count(*) FROM payers GROUP BY ALL;
INSERT INTO returning_customers
SELECT 4, 'month', first_m, m - first_m, g, count(*), sum(mrr), sum(mrr),
    sum(least(greatest(mrr, 0), greatest(first_mrr, 0)))
FROM contract_months JOIN payers USING (payer_id) WHERE payer_type <> 'unnamed' GROUP BY ALL;

CREATE TEMP TABLE retention AS
WITH segments AS (
    SELECT 'overall' AS segment_type, 'all' AS segment, g FROM groups
    UNION ALL SELECT 'region', region, g FROM groups WHERE g <> 0
    UNION ALL SELECT 'age_band', age_band, g FROM groups WHERE g <> 0
    UNION ALL SELECT 'first_channel', first_channel, g FROM groups WHERE g <> 0
), cohorts AS (
    SELECT way, grain, segment_type, segment, cohort, CAST(sum(people) AS BIGINT) AS cohort_size,
        CAST(CASE grain
            WHEN 'day' THEN least(30, (getvariable('as_of') - DATE '1970-01-05') - cohort)
            WHEN 'week' THEN least(26, floor((getvariable('as_of') - DATE '1970-01-05') / 7) - cohort)
            WHEN 'month' THEN month_number(getvariable('as_of')) - cohort
            ELSE year(getvariable('as_of')) - cohort END AS BIGINT) AS last_number
    FROM lasting JOIN segments USING (g) GROUP BY ALL
), left_after AS (
    SELECT way, grain, segment_type, segment, cohort, least(n, last_number) AS n, sum(people) AS people
    FROM lasting JOIN segments USING (g) JOIN cohorts USING (way, grain, segment_type, segment, cohort)
    WHERE n IS NOT NULL GROUP BY ALL
), returns AS (
    SELECT way, grain, segment_type, segment, cohort, n, sum(returned) AS returned, sum(gross) AS gross,
        sum(net) AS net, sum(kept) AS kept
    FROM returning_customers JOIN segments USING (g) GROUP BY ALL
), grid AS (
    SELECT *, unnest(range(last_number + 1)) AS n FROM cohorts
), joined AS (
    SELECT way, grain, segment_type, segment, CAST(cohort AS INTEGER) AS cohort, CAST(n AS INTEGER) AS n, cohort_size,
        CAST(coalesce(returned, 0) AS BIGINT) AS returned, coalesce(people, 0) AS left_people,
        CASE WHEN way IN (1, 4) THEN CAST(coalesce(gross, 0) AS DECIMAL(18, 2)) END AS gross,
        CASE WHEN way IN (1, 4) THEN CAST(coalesce(net, 0) AS DECIMAL(18, 2)) END AS net,
        CASE WHEN way IN (1, 4) THEN CAST(coalesce(kept, 0) AS DECIMAL(18, 2)) END AS net_kept
    FROM grid
    LEFT JOIN returns USING (way, grain, segment_type, segment, cohort, n)
    LEFT JOIN left_after USING (way, grain, segment_type, segment, cohort, n)
), ended AS (
    SELECT *, sum(left_people) OVER (w ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS unbounded,
        returned - lag(returned) OVER w AS returned_change, first_value(gross) OVER w AS first_gross,
        first_value(net) OVER w AS first_net
    FROM joined WINDOW w AS (PARTITION BY way, grain, segment_type, segment, cohort ORDER BY n)
), dated AS (
    SELECT *, ['first_order', 'first_session', 'sign_up', 'first_subscription'][way] AS cohort_by,
        CASE grain WHEN 'day' THEN DATE '1970-01-05' + cohort WHEN 'week' THEN DATE '1970-01-05' + 7 * cohort
            WHEN 'month' THEN month_date(cohort) ELSE make_date(cohort, 1, 1) END AS cohort_on,
        CASE grain WHEN 'day' THEN DATE '1970-01-05' + cohort + n WHEN 'week' THEN DATE '1970-01-05' + 7 * (cohort + n)
            WHEN 'month' THEN month_date(cohort + n) ELSE make_date(cohort + n, 1, 1) END AS period,
        CASE grain WHEN 'day' THEN 1 WHEN 'week' THEN 7 END AS length
    FROM ended
)
SELECT cohort_by || '_' || grain AS definition, cohort_by, grain, segment_type, segment, month_of(cohort_on)
        AS cohort_month, cohort_on AS cohort, n AS period_number, period, getvariable('as_of') AS as_of,
    'Asia/Tokyo' AS timezone, 'JPY' AS currency, cohort_size, returned, cohort_size - returned AS lost,
    unbounded AS returned_unbounded, returned_change, ratio(returned, cohort_size) AS rate,
    ratio(unbounded, cohort_size) AS rate_unbounded, gross, net, net_kept,
    ratio(gross, first_gross) AS revenue_retention_gross, ratio(net, first_net) AS revenue_retention,
    ratio(net_kept, first_net) AS gross_revenue_retention,
    CASE WHEN length IS NOT NULL THEN period + length - 1
        ELSE CAST(period + CASE grain WHEN 'month' THEN INTERVAL 1 MONTH ELSE INTERVAL 1 YEAR END AS DATE) - 1 END
        <= getvariable('as_of') AS is_complete
FROM dated;

CREATE TABLE marts.retention_cohorts AS
SELECT * EXCLUDE (segment_type, segment) FROM retention WHERE segment_type = 'overall';
CREATE TABLE marts.retention_by_segment AS
SELECT * EXCLUDE (cohort_month) FROM retention WHERE segment_type <> 'overall';

CREATE TABLE marts.retention_within_days AS
WITH seconds AS (
    SELECT days.c, min(day) FILTER (days.orders > 0 AND day > ordered_on) AS ordered_again,
        min(day) FILTER (visited > 0 AND day > visited_on) AS visited_again,
        min(day) FILTER (day >= signed_up_on) AS came
    FROM days JOIN firsts USING (c) GROUP BY days.c
), gaps AS (
    SELECT way, first_on, g, CASE way WHEN 1 THEN ordered_again WHEN 2 THEN visited_again ELSE came END - first_on AS gap
    FROM comers LEFT JOIN seconds USING (c)
), small AS (
    SELECT way, month_of(first_on) AS cohort_month, region, gap, count(*) AS people
    FROM gaps JOIN groups USING (g) GROUP BY ALL
), segmented AS (
    SELECT 'overall' AS segment_type, 'all' AS segment, small.* FROM small
    UNION ALL SELECT 'region', region, small.* FROM small
)
SELECT ['first_order', 'first_session', 'sign_up'][way] AS cohort_by, segment_type, segment, cohort_month, window_days,
    getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone, sum(people) AS cohort_size,
    coalesce(sum(people) FILTER (gap <= window_days), 0) AS returned,
    sum(people) - coalesce(sum(people) FILTER (gap <= window_days), 0) AS lost,
    ratio(coalesce(sum(people) FILTER (gap <= window_days), 0), sum(people)) AS rate,
    last_day(cohort_month) + window_days <= getvariable('as_of') AS is_complete
FROM segmented CROSS JOIN (VALUES (1), (7), (14), (30), (60), (90)) AS windows (window_days)
GROUP BY ALL;

-- Survey answers ----------------------------------------------------------------------------------------------------

CREATE TEMP TABLE answers AS
SELECT response_id, customer_id, people.region, people.account_id, source_name, lower(survey_type) AS kind, survey,
    touchpoint, score, sent_at, responded_at, responded_on,
    CASE WHEN touchpoint IS NULL OR lower(touchpoint) IN ('relational', 'relationship', 'general', 'brand', 'quarterly')
        THEN 'relational' ELSE 'transactional' END AS survey_kind,
    coalesce(responded_on IS NOT NULL AND CASE lower(survey_type) WHEN 'nps' THEN score BETWEEN 0 AND 10
        WHEN 'csat' THEN score BETWEEN 1 AND 5 WHEN 'ces' THEN score BETWEEN 1 AND 7 END, false) AS is_valid
FROM read_parquet(file('staging.canonical__survey_response')) AS s
LEFT JOIN records ON s.person_source = records.source AND s.person_record_key = records.record_key
LEFT JOIN people USING (c);

CREATE TABLE marts.survey_responses AS
WITH placed AS (
    SELECT response_id, row_number() OVER (w ORDER BY responded_at, response_id) AS place, count(*) OVER w AS answers
    FROM answers WHERE is_valid
    WINDOW w AS (PARTITION BY coalesce(customer_id, response_id), kind, survey, touchpoint)
)
SELECT response_id, customer_id, account_id, source_name AS source, kind, survey_kind, survey, touchpoint, score,
    CASE WHEN kind <> 'nps' OR NOT is_valid THEN NULL WHEN score >= 9 THEN 'promoter' WHEN score >= 7 THEN 'passive'
        ELSE 'detractor' END AS nps_group,
    is_valid, CASE WHEN answers = 1 THEN 'only' WHEN place = 1 THEN 'first' WHEN place = answers THEN 'latest'
        WHEN place IS NOT NULL THEN 'between' END AS answer_place,
    sent_at, responded_at AS submitted_at, responded_on AS submitted_on, getvariable('as_of') AS as_of,
    'Asia/Tokyo' AS timezone, CAST(NULL AS VARCHAR) AS comment_masked, CAST(NULL AS DOUBLE) AS sentiment,
    CAST(NULL AS VARCHAR) AS comment_language
FROM answers LEFT JOIN placed USING (response_id);

CREATE TEMP TABLE survey_months AS
WITH segmented AS (
    SELECT 'overall' AS segment_type, 'all' AS segment, answers.* FROM answers WHERE is_valid
    UNION ALL SELECT 'region', coalesce(region, 'unknown'), answers.* FROM answers WHERE is_valid
    UNION ALL SELECT 'touchpoint', touchpoint, answers.* FROM answers WHERE is_valid AND survey_kind = 'transactional'
), latest AS (
    SELECT segment_type, segment, kind, survey_kind, month_of(responded_on) AS period, score
    FROM segmented
    QUALIFY row_number() OVER (PARTITION BY segment_type, segment, kind, survey_kind, month_of(responded_on),
        coalesce(customer_id, response_id) ORDER BY responded_at DESC, response_id DESC) = 1
), counted AS (
    SELECT segment_type, segment, kind, survey_kind, period, count(*) AS respondents,
        count(*) FILTER (kind = 'nps' AND score >= 9) AS promoters,
        count(*) FILTER (kind = 'nps' AND score BETWEEN 7 AND 8) AS passives,
        count(*) FILTER (kind = 'nps' AND score <= 6) AS detractors,
        count(*) FILTER ((kind = 'csat' AND score >= 4) OR (kind = 'ces' AND score >= 5)) AS satisfied,
        sum(score) AS total, sum(score * score) AS squares, last_day(period) <= getvariable('as_of') AS is_complete
    FROM latest GROUP BY ALL
), measured AS (
    SELECT *, CAST(CASE kind WHEN 'nps' THEN promoters - detractors ELSE total END AS DOUBLE) / respondents AS estimate,
        CASE WHEN kind = 'nps' THEN greatest(CAST(promoters + detractors AS DOUBLE) / respondents
            - (CAST(promoters - detractors AS DOUBLE) / respondents)
            * (CAST(promoters - detractors AS DOUBLE) / respondents), 0)
        WHEN respondents > 1 THEN CAST(squares * respondents - total * total AS DOUBLE)
            / (CAST(respondents AS DOUBLE) * (respondents - 1)) END AS variance
    FROM counted
), paired AS (
    SELECT *, lag(period) OVER w AS period_0, lag(estimate) OVER w AS estimate_0, lag(variance) OVER w AS variance_0,
        lag(respondents) OVER w AS respondents_0
    FROM measured WINDOW w AS (PARTITION BY segment_type, segment, kind, survey_kind ORDER BY period)
), compared AS (
    SELECT *, sqrt(variance / respondents + variance_0 / respondents_0) AS error,
        coalesce(is_complete AND month_number(period) - month_number(period_0) = 1 AND respondents >= 10
            AND respondents_0 >= 10, false) AS comparable, CASE kind WHEN 'nps' THEN 100 ELSE 1 END AS scale
    FROM paired
)
SELECT *, 'month' AS period_type, getvariable('as_of') AS as_of, 'Asia/Tokyo' AS timezone,
    CASE WHEN comparable THEN round(scale * estimate_0, 6) END AS previous_value,
    CASE WHEN comparable THEN respondents_0 END AS previous_respondents,
    CASE WHEN comparable THEN round(scale * (estimate - estimate_0), 6) END AS change,
    CASE WHEN comparable THEN round(scale * (estimate - estimate_0 - 1.959964 * error), 6) END AS change_low,
    CASE WHEN comparable THEN round(scale * (estimate - estimate_0 + 1.959964 * error), 6) END AS change_high,
    CASE WHEN comparable AND error > 0 THEN round((estimate - estimate_0) / error, 6) END AS change_z,
    CASE WHEN comparable AND error > 0 THEN abs(estimate - estimate_0) > 1.959964 * error END AS is_change_significant,
    CAST(NULL AS BIGINT) AS asked, CAST(NULL AS DOUBLE) AS response_rate,
    'requests_not_listed' AS response_rate_reason,
    1.959964 * sqrt(variance / respondents) AS half
FROM compared;

CREATE TABLE marts.nps_by_period AS
SELECT period_type, period, segment_type, segment, kind, survey_kind, as_of, timezone, promoters, passives, detractors,
    respondents, round(100 * estimate, 6) AS nps, round(greatest(100 * (estimate - half), -100), 6) AS ci_low,
    round(least(100 * (estimate + half), 100), 6) AS ci_high, asked, response_rate, response_rate_reason,
    is_complete, previous_value,
    previous_respondents, change, change_low, change_high, change_z, is_change_significant
FROM survey_months WHERE kind = 'nps';

CREATE TABLE marts.survey_scores_by_period AS
SELECT period_type, period, segment_type, segment, kind, survey_kind, as_of, timezone, respondents, satisfied,
    ratio(satisfied, respondents) AS satisfied_share, round(estimate, 6) AS mean_score,
    CASE WHEN respondents > 1 THEN round(greatest(estimate - half, 1), 6) END AS ci_low,
    CASE WHEN respondents > 1 THEN round(least(estimate + half, CASE kind WHEN 'csat' THEN 5 ELSE 7 END), 6) END
        AS ci_high,
    asked, response_rate, response_rate_reason, is_complete, previous_value,
    previous_respondents, change, change_low, change_high, change_z,
    is_change_significant
FROM survey_months WHERE kind <> 'nps';

-- Daily KPIs --------------------------------------------------------------------------------------------------------

CREATE TEMP TABLE contributions AS
WITH day_totals AS (
    SELECT region, day, sum(orders) AS orders, sum(days.gross) AS gross,
        count(*) FILTER (day = ordered_on) AS newcomers
    FROM days JOIN (SELECT c, region, ordered_on FROM firsts) USING (c) WHERE orders > 0 GROUP BY ALL
    UNION ALL
    SELECT 'unknown', day, count(*), sum(gross), 0 FROM orders WHERE fate = 'nobody_known' GROUP BY day
), order_days AS (
    SELECT region, day, lead(day) OVER (PARTITION BY c ORDER BY day) AS next_day
    FROM days JOIN (SELECT c, region FROM firsts) USING (c)
    -- Who ordered longer ago has come and gone before the first day that is shown.
    WHERE orders > 0 AND day > getvariable('as_of') - 182 - 92
), refund_days AS (
    SELECT coalesce(region, 'unknown') AS region, refunded_on AS day, sum(yen) AS yen
    FROM refunds JOIN orders USING (o) LEFT JOIN people USING (c)
    WHERE fate IN ('counted', 'nobody_known') AND refunded_on IS NOT NULL GROUP BY ALL
), contacts AS (
    SELECT coalesce(region, 'unknown') AS region, i.* FROM read_parquet(file('core.fct_interactions')) AS i
    LEFT JOIN people USING (customer_id)
    WHERE opened_on IS NOT NULL AND continues_interaction_id IS NULL AND direction = 'inbound'
), votes AS (
    SELECT survey_kind, region, day, vote,
        lead(day) OVER (PARTITION BY survey_kind, respondent ORDER BY day) AS next_day
    FROM (
        SELECT survey_kind, coalesce(region, 'unknown') AS region, responded_on AS day,
            coalesce(customer_id, response_id) AS respondent,
            CASE WHEN score >= 9 THEN 1 WHEN score <= 6 THEN -1 ELSE 0 END AS vote
        FROM answers WHERE is_valid AND kind = 'nps'
        QUALIFY row_number() OVER (PARTITION BY survey_kind, coalesce(customer_id, response_id), responded_on
            ORDER BY responded_at DESC, response_id DESC) = 1
    )
)
SELECT 'orders' AS kpi, true AS is_flow, region, day, CAST(orders AS DECIMAL(38, 2)) AS num, 0 AS den FROM day_totals
UNION ALL SELECT 'gross_revenue', true, region, day, gross, 0 FROM day_totals
UNION ALL SELECT 'net_revenue', true, region, day, gross, 0 FROM day_totals
UNION ALL SELECT 'new_customers', true, region, day, newcomers, 0 FROM day_totals WHERE newcomers > 0
UNION ALL SELECT 'refunds', true, region, day, yen, 0 FROM refund_days
UNION ALL SELECT 'net_revenue', true, region, day, -yen, 0 FROM refund_days
UNION ALL SELECT 'active_customers_90d', false, region, min(ordered_on), 0, 0
FROM firsts WHERE ordered_on IS NOT NULL GROUP BY region
UNION ALL SELECT 'active_customers_90d', false, region, day, count(*), 0 FROM order_days GROUP BY ALL
UNION ALL
SELECT 'active_customers_90d', false, region, least(coalesce(next_day, day + 90), day + 90), -count(*), 0
FROM order_days GROUP BY ALL
UNION ALL
SELECT 'sessions', true, coalesce(region, 'unknown'), started_on, count(*), 0
FROM read_parquet(file('core.fct_sessions')) LEFT JOIN people USING (customer_id) GROUP BY ALL
UNION ALL SELECT 'interactions_opened', true, region, opened_on, count(*), 0 FROM contacts GROUP BY ALL
UNION ALL
SELECT 'sla_met_share', true, region, opened_on, count(*) FILTER (is_sla_met), count(*)
FROM contacts WHERE is_sla_met IS NOT NULL GROUP BY ALL
UNION ALL
SELECT 'abandonment_share', true, region, opened_on, count(*) FILTER (is_abandoned), count(*)
FROM contacts WHERE is_call GROUP BY ALL
UNION ALL
SELECT 'unanswered_share', true, region, opened_on, count(*) FILTER (is_unanswered), count(*)
FROM contacts WHERE is_unanswered IS NOT NULL GROUP BY ALL
UNION ALL
SELECT 'reopen_share', true, region, opened_on, count(*) FILTER (reopens > 0), count(*)
FROM contacts WHERE is_resolved OR reopens > 0 GROUP BY ALL
UNION ALL
SELECT 'fcr_share', true, region, opened_on, count(*) FILTER (is_fcr), count(*)
FROM contacts WHERE is_fcr IS NOT NULL GROUP BY ALL
UNION ALL
SELECT 'fcr_share_proxy', true, region, opened_on, count(*) FILTER (is_fcr_proxy), count(*)
FROM contacts WHERE is_fcr_proxy IS NOT NULL GROUP BY ALL
UNION ALL
SELECT 'first_response_mean_minutes', true, region, opened_on, sum(first_response_minutes), count(*)
FROM contacts WHERE first_response_minutes IS NOT NULL GROUP BY ALL
UNION ALL
SELECT 'resolution_mean_minutes', true, region, opened_on, sum(resolution_minutes), count(*)
FROM contacts WHERE resolution_minutes IS NOT NULL GROUP BY ALL
UNION ALL
SELECT 'handle_seconds_mean', true, region, opened_on, sum(handle_seconds), count(*)
FROM contacts WHERE handle_seconds IS NOT NULL GROUP BY ALL
UNION ALL
SELECT 'acw_seconds_mean', true, region, opened_on, sum(acw_seconds), count(*)
FROM contacts WHERE acw_seconds IS NOT NULL GROUP BY ALL
UNION ALL
SELECT 'csat_avg', true, region, opened_on, sum(csat_score), count(*)
FROM contacts WHERE csat_score IS NOT NULL GROUP BY ALL
UNION ALL SELECT 'open_interactions', false, region, opened_on, count(*), 0 FROM contacts GROUP BY ALL
UNION ALL
SELECT 'open_interactions', false, region, greatest(resolved_on, opened_on), -count(*), 0
FROM contacts WHERE NOT is_open GROUP BY ALL
UNION ALL
SELECT 'csat_avg', true, coalesce(region, 'unknown'), responded_on, sum(score), count(*)
FROM answers WHERE is_valid AND kind = 'csat' GROUP BY ALL
UNION ALL
SELECT 'nps_' || survey_kind || '_28d', false, region, day, sum(vote), count(*) FROM votes GROUP BY ALL
UNION ALL
SELECT 'nps_' || survey_kind || '_28d', false, region, least(coalesce(next_day, day + 28), day + 28), -sum(vote),
    -count(*)
FROM votes GROUP BY ALL;

CREATE TABLE marts.kpi_daily AS
WITH definitions (kpi, unit, aggregation, family) AS (
    VALUES ('orders', 'count', 'sum', 'orders'), ('gross_revenue', 'money', 'sum', 'orders'),
        ('refunds', 'money', 'sum', 'orders'), ('net_revenue', 'money', 'sum', 'orders'),
        ('new_customers', 'count', 'sum', 'orders'), ('active_customers_90d', 'count', 'sum', 'orders'),
        ('sessions', 'count', 'sum', 'web'), ('interactions_opened', 'count', 'sum', 'support'),
        ('open_interactions', 'count', 'sum', 'support'), ('sla_met_share', 'share', 'ratio', 'support'),
        ('abandonment_share', 'share', 'ratio', 'support'), ('csat_avg', 'score', 'ratio', 'support'),
        ('nps_relational_28d', 'nps', 'nps', 'survey'), ('nps_transactional_28d', 'nps', 'nps', 'survey'),
        ('first_response_median_minutes', 'minutes', 'median', 'support'),
        ('first_response_mean_minutes', 'minutes', 'ratio', 'support'),
        ('resolution_mean_minutes', 'minutes', 'ratio', 'support'), ('reopen_share', 'share', 'ratio', 'support'),
        ('fcr_share', 'share', 'ratio', 'support'), ('fcr_share_proxy', 'share', 'ratio', 'support'),
        ('unanswered_share', 'share', 'ratio', 'support'), ('handle_seconds_mean', 'seconds', 'ratio', 'support'),
        ('acw_seconds_mean', 'seconds', 'ratio', 'support')
), reaches AS (
    SELECT CASE WHEN relation LIKE '%order' THEN 'orders' WHEN relation LIKE '%web_event' THEN 'web'
        WHEN relation LIKE '%interaction' THEN 'support' ELSE 'survey' END AS family,
        min(local_day(last_event_at)) AS until_on
    FROM read_parquet(file('raw.batches')) GROUP BY ALL
), segmented AS (
    SELECT kpi, is_flow, 'overall' AS segment_type, 'all' AS segment, day, num, den FROM contributions
    UNION ALL SELECT kpi, is_flow, 'region', region, day, num, den FROM contributions
), sums AS (
    SELECT kpi, segment_type, segment, is_flow,
        CASE WHEN is_flow THEN day ELSE greatest(day, getvariable('as_of') - 181) END AS day, sum(num) AS num,
        sum(den) AS den, min(day) AS first_on
    FROM segmented WHERE day IS NOT NULL GROUP BY ALL
), begun AS (
    SELECT kpi, min(first_on) AS first_on FROM sums GROUP BY kpi
), grid AS (
    SELECT kpi, segment_type, segment, is_flow,
        CAST(unnest(generate_series(CAST(greatest(first_on, getvariable('as_of') - 181) AS TIMESTAMP),
            CAST(getvariable('as_of') AS TIMESTAMP), INTERVAL 1 DAY)) AS DATE) AS day
    FROM (SELECT DISTINCT kpi, segment_type, segment, is_flow FROM sums) JOIN begun USING (kpi)
), filled AS (
    SELECT kpi, segment_type, segment, day,
        CASE WHEN is_flow THEN coalesce(num, 0) ELSE sum(coalesce(num, 0)) OVER w END AS num,
        CASE WHEN is_flow THEN coalesce(den, 0) ELSE sum(coalesce(den, 0)) OVER w END AS den, NULL AS median
    FROM grid LEFT JOIN sums USING (kpi, segment_type, segment, is_flow, day)
    WINDOW w AS (PARTITION BY kpi, segment_type, segment ORDER BY day ROWS UNBOUNDED PRECEDING)
), minutes AS (
    SELECT coalesce(region, 'unknown') AS region, opened_on AS day, first_response_minutes AS minutes
    FROM read_parquet(file('core.fct_interactions')) LEFT JOIN people USING (customer_id)
    WHERE opened_on > getvariable('as_of') - 182 AND continues_interaction_id IS NULL AND direction = 'inbound'
        AND first_response_minutes IS NOT NULL
), measured AS (
    SELECT * FROM filled
    UNION ALL
    SELECT 'first_response_median_minutes', 'overall', 'all', day, NULL, count(*),
        CAST(quantile_cont(minutes, 0.5) AS DECIMAL(18, 2)) FROM minutes GROUP BY day
    UNION ALL
    SELECT 'first_response_median_minutes', 'region', region, day, NULL, count(*),
        CAST(quantile_cont(minutes, 0.5) AS DECIMAL(18, 2)) FROM minutes GROUP BY region, day
)
SELECT kpi, segment_type, segment, day, CASE aggregation WHEN 'sum' THEN CAST(num AS DECIMAL(20, 2))
        WHEN 'ratio' THEN ratio(CAST(num AS DECIMAL(20, 2)), CAST(den AS DECIMAL(20, 2)))
        WHEN 'nps' THEN ratio(100 * CAST(num AS DECIMAL(20, 2)), CAST(den AS DECIMAL(20, 2)))
        ELSE median END AS value,
    num AS numerator, CASE WHEN aggregation <> 'sum' THEN den END AS denominator, unit, getvariable('as_of') AS as_of,
    'Asia/Tokyo' AS timezone, CASE WHEN unit = 'money' THEN 'JPY' END AS currency,
    day <= coalesce(until_on, getvariable('as_of')) + 1 AS is_complete
FROM measured JOIN definitions USING (kpi) LEFT JOIN reaches USING (family);
