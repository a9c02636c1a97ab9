{%- set money = 'decimal(18, 2)' -%}
{%- set limits = var('retention_periods') -%}
{%- set grains = ['day', 'week', 'month', 'year'] -%}
{#- What customers are cut by: always the first three, and what the company asks for (kpi.segments). -#}
{%- set cuts = var('kpi_segments', []) -%}
{%- set attributes = ['region', 'age_band', 'first_channel'] + cuts -%}
{%- set per_cohort = 'partition by cohort_number order by period_number' -%}
{#- How a customer came, and the day of it. -#}
{%- set ways = [('first_order', 'first_order_on'), ('first_session', 'first_session_on'), ('sign_up', 'signed_up_on')] -%}
{#- Definitions of cohorts, by their place in this list while millions of rows are grouped. -#}
{%- set definitions = [] -%}
{%- for grain in grains -%}
{%- for cohort_by, _ in ways -%}{%- do definitions.append((cohort_by, grain)) -%}{%- endfor -%}
{%- endfor -%}
{%- do definitions.append(('first_subscription', 'month')) -%}
-- depends_on: {{ ref('customer_segments') }}
with

paid_months as (select * from {{ ref('int_contract_cohorts') }}),

-- Everything below goes over numbers: of customers, and of the combinations of segments that they are in.
listed as (

    select customer_id, customer_number, first_order_on, first_session_on, signed_up_on
    from {{ ref('int_retention_people') }}
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
        {% for cut in cuts %}coalesce(segments.{{ cut }}, 'unknown') as {{ cut }}, {% endfor %}
        coalesce(customer_values.first_channel, 'none') as first_channel
    from listed
    {{ 'left join ' ~ ref('customer_segments') ~ ' as segments on listed.customer_id = segments.customer_id' if cuts }}
    left join {{ ref('dim_customers') }} as customers on listed.customer_id = customers.customer_id
    left join {{ ref('int_customer_value') }} as customer_values on listed.customer_id = customer_values.customer_id

),

combinations as (

    select
        found.*, cast(row_number() over (order by {{ attributes | join(', ') }}) as integer) as combination
    from (select distinct {{ attributes | join(', ') }} from people) as found

),

-- With each first day the periods it lies in and the first days after those that are shown, once per customer.
numbered as (

    select
        people.customer_id, people.customer_number, combinations.combination,
        {%- for _, first_on in ways %}
        people.{{ first_on }},
        {%- for grain in ['week', 'month', 'year'] %}
        {{ retention_period(grain, 'people.' ~ first_on) }} as {{ first_on }}_{{ grain }},
        {%- endfor %}
        {{ core_add_days('people.' ~ first_on, limits['day'] + 1) }} as {{ first_on }}_days_until,
        {{ core_add_days(core_week('people.' ~ first_on), 7 * (limits['week'] + 1)) }} as {{ first_on }}_weeks_until
        {{- ',' if not loop.last }}
        {%- endfor %}
    from people
    inner join combinations
        on {% for cut in attributes %}{{ 'and ' if not loop.first }}people.{{ cut }} = combinations.{{ cut }} {% endfor %}

),

-- Days that some way to come shows by day or by week: the others are asked for their months only.
near as (

    select
        active_days.customer_number, active_days.active_on, active_days.has_ordered, active_days.has_visited,
        active_days.gross, active_days.net,
        {%- for _, first_on in ways %}
        numbered.{{ first_on }}, numbered.{{ first_on }}_days_until, numbered.{{ first_on }}_weeks_until,
        {%- endfor %}
        {{ core_week('active_days.active_on') }} as week_on
    from {{ ref('int_active_days') }} as active_days
    inner join numbered on active_days.customer_number = numbered.customer_number
    where
        {%- for _, first_on in ways %}
        {{ 'or ' if not loop.first }}(
            active_days.active_on >= numbered.{{ first_on }}
            and (
                active_days.active_on < numbered.{{ first_on }}_weeks_until
                or active_days.active_on < numbered.{{ first_on }}_days_until
            )
        )
        {%- endfor %}

),

-- Days become weeks, months and years, each once for all ways to come: what follows goes over a fraction of the rows.
weeks as (

    select
        customer_number, week_on,
        max(has_ordered) as has_ordered, max(has_visited) as has_visited, max(active_on) as last_on,
        sum(gross) as gross, sum(net) as net
    from near
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
    from {{ ref('int_active_days') }}
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
        numbered.*,
        lived.last_order_on,
        lived.last_session_on,
        -- A sign-up is no return by itself: what counts is an order or a session on that day or later.
        case when lived.last_on >= numbered.signed_up_on then lived.last_on end as last_after_sign_up,
        greatest(coalesce(first_days.net, 0), 0) as first_day,
        greatest(coalesce(weeks.net, 0), 0) as first_week,
        greatest(coalesce(months.net, 0), 0) as first_month,
        greatest(coalesce(years.net, 0), 0) as first_year
    from numbered
    left join lived on numbered.customer_number = lived.customer_number
    left join near as first_days
        on numbered.customer_number = first_days.customer_number and numbered.first_order_on = first_days.active_on
    {%- for grain in ['week', 'month', 'year'] %}
    left join {{ grain }}s
        on numbered.customer_number = {{ grain }}s.customer_number
        and numbered.first_order_on_{{ grain }} = {{ grain }}s.{{ grain }}_on
    {%- endfor %}
    where numbered.customer_number is not null

),

-- What each row of a period is counted by, joined once for all ways to come; of days only what the first one brought.
lived_days as (

    select
        near.active_on, near.has_ordered, near.first_order_on, near.first_order_on_days_until, near.gross, near.net,
        least(greatest(near.net, 0), lives.first_day) as net_kept
    from near
    inner join lives on near.customer_number = lives.customer_number
    where near.has_ordered and near.active_on < near.first_order_on_days_until

),

{% for grain in ['week', 'month', 'year'] -%}
lived_{{ grain }}s as (

    select
        seen.*,
        lives.combination,
        {%- for _, first_on in ways %}
        lives.{{ first_on }}_{{ grain }},
        {%- endfor %}
        {%- for _, first_on in ways if grain == 'week' %}
        lives.{{ first_on }}_weeks_until,
        {%- endfor %}
        lives.signed_up_on,
        least(greatest(seen.net, 0), lives.first_{{ grain }}) as net_kept
    from {{ grain }}s as seen
    inner join lives on seen.customer_number = lives.customer_number

),

{% endfor -%}
payers as (

    select
        paid_months.customer_id, numbered.combination, paid_months.cohort,
        max(paid_months.period_number) as last_number,
        greatest(coalesce(sum(case when period_number = 0 then recurring end), 0), 0) as first_month
    from paid_months
    inner join numbered on paid_months.customer_id = numbered.customer_id
    group by paid_months.customer_id, numbered.combination, paid_months.cohort

),

-- Customers by cohort and the last period in which they were active, NULL for never; without segments by day and week.
lasting as (

    {{ retention_lasting(ways, definitions) }}
    union all
    select {{ definitions | length - 1 }}, cohort, last_number, combination, count(*)
    from payers
    group by cohort, last_number, combination

),

-- Customers with activity by cohort and period, as far as periods are shown; only orders bring money.
returning_customers as (

    {{ retention_returning(ways, definitions) }}
    union all
    select
        {{ definitions | length - 1 }}, paid_months.cohort, paid_months.period_number, payers.combination, count(*),
        sum(recurring), sum(recurring), sum(least(greatest(recurring, 0), payers.first_month))
    from paid_months
    inner join payers on paid_months.customer_id = payers.customer_id and paid_months.cohort = payers.cohort
    group by paid_months.cohort, paid_months.period_number, payers.combination

),

-- Each combination is in one segment of each kind; 0 is everybody of the definitions that are not split.
memberships as (

    select combination, 'overall' as segment_type, 'all' as segment from combinations
    union all
    select 0, 'overall', 'all'
    {%- for attribute in attributes %}
    union all
    select combination, '{{ attribute }}', {{ attribute }} from combinations
    {%- endfor %}

),

segments as (

    select segment_type, segment, cast(row_number() over (order by segment_type, segment) as integer) as segment_number
    from (select distinct segment_type, segment from memberships) as found

),

counted as (

    select
        segments.segment_number, periods.definition_number, periods.cohort, periods.period_number,
        sum(periods.left_after) as left_after,
        sum(periods.returned) as returned,
        sum(periods.gross) as gross,
        sum(periods.net) as net,
        sum(periods.net_kept) as net_kept
    from (
        select
            definition_number, cohort, last_period_number as period_number, combination, customers as left_after,
            cast(null as bigint) as returned, cast(null as {{ money }}) as gross, cast(null as {{ money }}) as net,
            cast(null as {{ money }}) as net_kept
        from lasting
        union all
        select definition_number, cohort, period_number, combination, null, returned, gross, net, net_kept
        from returning_customers
    ) as periods
    inner join memberships on periods.combination = memberships.combination
    inner join segments
        on memberships.segment_type = segments.segment_type and memberships.segment = segments.segment
    group by segments.segment_number, periods.definition_number, periods.cohort, periods.period_number

),

cohorts as (

    select
        cast(row_number() over (order by definition_number, segment_number, cohort) as integer) as cohort_number,
        sized.*,
        -- Periods from the cohort's own to that of as_of, or as many as are wanted.
        case definition_number
            {%- for cohort_by, grain in definitions %}
            when {{ loop.index0 }} then
                {{ 'least(' ~ limits[grain] ~ ', ' if grain in limits }}
                {{- retention_periods_between(grain, 'cohort', core_as_of()) }}
                {{- ')' if grain in limits }}
            {%- endfor %}
        end as last_number
    from (
        select
            segment_number, definition_number, cohort,
            cast(sum(left_after) as bigint) as cohort_size,
            coalesce(sum(case when period_number is not null then left_after end), 0) as ever_active
        from counted
        group by segment_number, definition_number, cohort
    ) as sized

),

grid as (

    select cohorts.*, {{ numbers_to('last_number + 1') }} as period_number
    from cohorts

),

joined as (

    select
        grid.cohort_number, grid.segment_number, grid.definition_number, grid.cohort, grid.period_number,
        grid.cohort_size, grid.ever_active,
        cast(coalesce(counted.returned, 0) as bigint) as returned,
        coalesce(counted.left_after, 0) as left_after,
        coalesce(counted.gross, 0) as gross,
        coalesce(counted.net, 0) as net,
        coalesce(counted.net_kept, 0) as net_kept
    from grid
    left join counted
        on grid.segment_number = counted.segment_number
        and grid.definition_number = counted.definition_number
        and grid.cohort = counted.cohort
        and grid.period_number = counted.period_number

),

followed as (

    select
        joined.*,
        -- Whoever was last active in this period or a later one came back in or after it: all but those who left before.
        ever_active - coalesce(
            sum(left_after) over ({{ per_cohort }} rows between unbounded preceding and 1 preceding), 0
        ) as returned_unbounded,
        returned - lag(returned) over ({{ per_cohort }}) as returned_change,
        first_value(gross) over ({{ per_cohort }}) as first_gross,
        first_value(net) over ({{ per_cohort }}) as first_net
    from joined

),

definitions as (

    {% for cohort_by, grain in definitions -%}
    {{ 'union all ' if not loop.first }}select
        {{ loop.index0 }} as definition_number, '{{ cohort_by }}' as cohort_by, '{{ grain }}' as grain,
        {{ cohort_by in ['first_order', 'first_subscription'] }} as has_money
    {% endfor %}
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
        cast(returned_unbounded as bigint) as returned_unbounded,
        cast(returned_change as bigint) as returned_change,
        {%- for amount in ['gross', 'net', 'net_kept', 'first_gross', 'first_net'] %}
        cast(case when has_money then {{ amount }} end as {{ money }}) as {{ amount }}{{ ',' if not loop.last }}
        {%- endfor %}
    from followed
    inner join definitions on followed.definition_number = definitions.definition_number
    inner join segments on followed.segment_number = segments.segment_number

)

select
    final.*,
    -- The day before the next period begins.
    {{ core_add_days(retention_add_periods('grain', 'cohort', 'period_number + 1'), '-1') }} <= {{ core_as_of() }}
        as is_complete
from final
