with

orders as (

    select * from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null

),

order_margins as (

    select * from {{ ref('int_order_margins') }}

),

priced as (

    select
        orders.customer_id,
        coalesce(lower(trim(orders.channel)), 'unknown') as channel,
        order_margins.order_id is not null as has_articles,
        orders.net_reporting as net,
        {{ core_reporting_money('orders.net_reporting * order_margins.margin_rate') }} as margin,
        row_number() over (partition by orders.customer_id order by orders.ordered_at, orders.order_id) as place
    from orders
    left join order_margins on orders.order_id = order_margins.order_id

),

final as (

    select
        customer_id,
        max(case when place = 1 then channel end) as first_channel,
        cast(sum(case when has_articles then net else 0 end) as decimal(18, 2)) as net_of_articles,
        cast(sum(case when has_articles then margin else 0 end) as decimal(18, 2)) as margin_of_articles
    from priced
    group by customer_id

)

select * from final
