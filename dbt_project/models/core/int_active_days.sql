with

numbers as (

    select * from {{ ref('int_customer_numbers') }}

),

done as (

    select
        numbers.customer_number,
        orders.ordered_on as active_on,
        true as is_order,
        orders.refunded_reporting > 0 as is_refunded,
        orders.gross_reporting as gross,
        orders.net_reporting as net
    from {{ ref('fct_orders') }} as orders
    inner join numbers on orders.customer_id = numbers.customer_id
    where orders.is_counted
    union all
    select numbers.customer_number, sessions.started_on, false, false, null, null
    from {{ ref('fct_sessions') }} as sessions
    inner join numbers on sessions.customer_id = numbers.customer_id
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

-- Days of a customer stand together: seven models group and join them by customer, and find them where they are.
select * from final
order by customer_number, active_on
