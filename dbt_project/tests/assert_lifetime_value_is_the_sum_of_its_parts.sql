{{ config(meta={'dagster': {'ref': {'name': 'ltv_by_customer'}}}) }}
-- Catches an LTV whose parts do not add up, and net revenue that differs between customer, cohort and order. Says
-- nothing about whether the prediction is good.
with customers as (
    select
        coalesce(sum(net), 0) as net,
        coalesce(sum(
            case
                when net <> gross - refunds
                    or ltv <> net + coalesce(predicted_12m, 0)
                    or ltv_margin <> margin + coalesce(predicted_margin_12m, 0)
                then 1
                else 0
            end
        ), 0) as broken
    from {{ ref('ltv_by_customer') }}
),

cohorts as (
    select coalesce(sum(net), 0) as net from {{ ref('ltv_by_cohort') }}
),

orders as (
    select coalesce(sum(net_reporting), 0) as net
    from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null
)

select
    customers.net as customers_net,
    cohorts.net as cohorts_net,
    orders.net as orders_net,
    customers.broken
from customers
cross join cohorts
cross join orders
where customers.net <> orders.net or cohorts.net <> orders.net or customers.broken > 0
