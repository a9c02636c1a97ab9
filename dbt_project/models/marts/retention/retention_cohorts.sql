with

orders as (

    select * from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null

),

sessions as (

    select * from {{ ref('fct_sessions') }}
    where customer_id is not null

),

months as (

    select distinct month_on
    from {{ ref('dim_dates') }}

),

-- What counts as coming back, per definition. A refund or a cancelled order is no activity; sessions earn nothing.
activity as (

    select
        'first_order_month' as definition,
        customer_id,
        {{ core_month('ordered_on') }} as month_on,
        sum(gross_reporting) as gross,
        sum(net_reporting) as net
    from orders
    group by customer_id, {{ core_month('ordered_on') }}
    union all
    select
        'first_session_month',
        customer_id,
        {{ core_month('started_on') }},
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2))
    from sessions
    group by customer_id, {{ core_month('started_on') }}

),

spans as (

    select definition, customer_id, min(month_on) as cohort_month, max(month_on) as last_month
    from activity
    group by definition, customer_id

),

cohorts as (

    select definition, cohort_month, count(*) as cohort_size
    from spans
    group by definition, cohort_month

),

grid as (

    select cohorts.definition, cohorts.cohort_month, cohorts.cohort_size, months.month_on
    from cohorts
    inner join months on cohorts.cohort_month <= months.month_on

),

returns as (

    select
        activity.definition,
        spans.cohort_month,
        activity.month_on,
        count(*) as returned,
        sum(activity.gross) as gross,
        sum(activity.net) as net
    from activity
    inner join spans
        on activity.definition = spans.definition and activity.customer_id = spans.customer_id
    group by activity.definition, spans.cohort_month, activity.month_on

),

departures as (

    select definition, cohort_month, last_month, count(*) as customers
    from spans
    group by definition, cohort_month, last_month

),

joined as (

    select
        grid.definition,
        grid.cohort_month,
        grid.month_on,
        grid.cohort_size,
        coalesce(returns.returned, 0) as returned,
        -- Whoever was last active in this period or a later one came back in or after it.
        cast(
            sum(coalesce(departures.customers, 0)) over (
                partition by grid.definition, grid.cohort_month
                order by grid.month_on desc
                rows between unbounded preceding and current row
            ) as bigint
        ) as returned_unbounded,
        case when grid.definition = 'first_order_month' then coalesce(returns.gross, 0) end as gross,
        case when grid.definition = 'first_order_month' then coalesce(returns.net, 0) end as net
    from grid
    left join returns
        on grid.definition = returns.definition
        and grid.cohort_month = returns.cohort_month
        and grid.month_on = returns.month_on
    left join departures
        on grid.definition = departures.definition
        and grid.cohort_month = departures.cohort_month
        and grid.month_on = departures.last_month

),

based as (

    select
        joined.*,
        max(case when month_on = cohort_month then net end) over (
            partition by definition, cohort_month
        ) as first_net,
        max(case when month_on = cohort_month then gross end) over (
            partition by definition, cohort_month
        ) as first_gross
    from joined

),

final as (

    select
        cast(definition as varchar) as definition,
        cohort_month,
        {{ core_months_between('cohort_month', 'month_on') }} as period_number,
        month_on as period,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        cohort_size,
        returned,
        returned_unbounded,
        {{ core_ratio('returned', 'cohort_size') }} as rate,
        {{ core_ratio('returned_unbounded', 'cohort_size') }} as rate_unbounded,
        cast(gross as decimal(18, 2)) as gross,
        cast(net as decimal(18, 2)) as net,
        {{ core_ratio('gross', 'first_gross') }} as revenue_retention_gross,
        {{ core_ratio('net', 'first_net') }} as revenue_retention,
        cast({{ dbt.last_day('month_on', 'month') }} as date) <= {{ core_as_of() }} as is_complete
    from based

)

select * from final
