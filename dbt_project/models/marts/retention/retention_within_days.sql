with

activity as (

    select * from {{ ref('int_retention_activity') }}

),

-- Days from the first one to the next day of activity; whoever signs up can come back on the same day.
gaps as (

    select
        cohort_by,
        customer_id,
        first_on,
        min(
            case
                when active_on > first_on or cohort_by = 'sign_up' then {{ days_between('first_on', 'active_on') }}
            end
        ) as days_to_return
    from activity
    group by cohort_by, customer_id, first_on

),

-- Counted before windows and segments multiply the rows.
counted as (

    select
        gaps.cohort_by,
        {{ core_month('gaps.first_on') }} as cohort_month,
        customers.region,
        gaps.days_to_return,
        count(*) as people
    from gaps
    left join {{ ref('dim_customers') }} as customers on gaps.customer_id = customers.customer_id
    group by gaps.cohort_by, {{ core_month('gaps.first_on') }}, customers.region, gaps.days_to_return

),

segmented as (

    select 'overall' as segment_type, 'all' as segment, counted.* from counted
    union all
    select 'region', region, counted.* from counted where region is not null

),

windows as (

    {% for days in var('retention_windows') -%}
    {{ 'union all ' if not loop.first }}select cast({{ days }} as bigint) as window_days
    {% endfor %}
),

summed as (

    select
        segmented.cohort_by,
        segmented.segment_type,
        segmented.segment,
        segmented.cohort_month,
        windows.window_days,
        sum(segmented.people) as people,
        sum(case when segmented.days_to_return <= windows.window_days then segmented.people else 0 end) as returned
    from segmented
    cross join windows
    group by
        segmented.cohort_by,
        segmented.segment_type,
        segmented.segment,
        segmented.cohort_month,
        windows.window_days

),

final as (

    select
        cast(cohort_by as varchar) as cohort_by,
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        cohort_month,
        window_days,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(people as bigint) as cohort_size,
        cast(returned as bigint) as returned,
        cast(people - returned as bigint) as lost,
        {{ core_ratio('returned', 'people') }} as rate,
        -- Everybody of the month has had all the days.
        {{ core_add_days(dbt.last_day('cohort_month', 'month'), 'window_days') }} <= {{ core_as_of() }} as is_complete
    from summed

)

select * from final
