with

orders as (

    select
        *,
        case
            when not is_counted then exclusion_reason
            when customer_id is null then 'nobody_known'
            else 'counted'
        end as fate
    from {{ ref('fct_orders') }}

),

final as (

    select
        currency as order_currency,
        cast(fate as varchar) as fate,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        count(*) as orders,
        cast(sum(gross_amount) as decimal(18, 2)) as gross,
        cast(sum(refunded_amount) as decimal(18, 2)) as refunds,
        cast(sum(gross_reporting) as decimal(18, 2)) as gross_reporting,
        cast(sum(net_reporting) as decimal(18, 2)) as net_reporting,
        true as is_complete
    from orders
    group by currency, fate

)

select * from final
