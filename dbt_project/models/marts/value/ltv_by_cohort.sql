with

orders as (

    select * from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null

),

months as (

    select distinct month_on
    from {{ ref('dim_dates') }}

),

cohort_members as (

    select customer_id, {{ core_month('min(ordered_on)') }} as cohort_month
    from orders
    group by customer_id

),

cohorts as (

    select cohort_month, count(*) as customers
    from cohort_members
    group by cohort_month

),

monthly as (

    select
        cohort_members.cohort_month,
        {{ core_month('orders.ordered_on') }} as month_on,
        count(distinct orders.customer_id) as buyers,
        count(*) as orders,
        sum(orders.gross_reporting) as gross,
        sum(orders.refunded_reporting) as refunds,
        sum(orders.net_reporting) as net
    from orders
    inner join cohort_members on orders.customer_id = cohort_members.customer_id
    group by cohort_members.cohort_month, {{ core_month('orders.ordered_on') }}

),

grid as (

    select cohorts.cohort_month, cohorts.customers, months.month_on
    from cohorts
    inner join months on cohorts.cohort_month <= months.month_on

),

final as (

    select
        grid.cohort_month,
        {{ core_months_between('grid.cohort_month', 'grid.month_on') }} as months_since_first_order,
        cast('{{ var("currency") }}' as varchar) as currency,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        grid.customers,
        coalesce(monthly.buyers, 0) as buyers,
        coalesce(monthly.orders, 0) as orders,
        cast(coalesce(monthly.gross, 0) as decimal(18, 2)) as gross,
        cast(coalesce(monthly.refunds, 0) as decimal(18, 2)) as refunds,
        cast(coalesce(monthly.net, 0) as decimal(18, 2)) as net,
        cast(
            sum(coalesce(monthly.net, 0)) over (
                partition by grid.cohort_month
                order by grid.month_on
                rows between unbounded preceding and current row
            ) as decimal(18, 2)
        ) as net_cumulative,
        cast({{ dbt.last_day('grid.month_on', 'month') }} as date) <= {{ core_as_of() }} as is_complete
    from grid
    left join monthly
        on grid.cohort_month = monthly.cohort_month and grid.month_on = monthly.month_on

)

select * from final
