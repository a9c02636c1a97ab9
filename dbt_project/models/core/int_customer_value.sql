with

orders as (

    select * from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null

),

order_margins as (

    select * from {{ ref('int_order_margins') }}

),

-- Only orders of a customer's first moment can be the first one: the others need no order among themselves.
first_moments as (

    select customer_id, min(ordered_at) as first_at
    from orders
    group by customer_id

),

first_orders as (

    select
        orders.customer_id,
        coalesce(lower(trim(orders.channel)), 'unknown') as channel,
        row_number() over (partition by orders.customer_id order by orders.order_id) as place
    from orders
    inner join first_moments
        on orders.customer_id = first_moments.customer_id and orders.ordered_at = first_moments.first_at

),

of_articles as (

    select
        orders.customer_id,
        sum(orders.net_reporting) as net,
        sum({{ core_reporting_money('orders.net_reporting * order_margins.margin_rate') }}) as margin
    from orders
    inner join order_margins on orders.order_id = order_margins.order_id
    group by orders.customer_id

),

final as (

    select
        first_orders.customer_id,
        first_orders.channel as first_channel,
        cast(coalesce(of_articles.net, 0) as decimal(18, 2)) as net_of_articles,
        cast(coalesce(of_articles.margin, 0) as decimal(18, 2)) as margin_of_articles
    from first_orders
    left join of_articles on first_orders.customer_id = of_articles.customer_id
    where first_orders.place = 1

)

select * from final
