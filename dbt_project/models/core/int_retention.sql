{%- set money = 'decimal(18, 2)' -%}
{%- set limits = var('retention_periods') -%}
{%- set grains = ['day', 'week', 'month', 'year'] -%}
{%- set attributes = ['region', 'age_band', 'first_channel'] -%}
with

activity as (

    select * from {{ ref('int_retention_activity') }}

),

-- Days become months at once: what follows goes over a fraction of the rows.
months as (

    select
        cohort_by,
        customer_id,
        first_on,
        {{ core_month('active_on') }} as month_on,
        max(active_on) as last_on,
        sum(gross) as gross,
        sum(net) as net,
        sum(case when active_on = first_on then net end) as net_of_first_day,
        sum(case when active_on < {{ core_add_days(core_week('first_on'), 7) }} then net end) as net_of_first_week
    from activity
    where cohort_by = 'first_order'
    group by cohort_by, customer_id, first_on, {{ core_month('active_on') }}
    union all
    -- Only orders bring money; of the others it is enough to know when.
    select cohort_by, customer_id, first_on, {{ core_month('active_on') }}, max(active_on), null, null, null, null
    from activity
    where cohort_by <> 'first_order'
    group by cohort_by, customer_id, first_on, {{ core_month('active_on') }}

),

paid_months as (

    select * from {{ ref('int_contract_cohorts') }}

),

-- Everybody once per way to enter a cohort: the last period of activity, and what the first one brought.
comers as (

    select
        cohort_by,
        customer_id,
        first_on,
        max(last_on) as last_on,
        sum(net_of_first_day) as first_net_day,
        sum(net_of_first_week) as first_net_week,
        sum(case when month_on = {{ core_month('first_on') }} then net end) as first_net_month,
        sum(case when extract(year from month_on) = extract(year from first_on) then net end) as first_net_year
    from months
    group by cohort_by, customer_id, first_on
    union all
    select
        'first_subscription',
        customer_id,
        cohort,
        cast({{ dbt.dateadd('month', 'max(period_number)', 'cohort') }} as date),
        null,
        null,
        sum(case when period_number = 0 then recurring end),
        null
    from paid_months
    group by customer_id, cohort

),

described as (

    select
        comers.*,
        coalesce(customers.region, 'unknown') as region,
        coalesce(customers.age_band, 'unknown') as age_band,
        coalesce(customer_values.first_channel, 'none') as first_channel
    from comers
    left join {{ ref('dim_customers') }} as customers on comers.customer_id = customers.customer_id
    left join {{ ref('int_customer_value') }} as customer_values on comers.customer_id = customer_values.customer_id

),

-- Customers by cohort and the last period in which they were active, NULL for never.
lasting as (

    {% for grain in grains -%}
    {{ 'union all' if not loop.first }}
    select
        cohort_by,
        '{{ grain }}' as grain,
        {{ retention_period(grain, 'first_on') }} as cohort,
        {{ retention_periods_between(grain, 'first_on', 'last_on') }} as last_period_number,
        {% for attribute in attributes -%}
        {{ attribute if grain in ['month', 'year'] else 'null as ' ~ attribute }},
        {% endfor -%}
        count(*) as customers
    from described
    {% if grain != 'month' -%}
    where cohort_by <> 'first_subscription'
    {% endif -%}
    group by
        cohort_by,
        {% if grain in ['month', 'year'] -%}
        region,
        age_band,
        first_channel,
        {% endif -%}
        {{ retention_period(grain, 'first_on') }},
        {{ retention_periods_between(grain, 'first_on', 'last_on') }}
    {% endfor %}

),

weeks as (

    select
        cohort_by,
        customer_id,
        {{ retention_periods_between('week', 'first_on', 'active_on') }} as period_number,
        sum(gross) as gross,
        sum(net) as net
    from activity
    where active_on < {{ core_add_days(core_week('first_on'), 7 * (limits['week'] + 1)) }}
    group by cohort_by, customer_id, {{ retention_periods_between('week', 'first_on', 'active_on') }}

),

years as (

    select
        cohort_by,
        customer_id,
        {{ retention_periods_between('year', 'first_on', 'month_on') }} as period_number,
        sum(gross) as gross,
        sum(net) as net
    from months
    where month_on is not null
    group by cohort_by, customer_id, {{ retention_periods_between('year', 'first_on', 'month_on') }}

),

