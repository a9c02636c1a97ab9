with

orders as (

    select * from {{ ref('int_refunded_orders') }}

),

canonical_refunds as (

    select * from {{ ref('canonical__refund') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

-- A dated refund may belong to an order of its own source, of its name space, or of the shop.
matches as (

    select
        refunds.refund_id,
        orders.order_id,
        row_number() over (
            partition by refunds.refund_id
            order by
                case
                    when orders.source = refunds.source_name then 1
                    when orders.identity_namespace = refunds.identity_namespace then 2
                    else 3
                end,
                orders.order_id
        ) as match_rank
    from canonical_refunds as refunds
    inner join orders
        on refunds.order_key = orders.order_key
        and (orders.identity_namespace = refunds.identity_namespace or orders.source = 'shopify')

),

dated_refunds as (

    select
        refunds.refund_id,
        matches.order_id,
        refunds.source_name as source,
        refunds.refunded_at,
        refunds.refunded_on,
        upper(refunds.currency) as currency,
        cast(refunds.amount as decimal(18, 2)) as amount,
        true as refund_date_known
    from canonical_refunds as refunds
    left join matches
        on refunds.refund_id = matches.refund_id
        and matches.match_rank = 1

),

dated_totals as (

    select order_id, currency, sum(amount) as amount
    from dated_refunds
    where order_id is not null
    group by order_id, currency

),

-- What the order export says was refunded beyond the dated refunds: on the order's day, for want of a date.
undated_refunds as (

    select
        orders.order_id || ':refund' as refund_id,
        orders.order_id,
        orders.source,
        orders.ordered_at as refunded_at,
        orders.ordered_on as refunded_on,
        orders.currency,
        cast(orders.exported_refund_amount - coalesce(dated_totals.amount, 0) as decimal(18, 2)) as amount,
        false as refund_date_known
    from orders
    left join dated_totals
        on orders.order_id = dated_totals.order_id and orders.currency = dated_totals.currency
    where orders.exported_refund_amount > coalesce(dated_totals.amount, 0)

),

refunds as (

    select * from dated_refunds
    union all
    select * from undated_refunds

),

rates_of_days as (

    {{ core_rates_of_days(
        'exchange_rates',
        'greatest((select max(refunded_on) from refunds), (select max(ordered_on) from orders))'
    ) }}

),

-- At the rate of the order's day, so that an order refunded in full is worth exactly nothing.
valued as (

    select
        refunds.*,
        orders.customer_id,
        orders.account_id,
        orders.currency as order_currency,
        orders.exchange_rate as order_rate,
        case when refunds.currency = orders.currency then orders.exchange_rate else rates.rate end as exchange_rate,
        case
            when orders.order_id is null then 'no_order'
            when orders.exclusion_reason is not null then 'order_not_counted'
            when refunds.refunded_on is null then 'no_event_time'
        end as exclusion_reason,
        sum(refunds.amount) over (
            partition by refunds.order_id, refunds.currency
            order by refunds.refunded_on nulls first, refunds.refund_id
            rows between unbounded preceding and current row
        ) as running_amount
    from refunds
    left join orders on refunds.order_id = orders.order_id
    left join rates_of_days as rates
        on refunds.currency = rates.currency and coalesce(orders.ordered_on, refunds.refunded_on) = rates.day

),

final as (

    select
        refund_id,
        order_id,
        customer_id,
        account_id,
        source,
        refunded_at,
        refunded_on,
        currency,
        amount,
        exchange_rate,
        -- Differences of rounded running totals: the rounded parts add up to the rounded whole.
        cast(
            case
                when order_id is null then {{ core_reporting_money(core_product('amount', 'exchange_rate')) }}
                else
                    {{ core_reporting_money(core_product('running_amount', 'exchange_rate')) }}
                    - {{ core_reporting_money(core_product('(running_amount - amount)', 'exchange_rate')) }}
            end as decimal(18, 2)
        ) as amount_reporting,
        cast(
            case
                when currency = order_currency then amount
                else round(
                    cast({{ core_product('amount', 'exchange_rate') }} as double) / cast(order_rate as double), 2
                )
            end as decimal(18, 2)
        ) as amount_order_currency,
        refund_date_known,
        exclusion_reason is null as is_counted,
        exclusion_reason
    from valued

)

select * from final
