with

earlier as (

    select * from {{ source('state', 'kpi_restatements') }}

),

before as (

    select * from {{ source('state', 'published_build') }}

),

number as (

    select coalesce(max(build_number), 0) + 1 as build_number from {{ source('state', 'kpi_history') }}

),

ground as (

    select
        case when as_of < {{ core_as_of() }} then as_of else {{ core_as_of() }} end as until_day,
        case
            when as_of > {{ core_as_of() }} then {{ kpi_first_day('as_of') }} else {{ kpi_first_day(core_as_of()) }}
        end as from_day,
        as_of as compared_as_of,
        definition <> '{{ var("definition", "") }}' as is_other_definition
    from before

),

-- The parts of every value that both builds could show, side by side; what one of them lacks is nothing there.
paired as (

    select
        coalesce(n.kpi, o.kpi) as kpi,
        coalesce(n.segment_type, o.segment_type) as segment_type,
        coalesce(n.segment, o.segment) as segment,
        coalesce(n.day, o.day) as day,
        coalesce(o.numerator, 0) as old_numerator,
        coalesce(o.denominator, 0) as old_denominator,
        o.value as old_middle,
        coalesce(n.numerator, 0) as new_numerator,
        coalesce(n.denominator, 0) as new_denominator,
        n.value as new_middle,
        coalesce(n.is_complete, false) as is_complete
    from (select * from {{ source('state', 'kpi_daily') }}) as o
    full outer join {{ ref('kpi_daily') }} as n
        on o.kpi = n.kpi and o.segment_type = n.segment_type and o.segment = n.segment and o.day = n.day
    cross join ground
    where coalesce(n.day, o.day) between ground.from_day and ground.until_day

),

valued as (

    select
        paired.*,
        definitions.aggregation,
        definitions.unit,
        {{ kpi_value('definitions.aggregation', 'old_numerator', 'old_denominator', 'old_middle') }} as old_value,
        {{ kpi_value('definitions.aggregation', 'new_numerator', 'new_denominator', 'new_middle') }} as new_value
    from paired
    inner join {{ ref('kpi_definitions') }} as definitions on paired.kpi = definitions.kpi

),

changed as (

    select * from valued where old_value is distinct from new_value

),

steps as (

    {{ kpi_steps() }}

),

gaps as (

    select * from {{ ref('int_kpi_steps') }}

),

median_days as (

    select distinct kpi, day from gaps where median_value is not null

),

-- The value in the world after each step. A ratio without a denominator adds nothing: it counts as zero here.
worlds as (

    select
        changed.kpi,
        changed.segment_type,
        changed.segment,
        changed.day,
        steps.step,
        steps.cause,
        coalesce(
            {{ kpi_value(
                'changed.aggregation',
                '(changed.new_numerator + coalesce(gaps.numerator_gap, 0))',
                '(changed.new_denominator + coalesce(gaps.denominator_gap, 0))',
                'case when median_days.day is null then changed.new_middle else gaps.median_value end'
            ) }},
            0
        ) as value
    from changed
    cross join steps
    left join gaps
        on changed.kpi = gaps.kpi
        and changed.segment_type = gaps.segment_type
        and changed.segment = gaps.segment
        and changed.day = gaps.day
        and steps.step = gaps.step
    left join median_days on changed.kpi = median_days.kpi and changed.day = median_days.day

),

-- Each cause is the difference between two neighbouring worlds, so together they are the whole difference. What the
-- first world does not share with the published value is a matter of formulas: a definition, if one has changed.
effects as (

    select
        worlds.kpi,
        worlds.segment_type,
        worlds.segment,
        worlds.day,
        coalesce(
            worlds.cause, case when ground.is_other_definition then 'definition' else 'unexplained' end
        ) as cause,
        worlds.value - coalesce(
            lag(worlds.value) over (
                partition by worlds.kpi, worlds.segment_type, worlds.segment, worlds.day order by worlds.step
            ),
            changed.old_value,
            0
        ) as effect
    from worlds
    cross join ground
    inner join changed
        on worlds.kpi = changed.kpi
        and worlds.segment_type = changed.segment_type
        and worlds.segment = changed.segment
        and worlds.day = changed.day

),

summed as (

    select kpi, segment_type, segment, day, cause, sum(effect) as effect
    from effects
    group by kpi, segment_type, segment, day, cause
    having sum(effect) <> 0

),

final as (

    select
        build_number, build_id, as_of, compared_as_of, kpi, segment_type, segment, day, cause, effect,
        value_before, value_after, unit, timezone, currency, is_complete
    from earlier
    union all
    select
        cast(number.build_number as bigint),
        cast('{{ var("build_id", "") }}' as varchar),
        {{ core_as_of() }},
        ground.compared_as_of,
        cast(summed.kpi as varchar),
        cast(summed.segment_type as varchar),
        cast(summed.segment as varchar),
        summed.day,
        cast(summed.cause as varchar),
        cast(summed.effect as decimal(20, 6)),
        changed.old_value,
        changed.new_value,
        cast(changed.unit as varchar),
        cast('{{ var("timezone") }}' as varchar),
        cast(case when changed.unit = 'money' then '{{ var("currency") }}' end as varchar),
        changed.is_complete
    from summed
    inner join changed
        on summed.kpi = changed.kpi
        and summed.segment_type = changed.segment_type
        and summed.segment = changed.segment
        and summed.day = changed.day
    cross join ground
    cross join number

)

select * from final
