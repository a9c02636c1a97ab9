with

people as (

    select people.*, customers.region
    from {{ ref('int_retention_people') }} as people
    left join {{ ref('dim_customers') }} as customers on people.customer_id = customers.customer_id

),

-- The next day of activity after the first one; whoever signs up can come back on the same day.
next_days as (

    select
        days.customer_number,
        min(
            case when days.has_ordered and days.active_on > people.first_order_on then days.active_on end
        ) as next_order_on,
        min(
            case when days.has_visited and days.active_on > people.first_session_on then days.active_on end
        ) as next_session_on,
        min(case when days.active_on >= people.signed_up_on then days.active_on end) as next_active_on
    from {{ ref('int_active_days') }} as days
    inner join people on days.customer_number = people.customer_number
    group by days.customer_number

),

gaps as (

    {% for cohort_by, first_on, next_on in [
        ('first_order', 'first_order_on', 'next_order_on'),
        ('first_session', 'first_session_on', 'next_session_on'),
        ('sign_up', 'signed_up_on', 'next_active_on'),
    ] -%}
    {{ 'union all ' if not loop.first }}select
        '{{ cohort_by }}' as cohort_by,
        {{ core_month('people.' ~ first_on) }} as cohort_month,
        people.region,
        {{ days_between('people.' ~ first_on, 'next_days.' ~ next_on) }} as days_to_return
    from people
    left join next_days on people.customer_number = next_days.customer_number
    where people.{{ first_on }} is not null
    {% endfor -%}

),

-- Counted before windows and segments multiply the rows.
counted as (

    select cohort_by, cohort_month, region, days_to_return, count(*) as people
    from gaps
    group by cohort_by, cohort_month, region, days_to_return

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
