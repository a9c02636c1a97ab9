{#- Days that a forecast learns from. -#}
{%- set learn_days = 56 -%}
with

targets as (

    select * from {{ ref('int_kpi_targets') }}

),

areas as (

    select * from {{ ref('int_kpi_orders') }}
    union all
    select * from {{ ref('int_kpi_sessions') }}
    union all
    select * from {{ ref('int_kpi_support') }}
    union all
    select * from {{ ref('int_kpi_surveys') }}

),

-- A day adds to a KPI of flow; a KPI of state stands at the end of it.
wanted as (

    select areas.kpi, areas.segment_type, areas.segment, areas.is_flow, min(areas.day) as first_on
    from areas
    inner join (select distinct kpi, segment_type, segment from targets) as targets
        on areas.kpi = targets.kpi
        and areas.segment_type = targets.segment_type
        and areas.segment = targets.segment
    group by areas.kpi, areas.segment_type, areas.segment, areas.is_flow

),

days as (

    select date_on as day, iso_weekday
    from {{ ref('dim_dates') }}
    where date_on > {{ core_add_days(core_as_of(), -learn_days) }}

),

added as (

    select areas.kpi, areas.segment_type, areas.segment, areas.day, areas.numerator, areas.denominator
    from areas
    inner join wanted
        on areas.kpi = wanted.kpi and areas.segment_type = wanted.segment_type and areas.segment = wanted.segment

),

-- The parts of each of the last days: what was added on it, or what stood at its end.
daily as (

    select
        wanted.kpi,
        wanted.segment_type,
        wanted.segment,
        wanted.is_flow,
        days.day,
        days.iso_weekday,
        cast(coalesce(sum(added.numerator), 0) as decimal(18, 2)) as numerator,
        cast(coalesce(sum(added.denominator), 0) as decimal(18, 2)) as denominator
    from wanted
    inner join days on wanted.first_on <= days.day
    left join added
        on wanted.kpi = added.kpi
        and wanted.segment_type = added.segment_type
        and wanted.segment = added.segment
        and case when wanted.is_flow = 1 then added.day = days.day else added.day <= days.day end
    group by wanted.kpi, wanted.segment_type, wanted.segment, wanted.is_flow, days.day, days.iso_weekday

),

stepped as (

    select
        daily.*,
        lag(numerator) over (partition by kpi, segment_type, segment order by day) as numerator_before,
        lag(denominator) over (partition by kpi, segment_type, segment order by day) as denominator_before
    from daily

),

valued as (

    select
        stepped.*,
        case
            when is_flow = 1 then null
            when denominator <> 0 then round(cast(numerator as double) / cast(denominator as double), 6)
            else cast(numerator as double)
        end as level,
        case
            when is_flow = 1 then null
            when denominator_before <> 0
            then round(cast(numerator_before as double) / cast(denominator_before as double), 6)
            else cast(numerator_before as double)
        end as level_before
    from stepped

),

final as (

    select
        cast(kpi as varchar) as kpi,
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        cast(is_flow as integer) as is_flow,
        cast(iso_weekday as integer) as iso_weekday,
        count(*) as days,
        cast(sum(numerator) as decimal(38, 2)) as numerator_sum,
        cast(sum(denominator) as decimal(38, 2)) as denominator_sum,
        cast(sum({{ core_product('numerator', 'numerator') }}) as decimal(38, 4)) as numerator_squares,
        cast(sum({{ core_product('numerator', 'denominator') }}) as decimal(38, 4)) as products,
        cast(sum({{ core_product('denominator', 'denominator') }}) as decimal(38, 4)) as denominator_squares,
        cast(sum(cast(round((level - level_before) * (level - level_before), 6) as decimal(38, 6))) as decimal(38, 6))
        as step_squares
    from valued
    group by kpi, segment_type, segment, is_flow, iso_weekday

)

select * from final
