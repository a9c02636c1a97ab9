with

people as (

    select customer_id, customer_number from {{ ref('int_retention_people') }}

),

done as (

    select
        people.customer_number,
        orders.ordered_on as active_on,
        true as is_order,
        orders.refunded_reporting > 0 as is_refunded,
        orders.gross_reporting as gross,
        orders.net_reporting as net
    from {{ ref('fct_orders') }} as orders
    inner join people on orders.customer_id = people.customer_id
    where orders.is_counted
    union all
    select people.customer_number, sessions.started_on, false, false, null, null
    from {{ ref('fct_sessions') }} as sessions
    inner join people on sessions.customer_id = people.customer_id
    where sessions.started_on is not null

),

final as (

    select
        customer_number,
        active_on,
        count(case when is_order then 1 end) > 0 as has_ordered,
        count(case when not is_order then 1 end) > 0 as has_visited,
        cast(count(case when is_order then 1 end) as integer) as orders,
        cast(count(case when is_refunded then 1 end) as integer) as refunded_orders,
        cast(count(case when not is_order then 1 end) as integer) as sessions,
        cast(sum(gross) as decimal(18, 2)) as gross,
        cast(sum(net) as decimal(18, 2)) as net
    from done
    group by customer_number, active_on

)

select * from final
