{%- set money = 'decimal(18, 2)' -%}
{%- set limits = var('retention_periods') -%}
{%- set grains = ['day', 'week', 'month', 'year'] -%}
{%- set attributes = ['region', 'age_band', 'first_channel'] -%}
{%- set per_cohort = 'partition by cohort_by, grain, segment_type, segment, cohort order by period_number' -%}
{#- How a customer came, and the day of it. -#}
{%- set ways = [
    ('first_order', 'first_order_on'), ('first_session', 'first_session_on'), ('sign_up', 'signed_up_on'),
] -%}
with

paid_months as (select * from {{ ref('int_contract_cohorts') }}),

-- Everything below goes over numbers: of customers, and of the combinations of segments that they are in.
listed as (

    select * from {{ ref('int_retention_people') }}
    union all
    select distinct customer_id, cast(null as integer), cast(null as date), cast(null as date), cast(null as date)
    from paid_months
    where customer_id not in (select customer_id from {{ ref('int_retention_people') }})

),

people as (

    select
        listed.*,
        coalesce(customers.region, 'unknown') as region,
        coalesce(customers.age_band, 'unknown') as age_band,
        coalesce(customer_values.first_channel, 'none') as first_channel
    from listed
    left join {{ ref('dim_customers') }} as customers on listed.customer_id = customers.customer_id
    left join {{ ref('int_customer_value') }} as customer_values on listed.customer_id = customer_values.customer_id

),

combinations as (

    select
        region, age_band, first_channel,
        cast(row_number() over (order by region, age_band, first_channel) as integer) as combination
    from (select distinct region, age_band, first_channel from people) as found

),

numbered as (

    select
        people.customer_id, people.customer_number, combinations.combination,
        people.first_order_on, people.first_session_on, people.signed_up_on
        {%- for _, first_on in ways %},
        {{ core_add_days(core_week('people.' ~ first_on), 7 * (limits['week'] + 1)) }} as {{ first_on }}_weeks_until
        {%- endfor %}
    from people
    inner join combinations
        on people.region = combinations.region
        and people.age_band = combinations.age_band
        and people.first_channel = combinations.first_channel

),

days as (

    select
        active_days.customer_number, active_days.active_on, active_days.has_ordered, active_days.has_visited,
        active_days.gross, active_days.net,
        {%- for _, first_on in ways %}
        numbered.{{ first_on }}, numbered.{{ first_on }}_weeks_until,
        {%- endfor %}
        {{ core_week('active_days.active_on') }} as week_on
    from {{ ref('int_active_days') }} as active_days
    inner join numbered on active_days.customer_number = numbered.customer_number

),

-- Days become weeks, months and years, each once for all ways to come: what follows goes over a fraction of the rows.
-- Weeks only as far as some way to come shows them.
weeks as (

    select
        customer_number, week_on,
        max(has_ordered) as has_ordered, max(has_visited) as has_visited, max(active_on) as last_on,
        sum(gross) as gross, sum(net) as net
    from days
    where
        {%- for _, first_on in ways %}
        {{ 'or ' if not loop.first }}(
            active_on >= {{ first_on }} and active_on < {{ first_on }}_weeks_until
        )
        {%- endfor %}
    group by customer_number, week_on

),

months as (

    select
        customer_number,
        {{ core_month('active_on') }} as month_on,
        max(case when has_ordered then active_on end) as last_order_on,
        max(case when has_visited then active_on end) as last_session_on,
        max(active_on) as last_on,
        sum(gross) as gross,
        sum(net) as net
    from days
    group by customer_number, {{ core_month('active_on') }}

),

years as (

    select
        customer_number,
        {{ retention_period('year', 'month_on') }} as year_on,
        max(last_order_on) as last_order_on,
        max(last_session_on) as last_session_on,
        max(last_on) as last_on,
        sum(gross) as gross,
        sum(net) as net
    from months
    group by customer_number, {{ retention_period('year', 'month_on') }}

),

-- What a buyer's first day and week brought.
begun as (

    select
        customer_number,
        sum(case when active_on = first_order_on then net end) as first_day,
        sum(net) as first_week
    from days
    where has_ordered and active_on < {{ core_add_days(core_week('first_order_on'), 7) }}
    group by customer_number

),

-- Everybody once: the last day of activity of each kind, and what a buyer's first periods brought.
lived as (

    select
        customer_number,
        max(last_order_on) as last_order_on, max(last_session_on) as last_session_on, max(last_on) as last_on
    from years
    group by customer_number

),

lives as (

    select
        numbered.customer_number, combination,
        {%- for _, first_on in ways %}
        {{ first_on }}, {{ first_on }}_weeks_until,
        {%- endfor %}
        lived.last_order_on, lived.last_session_on, lived.last_on,
        greatest(coalesce(begun.first_day, 0), 0) as first_day,
        greatest(coalesce(begun.first_week, 0), 0) as first_week,
        greatest(coalesce(months.net, 0), 0) as first_month,
        greatest(coalesce(years.net, 0), 0) as first_year
    from numbered
    left join lived on numbered.customer_number = lived.customer_number
    left join begun on numbered.customer_number = begun.customer_number
    left join months
        on numbered.customer_number = months.customer_number
        and {{ core_month('numbered.first_order_on') }} = months.month_on
    left join years
        on numbered.customer_number = years.customer_number
        and {{ retention_period('year', 'numbered.first_order_on') }} = years.year_on
    where numbered.customer_number is not null

),

payers as (

    select
        paid_months.customer_id, numbered.combination, paid_months.cohort,
        max(paid_months.period_number) as last_number,
        greatest(coalesce(sum(case when period_number = 0 then recurring end), 0), 0) as first_month
    from paid_months
    inner join numbered on paid_months.customer_id = numbered.customer_id
    group by paid_months.customer_id, numbered.combination, paid_months.cohort

),

comers as (

    select 'first_order' as cohort_by, combination, first_order_on as first_on, last_order_on as last_on
    from lives
    where first_order_on is not null
    union all
    select 'first_session', combination, first_session_on, last_session_on
    from lives
    where first_session_on is not null
    union all
    -- A sign-up is no return by itself: what counts is an order or a session on that day or later.
    select 'sign_up', combination, signed_up_on, case when last_on >= signed_up_on then last_on end
    from lives
    where signed_up_on is not null

),

-- Customers by cohort and the last period in which they were active, NULL for never; without segments by day and week.
lasting as (

    {% for grain in grains -%}
    select
        cohort_by,
        '{{ grain }}' as grain,
        {{ retention_period(grain, 'first_on') }} as cohort,
        {{ retention_periods_between(grain, 'first_on', 'last_on') }} as last_period_number,
        {{ 'combination' if grain in ['month', 'year'] else '0' }} as combination,
        count(*) as customers
    from comers
    group by 1, 2, 3, 4, 5
    union all
    {% endfor -%}
    select 'first_subscription', 'month', cohort, last_number, combination, count(*)
    from payers
    group by cohort, last_number, combination

),

-- Customers with activity by cohort and period, as far as periods are shown; only orders bring money. Grouped by the
-- days themselves, and by numbers of periods when few rows are left.
returned_on as (

    {{ retention_returned_on(ways, limits) }}

),

returning_customers as (

    select
        cohort_by, grain, cohort,
        case grain
            {%- for grain in grains %}
            when '{{ grain }}' then {{ retention_periods_between(grain, 'cohort', 'period_on') }}
            {%- endfor %}
        end as period_number,
        combination, returned, gross, net, net_kept
    from returned_on
    union all
    select
        'first_subscription', 'month', paid_months.cohort, paid_months.period_number, payers.combination, count(*),
        sum(recurring), sum(recurring), sum(least(greatest(recurring, 0), payers.first_month))
    from paid_months
    inner join payers on paid_months.customer_id = payers.customer_id and paid_months.cohort = payers.cohort
    group by paid_months.cohort, paid_months.period_number, payers.combination

),

lasting_by_segment as (

    select 'overall' as segment_type, 'all' as segment, lasting.* from lasting
    {% for attribute in attributes -%}
    union all
    select '{{ attribute }}', combinations.{{ attribute }}, lasting.*
    from lasting
    inner join combinations on lasting.combination = combinations.combination
    where grain in ('month', 'year')
    {% endfor %}
),

cohorts as (

    select
        segment_type, segment, cohort_by, grain, cohort,
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
        segment_type, segment, cohort_by, grain, cohort, period_number,
        cast(sum(returned) as bigint) as returned,
        sum(gross) as gross,
        sum(net) as net,
        sum(net_kept) as net_kept
    from (
        select 'overall' as segment_type, 'all' as segment, returning_customers.* from returning_customers
        {% for attribute in attributes -%}
        union all
        select '{{ attribute }}', combinations.{{ attribute }}, returning_customers.*
        from returning_customers
        inner join combinations on returning_customers.combination = combinations.combination
        where grain in ('month', 'year')
        {% endfor %}
    ) as returning_by_segment
    group by segment_type, segment, cohort_by, grain, cohort, period_number

),

departures as (

    select
        lasting.segment_type, lasting.segment, lasting.cohort_by, lasting.grain, lasting.cohort,
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
    group by 1, 2, 3, 4, 5, 6

),

joined as (

    select
        grid.segment_type, grid.segment, grid.cohort_by, grid.grain, grid.cohort, grid.period_number,
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
            sum(left_after) over ({{ per_cohort }} rows between current row and unbounded following) as bigint
        ) as returned_unbounded,
        cast(returned - lag(returned) over ({{ per_cohort }}) as bigint) as returned_change,
        cast(gross as {{ money }}) as gross,
        cast(net as {{ money }}) as net,
        cast(net_kept as {{ money }}) as net_kept,
        cast(first_value(gross) over ({{ per_cohort }}) as {{ money }}) as first_gross,
        cast(first_value(net) over ({{ per_cohort }}) as {{ money }}) as first_net
    from joined

)

select
    final.*,
    -- The day before the next period begins.
    {{ core_add_days(retention_add_periods('grain', 'cohort', 'period_number + 1'), '-1') }} <= {{ core_as_of() }}
        as is_complete
from final
