{%- set first_day = core_add_days(core_as_of(), 1 - var('kpi_days', 182)) -%}
with

definitions as (

    select * from {{ ref('kpi_definitions') }}

),

dates as (

    select date_on as day
    from {{ ref('dim_dates') }}
    where date_on >= {{ first_day }}

),

-- Each area says in core what its facts add to a KPI; a new area is one more line here.
segmented as (

    select * from {{ ref('int_kpi_orders') }}
    union all
    select * from {{ ref('int_kpi_sessions') }}
    union all
    select * from {{ ref('int_kpi_support') }}
    union all
    select * from {{ ref('int_kpi_surveys') }}

),

medians as (

    select * from {{ ref('int_kpi_medians') }}

),

-- A KPI appears on the first day that any of its data is of: before it there is nothing to be zero.
series as (

    select kpi, segment_type, segment, max(is_flow) as is_flow
    from segmented
    group by kpi, segment_type, segment

),

first_days as (

    select kpi, min(day) as first_on
    from segmented
    group by kpi

),

grid as (

    select series.kpi, series.segment_type, series.segment, series.is_flow, dates.day
    from series
    inner join first_days on series.kpi = first_days.kpi
    inner join dates on first_days.first_on <= dates.day

),

-- Changes before the window stand on its first day, so that the running sum starts where history left it.
sums as (

    select
        kpi,
        segment_type,
        segment,
        case when is_flow = 0 and day < {{ first_day }} then {{ first_day }} else day end as day,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from segmented
    group by
        kpi, segment_type, segment, case when is_flow = 0 and day < {{ first_day }} then {{ first_day }} else day end

),

filled as (

    select
        grid.kpi,
        grid.segment_type,
        grid.segment,
        grid.day,
        case
            when grid.is_flow = 1 then coalesce(sums.numerator, 0)
            else
                sum(coalesce(sums.numerator, 0)) over (
                    partition by grid.kpi, grid.segment_type, grid.segment
                    order by grid.day
                    rows between unbounded preceding and current row
                )
        end as numerator,
        case
            when grid.is_flow = 1 then coalesce(sums.denominator, 0)
            else
                sum(coalesce(sums.denominator, 0)) over (
                    partition by grid.kpi, grid.segment_type, grid.segment
                    order by grid.day
                    rows between unbounded preceding and current row
                )
        end as denominator
    from grid
    left join sums
        on grid.kpi = sums.kpi
        and grid.segment_type = sums.segment_type
        and grid.segment = sums.segment
        and grid.day = sums.day

),

churn_days as (

    select * from {{ ref('churn_risk_daily') }}
    where segment_type in ('overall', 'region') and day >= {{ first_day }}

),

measured as (

    select
        kpi,
        segment_type,
        segment,
        day,
        cast(numerator as decimal(20, 2)) as numerator,
        cast(denominator as decimal(20, 2)) as denominator,
        cast(null as decimal(20, 2)) as median_value
    from filled
    union all
    select kpi, segment_type, segment, day, null, denominator, median_value
    from medians
    where day >= {{ first_day }}
    union all
    select 'high_risk_share', segment_type, segment, day, at_risk, scored, null from churn_days
    union all
    select 'value_at_risk', segment_type, segment, day, value_at_risk, 0, null from churn_days

),

reaches as (

    select * from {{ ref('int_kpi_reach') }}

),

final as (

    select
        definitions.kpi,
        cast(measured.segment_type as varchar) as segment_type,
        cast(measured.segment as varchar) as segment,
        measured.day,
        case definitions.aggregation
            when 'sum' then cast(measured.numerator as double)
            when 'ratio' then {{ core_ratio('measured.numerator', 'measured.denominator') }}
            when 'nps' then {{ core_ratio('100 * measured.numerator', 'measured.denominator') }}
            when 'median' then cast(measured.median_value as double)
        end as value,
        cast(measured.numerator as decimal(20, 2)) as numerator,
        cast(case when definitions.aggregation <> 'sum' then measured.denominator end as decimal(20, 2)) as denominator,
        definitions.unit,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(case when definitions.unit = 'money' then '{{ var("currency") }}' end as varchar) as currency,
        -- A day is whole when every source of the family has files that reach to it, give or take one quiet day.
        measured.day <= {{ core_add_days('coalesce(reaches.complete_until, ' ~ core_as_of() ~ ')', 1) }} as is_complete
    from measured
    inner join definitions on measured.kpi = definitions.kpi
    left join reaches on definitions.family = reaches.family

)

select * from final
