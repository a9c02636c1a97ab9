{%- set causes = kpi_causes() -%}
{%- set identity_step = causes.index('identity') + 1 -%}
{%- set segment_step = causes.index('segment') + 1 -%}
with

changes as (

    select * from {{ ref('int_kpi_changes') }}

),

steps as (

    {{ kpi_steps() }}

),

ground as (

    select
        case when as_of < {{ core_as_of() }} then as_of else {{ core_as_of() }} end as until_day,
        case
            when as_of > {{ core_as_of() }} then {{ kpi_first_day('as_of') }} else {{ kpi_first_day(core_as_of()) }}
        end as from_day
    from {{ source('state', 'published_build') }}

),

old_regions as (

    select old_customer_id as customer_id, min(old_region) as region
    from changes
    where old_customer_id is not null
    group by old_customer_id

),

-- Customers that got a record of somebody else, or gave one away: all of theirs moves at once.
merged as (

    select distinct new_customer_id as customer_id
    from changes
    where in_old and in_new and old_customer_id is distinct from new_customer_id and new_customer_id is not null

),

placed as (

    select
        changes.*,
        coalesce(cause_steps.step, 99) as at_step,
        case when changes.in_old then changes.old_region else coalesce(old_regions.region, changes.new_region) end
        as region_before,
        merged.customer_id is not null as is_merged
    from changes
    left join steps as cause_steps on changes.cause = cause_steps.cause
    left join old_regions on changes.new_customer_id = old_regions.customer_id
    left join merged on changes.new_customer_id = merged.customer_id

),

-- Every record as it stands after each step; a record that has not come yet, or is gone, is left out.
worlds as (

    select
        steps.step,
        placed.record_type,
        placed.record_key,
        case
            when not placed.in_old then placed.new_customer_id
            when steps.step < {{ identity_step }} then placed.old_customer_id
            when placed.in_new then placed.new_customer_id
            else coalesce(placed.moved_to, placed.old_customer_id)
        end as customer_id,
        case
            when not placed.in_new then placed.old_region
            when steps.step >= {{ segment_step }} then placed.new_region
            when steps.step >= {{ identity_step }} and placed.is_merged then placed.new_region
            else placed.region_before
        end as region,
        {%- for column in kpi_record_content() %}
        case
            when placed.in_new and (not placed.in_old or placed.cause is null or steps.step >= placed.at_step)
            then placed.new_{{ column }}
            else placed.old_{{ column }}
        end as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from placed
    cross join steps
    where case
        when placed.in_old and placed.in_new then true
        when placed.cause = 'kept' then true
        when placed.in_new then steps.step >= placed.at_step
        else steps.step < placed.at_step
    end

),

order_days as (

    select
        step, customer_id as buyer, region, day as ordered_on, count(*) as orders, sum(amount) as gross_reporting
    from worlds
    where record_type = 'order' and counts
    group by step, customer_id, region, day

),

refunds as (

    select step, region, day as refunded_on, amount as amount_reporting
    from worlds
    where record_type = 'refund' and counts

),

sessions as (

    select step, region, day as started_on, 1 as sessions from worlds where record_type = 'session'

),

interactions as (

    select
        step,
        region,
        day as opened_on,
        until_on as resolved_on,
        is_open,
        is_sla_met,
        kind as channel,
        is_abandoned,
        amount as csat_score,
        minutes,
        minutes as first_response_minutes,
        resolution_minutes,
        is_reopened,
        is_unanswered,
        is_fcr,
        is_fcr_proxy,
        handle_seconds,
        acw_seconds
    from worlds
    where record_type = 'interaction'

),

responses as (

    select
        step,
        record_key as response_id,
        customer_id,
        region,
        kind,
        sub_kind as survey_kind,
        cast(amount as bigint) as score,
        moment as submitted_at,
        day as submitted_on
    from worlds
    where record_type = 'response' and counts

),

order_rows as (

    {{ kpi_order_rows('order_days', 'refunds', ['step']) }}

),

session_rows as (

    {{ kpi_session_rows('sessions', ['step']) }}

),

support_rows as (

    {{ kpi_support_rows('interactions', ['step']) }}

),

survey_rows as (

    {{ kpi_survey_rows('responses', ['step']) }}

),

all_rows as (

    select * from order_rows
    union all
    select * from session_rows
    union all
    select * from support_rows
    union all
    select * from survey_rows

),

-- What a world has beyond the last one, the present: most of it is the same and cancels.
apart as (

    select kpi, is_flow, region, day, step, sum(numerator) as numerator, sum(denominator) as denominator
    from (
        select kpi, is_flow, region, day, step, numerator, denominator from all_rows
        union all
        select all_rows.kpi, is_flow, region, day, steps.step, -numerator, -denominator
        from all_rows
        cross join steps
        where all_rows.step = {{ causes | length }}
    ) as both_signs
    group by kpi, is_flow, region, day, step
    having sum(numerator) <> 0 or sum(denominator) <> 0

),

segmented as (

    select kpi, is_flow, 'region' as segment_type, region as segment, day, step, numerator, denominator from apart
    union all
    select kpi, is_flow, 'overall', 'all', day, step, sum(numerator), sum(denominator)
    from apart
    group by kpi, is_flow, day, step

),

series as (

    select distinct kpi, segment_type, segment, step from segmented where is_flow = 0

),

-- A state holds on every day from its change on.
states as (

    select
        series.kpi,
        series.segment_type,
        series.segment,
        dates.date_on as day,
        series.step,
        sum(segmented.numerator) as numerator,
        sum(segmented.denominator) as denominator
    from series
    cross join ground
    inner join {{ ref('dim_dates') }} as dates on dates.date_on between ground.from_day and ground.until_day
    inner join segmented
        on series.kpi = segmented.kpi
        and series.segment_type = segmented.segment_type
        and series.segment = segmented.segment
        and series.step = segmented.step
        and segmented.day <= dates.date_on
    where segmented.is_flow = 0
    group by series.kpi, series.segment_type, series.segment, dates.date_on, series.step

),

flows as (

    select segmented.kpi, segment_type, segment, day, step, numerator, denominator
    from segmented
    cross join ground
    where is_flow = 1 and day between ground.from_day and ground.until_day

),

minutes as (

    select step, 'overall' as segment_type, 'all' as segment, opened_on as day, minutes
    from interactions
    where minutes is not null
    union all
    select step, 'region', region, opened_on, minutes from interactions where minutes is not null

),

medians as (

    select segment_type, segment, day, step, {{ core_median('minutes') }} as median_value, count(*) as denominator
    from minutes
    cross join ground
    where day between ground.from_day and ground.until_day
    group by segment_type, segment, day, step

),

final as (

    select
        cast(kpi as varchar) as kpi,
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        day,
        cast(step as integer) as step,
        cast(numerator as decimal(20, 2)) as numerator_gap,
        cast(denominator as decimal(20, 2)) as denominator_gap,
        cast(null as decimal(18, 2)) as median_value
    from (select * from states union all select * from flows) as gaps
    where numerator <> 0 or denominator <> 0
    union all
    select
        cast('first_response_median_minutes' as varchar),
        cast(segment_type as varchar),
        cast(segment as varchar),
        day,
        cast(step as integer),
        cast(null as decimal(20, 2)),
        cast(denominator as decimal(20, 2)),
        median_value
    from medians

)

select * from final
