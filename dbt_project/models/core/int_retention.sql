{%- set money = 'decimal(18, 2)' -%}
{%- set limits = var('retention_periods') -%}
with

activity as (

    select * from {{ ref('int_retention_activity') }}

),

by_period as (

    {% for grain in ['day', 'week', 'month', 'year'] -%}
    {{ 'union all' if not loop.first }}
    select
        cohort_by,
        '{{ grain }}' as grain,
        customer_id,
        {{ retention_period(grain, 'first_on') }} as cohort,
        {{ retention_periods_between(grain, 'first_on', 'active_on') }} as period_number,
        sum(gross) as gross,
        sum(net) as net
    from activity
    group by
        cohort_by,
        customer_id,
        {{ retention_period(grain, 'first_on') }},
        {{ retention_periods_between(grain, 'first_on', 'active_on') }}
    {% endfor %}
    union all
    select 'first_subscription', 'month', customer_id, cohort, period_number, recurring, recurring
    from {{ ref('int_contract_cohorts') }}

),

-- What the customer brought in the cohort's own period, and the last period in which they were active.
based as (

    select
        by_period.*,
        case
            when period_number is not null
            then row_number() over (partition by cohort_by, grain, customer_id order by period_number desc nulls last)
        end as place_from_last,
        max(case when period_number = 0 then net end) over (partition by cohort_by, grain, customer_id) as first_net
    from by_period

),

segmented as (

    select 'overall' as segment_type, 'all' as segment, based.* from based
    {% for segment in ['region', 'age_band'] -%}
    union all
    select '{{ segment }}', coalesce(customers.{{ segment }}, 'unknown'), based.*
    from based
    left join {{ ref('dim_customers') }} as customers on based.customer_id = customers.customer_id
    where based.grain in ('month', 'year')
    {% endfor -%}
    union all
    select 'first_channel', coalesce(customer_values.first_channel, 'none'), based.*
    from based
    left join {{ ref('int_customer_value') }} as customer_values on based.customer_id = customer_values.customer_id
    where based.grain in ('month', 'year')

),

cohorts as (

    select
        segment_type,
        segment,
        cohort_by,
        grain,
        cohort,
        count(distinct customer_id) as cohort_size,
        -- Periods from the cohort's own to that of as_of, or as many as are wanted.
        least(
            {% for grain in ['day', 'week'] -%}
            case when grain = '{{ grain }}' then {{ limits[grain] }} else 100000 end,
            {% endfor -%}
            case grain
                {%- for grain in ['day', 'week', 'month', 'year'] %}
                when '{{ grain }}' then {{ retention_periods_between(grain, 'cohort', core_as_of()) }}
                {%- endfor %}
            end
        ) as last_number
    from segmented
    group by segment_type, segment, cohort_by, grain, cohort

),

grid as (

    select cohorts.*, {{ numbers_to('last_number + 1') }} as period_number
    from cohorts

),

returns as (

    select
        segment_type,
        segment,
        cohort_by,
        grain,
        cohort,
        period_number,
        count(*) as returned,
        sum(gross) as gross,
        sum(net) as net,
        sum(least(greatest(net, 0), greatest(coalesce(first_net, 0), 0))) as net_kept
    from segmented
    where period_number is not null
    group by segment_type, segment, cohort_by, grain, cohort, period_number

),

departures as (

    select
        segmented.segment_type,
        segmented.segment,
        segmented.cohort_by,
        segmented.grain,
        segmented.cohort,
        least(segmented.period_number, cohorts.last_number) as last_period_number,
        count(*) as customers
    from segmented
    inner join cohorts
        on segmented.segment_type = cohorts.segment_type
        and segmented.segment = cohorts.segment
        and segmented.cohort_by = cohorts.cohort_by
        and segmented.grain = cohorts.grain
        and segmented.cohort = cohorts.cohort
    where segmented.place_from_last = 1
    group by
        segmented.segment_type,
        segmented.segment,
        segmented.cohort_by,
        segmented.grain,
        segmented.cohort,
        least(segmented.period_number, cohorts.last_number)

),

joined as (

    select
        grid.segment_type,
        grid.segment,
        grid.cohort_by,
        grid.grain,
        grid.cohort,
        grid.period_number,
        grid.cohort_size,
        coalesce(returns.returned, 0) as returned,
        coalesce(departures.customers, 0) as left_after,
        case when grid.cohort_by in ('first_order', 'first_subscription') then coalesce(returns.gross, 0) end as gross,
        case when grid.cohort_by in ('first_order', 'first_subscription') then coalesce(returns.net, 0) end as net,
        case
            when grid.cohort_by in ('first_order', 'first_subscription') then coalesce(returns.net_kept, 0)
        end as net_kept
    from grid
    left join returns
        on grid.segment_type = returns.segment_type
        and grid.segment = returns.segment
        and grid.cohort_by = returns.cohort_by
        and grid.grain = returns.grain
        and grid.cohort = returns.cohort
        and grid.period_number = returns.period_number
    left join departures
        on grid.segment_type = departures.segment_type
        and grid.segment = departures.segment
        and grid.cohort_by = departures.cohort_by
        and grid.grain = departures.grain
        and grid.cohort = departures.cohort
        and grid.period_number = departures.last_period_number

),

final as (

    select
        cast(cohort_by || '_' || grain as varchar) as definition,
        cast(cohort_by as varchar) as cohort_by,
        cast(grain as varchar) as grain,
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        cohort,
        cast(period_number as bigint) as period_number,
        {{ retention_add_periods('grain', 'cohort', 'period_number') }} as period,
        cohort_size,
        returned,
        cohort_size - returned as lost,
        -- Whoever was last active in this period or a later one came back in or after it.
        cast(
            sum(left_after) over (
                partition by cohort_by, grain, segment_type, segment, cohort
                order by period_number desc
                rows between unbounded preceding and current row
            ) as bigint
        ) as returned_unbounded,
        cast(
            returned - lag(returned) over (
                partition by cohort_by, grain, segment_type, segment, cohort
                order by period_number
            ) as bigint
        ) as returned_change,
        cast(gross as {{ money }}) as gross,
        cast(net as {{ money }}) as net,
        cast(net_kept as {{ money }}) as net_kept,
        cast(
            max(case when period_number = 0 then gross end) over (
                partition by cohort_by, grain, segment_type, segment, cohort
            ) as {{ money }}
        ) as first_gross,
        cast(
            max(case when period_number = 0 then net end) over (
                partition by cohort_by, grain, segment_type, segment, cohort
            ) as {{ money }}
        ) as first_net
    from joined

)

select
    final.*,
    -- The day before the next period begins.
    {{ core_add_days(retention_add_periods('grain', 'cohort', 'period_number + 1'), '-1') }} <= {{ core_as_of() }}
        as is_complete
from final
