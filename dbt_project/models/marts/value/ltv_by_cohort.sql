with

months as (

    select distinct month_on
    from {{ ref('dim_dates') }}

),

cohort_members as (

    select customer_number, {{ core_month('first_order_on') }} as cohort_month
    from {{ ref('int_retention_people') }}
    where first_order_on is not null

),

cohorts as (

    select cohort_month, count(*) as customers
    from cohort_members
    group by cohort_month

),

-- One row per buyer and month, so that buyers are rows.
bought as (

    select
        customer_number,
        {{ core_month('active_on') }} as month_on,
        sum(orders) as orders,
        sum(gross) as gross,
        sum(net) as net
    from {{ ref('int_active_days') }}
    where has_ordered
    group by customer_number, {{ core_month('active_on') }}

),

monthly as (

    select
        cohort_members.cohort_month,
        bought.month_on,
        count(*) as buyers,
        cast(sum(bought.orders) as bigint) as orders,
        sum(bought.gross) as gross,
        sum(bought.gross) - sum(bought.net) as refunds,
        sum(bought.net) as net
    from bought
    inner join cohort_members on bought.customer_number = cohort_members.customer_number
    group by cohort_members.cohort_month, bought.month_on

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