-- One row per customer and period with activity, as far as periods are shown. A day of activity is one row already.
active as (

    select
        cohort_by,
        'day' as grain,
        customer_id,
        {{ days_between('first_on', 'active_on') }} as period_number,
        gross,
        net
    from activity
    where active_on <= {{ core_add_days('first_on', limits['day']) }}
    union all
    select cohort_by, 'week', customer_id, period_number, gross, net from weeks
    union all
    select
        cohort_by, 'month', customer_id, {{ core_months_between('first_on', 'month_on') }}, gross, net
    from months
    where month_on is not null
    union all
    select 'first_subscription', 'month', customer_id, period_number, recurring, recurring from paid_months
    union all
    select cohort_by, 'year', customer_id, period_number, gross, net from years

),

kept as (

    select
        active.cohort_by,
        active.grain,
        active.period_number,
        active.gross,
        active.net,
        case active.grain
            {%- for grain in grains %}
            when '{{ grain }}' then {{ retention_period(grain, 'described.first_on') }}
            {%- endfor %}
        end as cohort,
        least(
            greatest(active.net, 0),
            greatest(
                coalesce(
                    case active.grain
                        {%- for grain in grains %}
                        when '{{ grain }}' then described.first_net_{{ grain }}
                        {%- endfor %}
                    end, 0
                ), 0
            )
        ) as net_kept,
        {% for attribute in attributes -%}
        case when active.grain in ('month', 'year') then described.{{ attribute }} end as {{ attribute }}{{ ',' if not loop.last }}
        {% endfor %}
    from active
    inner join described
        on active.cohort_by = described.cohort_by and active.customer_id = described.customer_id

),

returning_customers as (

    select
        cohort_by, grain, cohort, period_number, region, age_band, first_channel,
        count(*) as returned,
        sum(gross) as gross,
        sum(net) as net,
        sum(net_kept) as net_kept
    from kept
    group by cohort_by, grain, cohort, period_number, region, age_band, first_channel

),

lasting_by_segment as (

    select 'overall' as segment_type, 'all' as segment, lasting.* from lasting
    {% for attribute in attributes -%}
    union all
    select '{{ attribute }}', {{ attribute }}, lasting.* from lasting where grain in ('month', 'year')
    {% endfor %}
),

cohorts as (

    select
        segment_type,
        segment,
        cohort_by,
        grain,
        cohort,
        cast(sum(customers) as bigint) as cohort_size,
        -- Periods from the cohort's own to that of as_of, or as many as are wanted.
        least(
            {% for grain in ['day', 'week'] -%}
            case when grain = '{{ grain }}' then {{ limits[grain] }} else 100000 end,
            {% endfor -%}
            case grain
                {%- for grain in grains %}
                when '{{ grain }}' then {{ retention_periods_between(grain, 'cohort', core_as_of()) }}
                {%- endfor %}
            end
        ) as last_number
    from lasting_by_segment
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
        cast(sum(returned) as bigint) as returned,
        sum(gross) as gross,
        sum(net) as net,
        sum(net_kept) as net_kept
    from (
        select 'overall' as segment_type, 'all' as segment, returning_customers.* from returning_customers
        {% for attribute in attributes -%}
        union all
        select '{{ attribute }}', {{ attribute }}, returning_customers.*
        from returning_customers
        where grain in ('month', 'year')
        {% endfor %}
    ) as returning_by_segment
    group by segment_type, segment, cohort_by, grain, cohort, period_number

),

departures as (

    select
        lasting.segment_type,
        lasting.segment,
        lasting.cohort_by,
        lasting.grain,
        lasting.cohort,
        least(lasting.last_period_number, cohorts.last_number) as last_period_number,
        sum(lasting.customers) as customers
    from lasting_by_segment as lasting
    inner join cohorts
        on lasting.segment_type = cohorts.segment_type
        and lasting.segment = cohorts.segment
        and lasting.cohort_by = cohorts.cohort_by
        and lasting.grain = cohorts.grain
        and lasting.cohort = cohorts.cohort
    where lasting.last_period_number is not null
    group by
        lasting.segment_type,
        lasting.segment,
        lasting.cohort_by,
        lasting.grain,
        lasting.cohort,
        least(lasting.last_period_number, cohorts.last_number)

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
