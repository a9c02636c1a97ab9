with

targets as (

    select
        targets.*,
        definitions.aggregation,
        definitions.unit,
        coalesce(targets.direction, definitions.better) as wanted_direction,
        case when targets.period_end < {{ core_as_of() }} then targets.period_end else {{ core_as_of() }} end as until_day,
        -- Days of the period that are still to come.
        case
            when targets.period_end <= {{ core_as_of() }} then cast(0 as bigint)
            when targets.period_start > {{ core_as_of() }}
            then {{ days_between('targets.period_start', 'targets.period_end') }} + 1
            else {{ days_between(core_as_of(), 'targets.period_end') }}
        end as days_to_come,
        case
            when targets.period_start > {{ core_as_of() }} then targets.period_start
            else {{ core_add_days(core_as_of(), 1) }}
        end as next_day
    from {{ ref('int_kpi_targets') }} as targets
    inner join {{ ref('kpi_definitions') }} as definitions on targets.kpi = definitions.kpi

),

areas as (

    select * from {{ ref('int_kpi_orders') }}
    union all
    select * from {{ ref('int_kpi_sessions') }}
    union all
    select * from {{ ref('int_kpi_support') }}
    union all
    select * from {{ ref('int_kpi_surveys') }}
    union all
    select 'high_risk_share', 0, segment_type, segment, day, at_risk, scored from {{ ref('churn_risk_daily') }}
    union all
    select 'value_at_risk', 0, segment_type, segment, day, value_at_risk, 0 from {{ ref('churn_risk_daily') }}

),

-- Flows add up over the period; a state is that of its last day. Churn risk is judged day by day and never added up.
reached as (

    select
        targets.kpi,
        targets.segment_type,
        targets.segment,
        targets.period,
        max(areas.is_flow) as is_flow,
        sum(
            case
                when areas.is_flow = 1 and areas.day < targets.period_start then 0
                when areas.day > targets.until_day then 0
                when areas.kpi in ('high_risk_share', 'value_at_risk') and areas.day <> targets.until_day then 0
                else areas.numerator
            end
        ) as numerator,
        sum(
            case
                when areas.is_flow = 1 and areas.day < targets.period_start then 0
                when areas.day > targets.until_day then 0
                when areas.kpi in ('high_risk_share', 'value_at_risk') and areas.day <> targets.until_day then 0
                else areas.denominator
            end
        ) as denominator
    from targets
    inner join areas
        on targets.kpi = areas.kpi and targets.segment_type = areas.segment_type and targets.segment = areas.segment
    group by targets.kpi, targets.segment_type, targets.segment, targets.period

),

-- Churn risk is a state too; it is judged after core, so its steps from day to day are counted here.
risk_days as (

    select
        areas.kpi,
        areas.segment_type,
        areas.segment,
        areas.day,
        case
            when areas.denominator <> 0 then {{ core_ratio('areas.numerator', 'areas.denominator') }}
            else cast(areas.numerator as double)
        end as level
    from areas
    where areas.kpi in ('high_risk_share', 'value_at_risk') and areas.day > {{ core_add_days(core_as_of(), -56) }}

),

risk_steps as (

    select
        risk_days.*,
        level - lag(level) over (partition by kpi, segment_type, segment order by day) as step
    from risk_days

),

pace as (

    select
        kpi, segment_type, segment, iso_weekday, days, numerator_sum, denominator_sum, numerator_squares, products,
        denominator_squares, step_squares
    from {{ ref('int_kpi_pace') }}
    union all
    select
        kpi, segment_type, segment, 1, count(*), 0, 0, 0, 0, 0,
        cast(sum(cast(round(step * step, 6) as decimal(38, 6))) as decimal(38, 6))
    from risk_steps
    group by kpi, segment_type, segment

),

-- By weekday: how many of its days are to come, and what such a day brings.
paced as (

    select
        targets.kpi,
        targets.segment_type,
        targets.segment,
        targets.period,
        pace.iso_weekday,
        pace.days,
        pace.numerator_sum,
        pace.denominator_sum,
        pace.numerator_squares,
        pace.products,
        pace.denominator_squares,
        pace.step_squares
    from targets
    inner join pace
        on targets.kpi = pace.kpi
        and targets.segment_type = pace.segment_type
        and targets.segment = pace.segment

),

weekdays as (

    select
        paced.*,
        floor(targets.days_to_come / 7.0)
        + case
            when mod(
                iso_weekday - 1 - {{ days_between(core_week('targets.next_day'), 'targets.next_day') }} + 7, 7
            ) < mod(targets.days_to_come, 7)
            then 1
            else 0
        end as to_come
    from paced
    inner join targets
        on paced.kpi = targets.kpi
        and paced.segment_type = targets.segment_type
        and paced.segment = targets.segment
        and paced.period = targets.period

),

-- Sums of rounded terms, so that no order of rows can move the last digit.
expected as (

    select
        kpi,
        segment_type,
        segment,
        period,
        sum(days) as days,
        sum(numerator_sum) as numerator_sum,
        sum(denominator_sum) as denominator_sum,
        sum(numerator_squares) as numerator_squares,
        sum(products) as products,
        sum(denominator_squares) as denominator_squares,
        sum(step_squares) as step_squares,
        sum(cast(round(to_come * cast(numerator_sum as double) / days, 6) as decimal(38, 6))) as numerator_to_come,
        sum(cast(round(to_come * cast(denominator_sum as double) / days, 6) as decimal(38, 6))) as denominator_to_come,
        sum(
            cast(
                round(
                    cast(numerator_squares as double)
                    - cast(numerator_sum as double) * cast(numerator_sum as double) / days,
                    4
                ) as decimal(38, 4)
            )
        ) as within_squares,
        sum(cast(round(to_come * to_come / cast(days as double), 6) as decimal(38, 6))) as mean_error
    from weekdays
    group by kpi, segment_type, segment, period

),

