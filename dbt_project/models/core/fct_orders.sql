with

orders as (

    {{ priced_orders() }}

),

refund_totals as (

    select
        order_id,
        cast(sum(amount_order_currency) as decimal(18, 2)) as refunded_amount,
        cast(sum(amount_reporting) as decimal(18, 2)) as refunded_reporting,
        max(case when refund_date_known then 0 else 1 end) as has_undated_refund
    from {{ ref('fct_refunds') }}
    where order_id is not null
    group by order_id

),

priced as (

    select
        orders.*,
        coalesce(refund_totals.refunded_amount, 0) as refunded_amount,
        {{ core_converted('orders.gross_amount', 'orders.exchange_rate') }} as gross_reporting,
        case
            when refund_totals.order_id is not null then refund_totals.refunded_reporting
            when orders.exchange_rate is not null then 0
        end as refunded_reporting,
        coalesce(refund_totals.has_undated_refund, 0) = 0 as refund_date_known
    from orders
    left join refund_totals on orders.order_id = refund_totals.order_id

),

final as (

    select
        order_id,
        customer_id,
        person_source,
        person_record_key,
        account_id,
        source,
        channel,
        ordered_at,
        ordered_on,
        currency,
        gross_amount,
        cast(refunded_amount as decimal(18, 2)) as refunded_amount,
        cast(gross_amount - refunded_amount as decimal(18, 2)) as net_amount,
        discount_amount,
        exchange_rate,
        gross_reporting,
        cast(refunded_reporting as decimal(18, 2)) as refunded_reporting,
        cast(gross_reporting - refunded_reporting as decimal(18, 2)) as net_reporting,
        is_cancelled,
        is_test,
        exclusion_reason is null as is_counted,
        exclusion_reason,
        refund_date_known
    from priced

)

select * from final
