{{ config(meta={'dagster': {'ref': {'name': 'fct_refunds'}}}) }}
-- Catches refunds that are attached to an order but do not lower it, in either currency. Refunds without an order are
-- kept in fct_refunds with the reason no_order and lower nothing.
with refunds as (
    select
        order_id,
        sum(amount_order_currency) as amount,
        sum(amount_reporting) as amount_reporting
    from {{ ref('fct_refunds') }}
    where order_id is not null
    group by order_id
)

select
    orders.order_id,
    orders.refunded_amount,
    refunds.amount,
    orders.refunded_reporting,
    refunds.amount_reporting
from {{ ref('fct_orders') }} as orders
left join refunds on orders.order_id = refunds.order_id
where
    orders.refunded_amount <> coalesce(refunds.amount, 0)
    or orders.net_amount <> orders.gross_amount - orders.refunded_amount
    or (orders.exchange_rate is not null and orders.refunded_reporting <> coalesce(refunds.amount_reporting, 0))
    or orders.net_reporting <> orders.gross_reporting - orders.refunded_reporting
