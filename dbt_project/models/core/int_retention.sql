{%- set money = 'decimal(18, 2)' -%}
{%- set limits = var('retention_periods') -%}
{%- set grains = ['day', 'week', 'month', 'year'] -%}
{%- set attributes = ['region', 'age_band', 'first_channel'] -%}
with

rows_of_activity as (select * from {{ ref('int_retention_activity') }}),

paid_months as (select * from {{ ref('int_contract_cohorts') }}),

-- Everything below goes over numbers: of customers, and of the combinations of segments that they are in.
people as (

    select
        listed.customer_id,
        row_number() over (order by listed.customer_id) as customer_number,
        coalesce(customers.region, 'unknown') as region,
        coalesce(customers.age_band, 'unknown') as age_band,
        coalesce(customer_values.first_channel, 'none') as first_channel
    from (select customer_id from rows_of_activity union select customer_id from paid_months) as listed
    left join {{ ref('dim_customers') }} as customers on listed.customer_id = customers.customer_id
    left join {{ ref('int_customer_value') }} as customer_values on listed.customer_id = customer_values.customer_id

),

combinations as (

    select
        region, age_band, first_channel,
        row_number() over (order by region, age_band, first_channel) as combination
    from (select distinct region, age_band, first_channel from people) as listed

),

numbered as (

    select people.customer_id, people.customer_number, combinations.combination
    from people
    inner join combinations
        on people.region = combinations.region
        and people.age_band = combinations.age_band
        and people.first_channel = combinations.first_channel

),

activity as (

    select
        cohort_by, customer_number, combination, first_on, active_on, gross, net
    from rows_of_activity
    inner join numbered on rows_of_activity.customer_id = numbered.customer_id

),

-- Days become months at once: what follows goes over a fraction of the rows.
order_months as (

    select
        customer_number, combination, first_on, {{ core_month('active_on') }} as month_on,
        max(active_on) as last_on,
        sum(gross) as gross,
        sum(net) as net,
        sum(case when active_on = first_on then net end) as net_of_first_day,
        sum(case when active_on < {{ core_add_days(core_week('first_on'), 7) }} then net end) as net_of_first_week
    from activity
    where cohort_by = 'first_order'
    group by customer_number, combination, first_on, {{ core_month('active_on') }}

),

-- Only orders bring money; of the others it is enough to know when.
other_months as (

    select
        cohort_by, customer_number, combination, first_on, {{ core_month('active_on') }} as month_on,
        max(active_on) as last_on
    from activity
    where cohort_by <> 'first_order'
    group by cohort_by, customer_number, combination, first_on, {{ core_month('active_on') }}

),

-- Everybody once per way to enter a cohort: the last period of activity, and what a buyer's first ones brought.
buyers as (

    select
        customer_number, combination, first_on, max(last_on) as last_on,
        greatest(coalesce(sum(net_of_first_day), 0), 0) as first_day,
        greatest(coalesce(sum(net_of_first_week), 0), 0) as first_week,
        greatest(coalesce(sum(case when month_on = {{ core_month('first_on') }} then net end), 0), 0) as first_month,
        greatest(
            coalesce(sum(case when extract(year from month_on) = extract(year from first_on) then net end), 0), 0
        ) as first_year
    from order_months
    group by customer_number, combination, first_on

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

    select 'first_order' as cohort_by, combination, first_on, last_on from buyers
    union all
    select cohort_by, combination, first_on, max(last_on)
    from other_months
    group by cohort_by, customer_number, combination, first_on

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

order_weeks as (

    select
        customer_number, combination, first_on,
        {{ retention_periods_between('week', 'first_on', 'active_on') }} as period_number,
        sum(gross) as gross,
        sum(net) as net
    from activity
    where cohort_by = 'first_order'
        and active_on < {{ core_add_days(core_week('first_on'), 7 * (limits['week'] + 1)) }}
    group by 1, 2, 3, 4

),

other_weeks as (

    select distinct
        cohort_by, customer_number, first_on,
        {{ retention_periods_between('week', 'first_on', 'active_on') }} as period_number
    from activity
    where cohort_by <> 'first_order'
        and active_on < {{ core_add_days(core_week('first_on'), 7 * (limits['week'] + 1)) }}

),

order_years as (

    select
        customer_number, combination, first_on,
        {{ retention_periods_between('year', 'first_on', 'month_on') }} as period_number,
        sum(gross) as gross,
        sum(net) as net
    from order_months
    group by 1, 2, 3, 4

),

other_years as (

    select distinct
        cohort_by, customer_number, combination, first_on,
        {{ retention_periods_between('year', 'first_on', 'month_on') }} as period_number
    from other_months
    where month_on is not null

),

-- Customers with activity by cohort and period, as far as periods are shown. A day of activity is one row already.
returning_customers as (

    {% for grain, orders, others, number in [
        ('day', 'activity', 'activity', days_between('seen.first_on', 'seen.active_on')),
        ('week', 'order_weeks', 'other_weeks', 'seen.period_number'),
        ('month', 'order_months', 'other_months', core_months_between('seen.first_on', 'seen.month_on')),
        ('year', 'order_years', 'other_years', 'seen.period_number'),
    ] -%}
    {%- set near = 'seen.active_on <= ' ~ core_add_days('seen.first_on', limits['day']) if grain == 'day' else 'true' -%}
    select
        'first_order' as cohort_by,
        '{{ grain }}' as grain,
        {{ retention_period(grain, 'seen.first_on') }} as cohort,
        {{ number }} as period_number,
        {{ 'seen.combination' if grain in ['month', 'year'] else '0' }} as combination,
        count(*) as returned,
        sum(seen.gross) as gross,
        sum(seen.net) as net,
        sum(least(greatest(seen.net, 0), buyers.first_{{ grain }})) as net_kept
    from {{ orders }} as seen
    inner join buyers on seen.customer_number = buyers.customer_number
    where {{ near }}{{ " and seen.cohort_by = 'first_order'" if grain == 'day' }}
    group by 1, 2, 3, 4, 5
    union all
    select
        seen.cohort_by,
        '{{ grain }}',
        {{ retention_period(grain, 'seen.first_on') }},
        {{ number }},
        {{ 'seen.combination' if grain in ['month', 'year'] else '0' }},
        count(*), null, null, null
    from {{ others }} as seen
    where {{ near }} and seen.cohort_by <> 'first_order'{{ ' and seen.month_on is not null' if grain == 'month' }}
    group by 1, 2, 3, 4, 5
    union all
    {% endfor -%}
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
