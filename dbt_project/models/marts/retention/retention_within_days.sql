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

segmented as (

    select 'overall' as segment_type, 'all' as segment, gaps.* from gaps
    union all
    select 'region', customers.region, gaps.*
    from gaps
    inner join {{ ref('dim_customers') }} as customers on gaps.customer_id = customers.customer_id

),

windows as (

    {% for days in var('retention_windows') -%}
    {{ 'union all ' if not loop.first }}select cast({{ days }} as bigint) as window_days
    {% endfor %}
),

final as (

    select
        cast(segmented.cohort_by as varchar) as cohort_by,
        cast(segmented.segment_type as varchar) as segment_type,
        cast(segmented.segment as varchar) as segment,
        {{ core_month('segmented.first_on') }} as cohort_month,
        windows.window_days,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        count(*) as cohort_size,
        cast(sum(case when segmented.days_to_return <= windows.window_days then 1 else 0 end) as bigint) as returned,
        cast(
            count(*) - sum(case when segmented.days_to_return <= windows.window_days then 1 else 0 end) as bigint
        ) as lost,
        {{ core_ratio(
            'sum(case when segmented.days_to_return <= windows.window_days then 1 else 0 end)', 'count(*)'
        ) }} as rate,
        -- Everybody of the month has had all the days.
        {{ core_add_days(dbt.last_day(core_month('segmented.first_on'), 'month'), 'windows.window_days') }}
            <= {{ core_as_of() }} as is_complete
    from segmented
    cross join windows
    group by
        segmented.cohort_by,
        segmented.segment_type,
        segmented.segment,
        {{ core_month('segmented.first_on') }},
        windows.window_days

)

select * from final
