{{ config(meta={'dagster': {'ref': {'name': 'fct_orders'}}}) }}
-- Catches an order that a join drops or doubles: per currency, what staging holds is what counts plus what is excluded
-- for a stated reason. Does not catch rows that ingestion set aside; data_state shows those.
with staged as (
    select upper(currency) as currency, total_amount as amount from {{ ref('stg_shopify__orders') }}
    union all
    select upper(currency), gross_amount from {{ ref('canonical__order') }}
),

staged_totals as (
    select currency, count(*) as orders, sum(amount) as amount
    from staged
    group by currency
),

fact_totals as (
    select
        currency,
        sum(case when is_counted or exclusion_reason is not null then 1 else 0 end) as orders,
        sum(case when is_counted then gross_amount else 0 end)
        + sum(case when not is_counted and exclusion_reason is not null then gross_amount else 0 end) as amount
    from {{ ref('fct_orders') }}
    group by currency
)

select
    coalesce(staged_totals.currency, fact_totals.currency) as currency,
    staged_totals.orders as staged_orders,
    fact_totals.orders as fact_orders,
    staged_totals.amount as staged_amount,
    fact_totals.amount as fact_amount
from staged_totals
full outer join fact_totals on staged_totals.currency = fact_totals.currency
where
    staged_totals.currency is null
    or fact_totals.currency is null
    or staged_totals.orders <> fact_totals.orders
    or staged_totals.amount <> fact_totals.amount
