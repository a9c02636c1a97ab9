{#-
    Orders of any source in one shape: one customer, one rate, and the reason when an order does not count. `only` keeps
    some of the orders, before anything is looked up for them.
-#}
{% macro priced_orders(only='true') -%}
with

-- One look-up per order, not one for its person and another for that person's account.
people as (

    select map.source, map.record_key, map.customer_id, customers.account_id
    from {{ source('identity', 'customer_map') }} as map
    left join {{ ref('dim_customers') }} as customers on map.customer_id = customers.customer_id

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

unified as (

    select
        'shopify:' || order_name as order_id,
        'shopify' as source,
        order_name as order_key,
        cast(null as varchar) as identity_namespace,
        person_source,
        person_record_key,
        cast(null as varchar) as account_key,
        ordered_at,
        ordered_on,
        upper(currency) as currency,
        total_amount as gross_amount,
        coalesce(discount_amount, 0) as discount_amount,
        refunded_amount as exported_refund_amount,
        sales_channel as channel,
        is_cancelled,
        is_voided,
        is_test
    from {{ ref('stg_shopify__orders') }}
    union all
    select
        order_id,
        source_name,
        order_key,
        identity_namespace,
        person_source,
        person_record_key,
        account_key,
        ordered_at,
        ordered_on,
        upper(currency),
        gross_amount,
        coalesce(discount_amount, 0),
        refunded_amount,
        channel,
        is_cancelled,
        is_voided,
        is_test
    from {{ ref('canonical__order') }}

),

judged as (

    select
        unified.*,
        case
            when is_test then 'test'
            when is_cancelled then 'cancelled'
            when is_voided then 'voided'
            when ordered_on is null then 'no_event_time'
        end as exclusion_reason
    from unified
    where {{ only }}

),

ordered_days as (

    select ordered_on from {{ ref('stg_shopify__orders') }}
    union all
    select ordered_on from {{ ref('canonical__order') }}

),

rates_of_days as (

    -- The last day is asked of the tables themselves: asked of `judged`, every order would be kept for it.
    {{ core_rates_of_days('exchange_rates', '(select max(ordered_on) from ordered_days)') }}

)

select
    judged.order_id,
    judged.source,
    judged.order_key,
    judged.identity_namespace,
    people.customer_id,
    judged.person_source,
    judged.person_record_key,
    coalesce(judged.account_key, people.account_id) as account_id,
    judged.ordered_at,
    judged.ordered_on,
    judged.channel,
    judged.currency,
    cast(judged.gross_amount as decimal(18, 2)) as gross_amount,
    cast(judged.discount_amount as decimal(18, 2)) as discount_amount,
    cast(judged.exported_refund_amount as decimal(18, 2)) as exported_refund_amount,
    rates.rate as exchange_rate,
    judged.is_cancelled,
    judged.is_test,
    judged.exclusion_reason
from judged
left join people
    on judged.person_source = people.source and judged.person_record_key = people.record_key
left join rates_of_days as rates
    on judged.currency = rates.currency and judged.ordered_on = rates.day
{%- endmacro %}