measured as (

    select
        targets.*,
        reached.is_flow,
        {{ kpi_value('targets.aggregation', 'reached.numerator', 'reached.denominator', 'cast(null as double)') }} as actual,
        cast(reached.numerator as double) as numerator,
        cast(reached.denominator as double) as denominator,
        expected.days as learnt_days,
        cast(expected.numerator_to_come as double) as numerator_to_come,
        cast(expected.denominator_to_come as double) as denominator_to_come,
        cast(expected.within_squares as double) / nullif(expected.days - 7, 0) as day_variance,
        cast(expected.mean_error as double) as mean_error,
        cast(expected.numerator_sum as double) / nullif(cast(expected.denominator_sum as double), 0) as rate,
        cast(expected.numerator_squares as double) as nn,
        cast(expected.products as double) as nd,
        cast(expected.denominator_squares as double) as dd,
        cast(expected.step_squares as double) / nullif(expected.days - 1, 0) as step_variance
    from targets
    left join reached
        on targets.kpi = reached.kpi
        and targets.segment_type = reached.segment_type
        and targets.segment = reached.segment
        and targets.period = reached.period
    left join expected
        on targets.kpi = expected.kpi
        and targets.segment_type = expected.segment_type
        and targets.segment = expected.segment
        and targets.period = expected.period

),

-- A sum goes on as its weekdays did, a ratio at its rate, a state stays where it is; errors as docs/kpis.md says.
foreseen as (

    select
        measured.*,
        case
            when days_to_come = 0 then cast(actual as double)
            when learnt_days < 28 or learnt_days is null then null
            when is_flow = 1 and aggregation = 'sum' then numerator + numerator_to_come
            when is_flow = 1 and denominator + denominator_to_come > 0 and rate is not null
            then (numerator + rate * denominator_to_come) / (denominator + denominator_to_come)
            when is_flow = 0 then cast(actual as double)
        end as forecast,
        case
            when days_to_come = 0 then 0
            when learnt_days < 28 or learnt_days is null then null
            when is_flow = 1 and aggregation = 'sum' then sqrt(greatest(day_variance, 0) * (days_to_come + mean_error))
            when is_flow = 1 and denominator + denominator_to_come > 0 and rate is not null
            then
                sqrt(greatest(nn - 2 * rate * nd + rate * rate * dd, 0) / (learnt_days - 1) * days_to_come)
                / (denominator + denominator_to_come)
            when is_flow = 0
            then case when aggregation = 'nps' then 100 else 1 end * sqrt(greatest(step_variance, 0) * days_to_come)
        end as forecast_error
    from measured

),

bounded as (

    select
        foreseen.*,
        case unit when 'nps' then -100 when 'score' then 1 when 'money' then null else 0 end as lowest,
        case unit when 'share' then 1 when 'nps' then 100 when 'score' then 5 end as highest
    from foreseen

),

ranged as (

    select
        bounded.*,
        case
            when forecast is not null
            then greatest(forecast - 1.959964 * forecast_error, coalesce(lowest, forecast - 1.959964 * forecast_error))
        end as low,
        case
            when forecast is not null
            then least(forecast + 1.959964 * forecast_error, coalesce(highest, forecast + 1.959964 * forecast_error))
        end as high,
        {{ kpi_attainment('cast(actual as double)') }} as attainment,
        {{ kpi_attainment('forecast') }} as forecast_attainment
    from bounded

),

final as (

    select
        kpi,
        segment_type,
        segment,
        period,
        period_type,
        period_start,
        period_end,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(case when unit = 'money' then '{{ var("currency") }}' end as varchar) as currency,
        owner,
        cast(wanted_direction as varchar) as direction,
        target,
        on_track_from,
        at_risk_from,
        unit,
        case when period_start <= {{ core_as_of() }} then actual end as actual,
        case when period_start <= {{ core_as_of() }} then round(attainment, 6) end as attainment,
        cast(days_to_come as bigint) as days_to_come,
        round(forecast, 6) as forecast,
        round(low, 6) as forecast_low,
        round(high, 6) as forecast_high,
        round(forecast_attainment, 6) as forecast_attainment,
        cast(
            case
                when period_start > {{ core_as_of() }} then 'not_started'
                when forecast is null then 'unknown'
                when days_to_come = 0 and wanted_direction = 'up' and actual >= target then 'met'
                when days_to_come = 0 and wanted_direction = 'down' and actual <= target then 'met'
                when days_to_come = 0 then 'missed'
                when forecast_attainment >= on_track_from then 'on_track'
                when forecast_attainment is null and wanted_direction = 'down' and forecast <= target then 'on_track'
                when forecast_attainment is null and wanted_direction = 'up' and forecast >= target then 'on_track'
                when forecast_attainment >= at_risk_from then 'at_risk'
                when wanted_direction = 'up' and high >= target then 'at_risk'
                when wanted_direction = 'down' and low <= target then 'at_risk'
                else 'missed'
            end as varchar
        ) as status,
        period_end <= {{ core_as_of() }} as is_complete
    from ranged

)

select * from final
