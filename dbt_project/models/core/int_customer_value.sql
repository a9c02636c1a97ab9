with

order_margins as (

    select * from {{ ref('int_order_margins') }}

),

-- Only orders of a customer's first day can be the first one.
of_first_days as (

    select orders.customer_id, orders.order_id, orders.ordered_at, orders.channel
    from {{ ref('fct_orders') }} as orders
    inner join {{ ref('int_retention_people') }} as people
        on orders.customer_id = people.customer_id and orders.ordered_on = people.first_order_on
    where orders.is_counted

),

first_orders as (

    select
        customer_id,
        coalesce(lower(trim(channel)), 'unknown') as channel,
        row_number() over (partition by customer_id order by ordered_at, order_id) as place
    from of_first_days

),

of_articles as (

    select
        orders.customer_id,
        sum(orders.net_reporting) as net,
        sum({{ core_reporting_money('orders.net_reporting * order_margins.margin_rate') }}) as margin
    from {{ ref('fct_orders') }} as orders
    inner join order_margins on orders.order_id = order_margins.order_id
    where orders.is_counted and orders.customer_id is not null
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
