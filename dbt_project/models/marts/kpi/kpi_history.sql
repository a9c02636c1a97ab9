with

earlier as (

    select * from {{ source('state', 'kpi_history') }}

),

today as (

    select
        daily.kpi,
        daily.segment_type,
        daily.segment,
        daily.day,
        {{ kpi_value(
            'definitions.aggregation', 'coalesce(daily.numerator, 0)', 'coalesce(daily.denominator, 0)', 'daily.value'
        ) }} as value,
        daily.numerator,
        daily.denominator,
        daily.unit,
        daily.currency,
        daily.is_complete
    from {{ ref('kpi_daily') }} as daily
    inner join {{ ref('kpi_definitions') }} as definitions on daily.kpi = definitions.kpi

),

latest as (

    select *
    from (
        select
            earlier.*,
            row_number() over (
                partition by kpi, segment_type, segment, day order by build_number desc
            ) as newest_first
        from earlier
    ) as ranked
    where newest_first = 1

),

number as (

    select coalesce(max(build_number), 0) + 1 as build_number from earlier

),

-- A value is written down by the build that says it first; one that stays is not repeated. A day that has left the
-- window of kpi_daily keeps its last value; one that is missing within it has been withdrawn and says so.
news as (

    select
        coalesce(today.kpi, latest.kpi) as kpi,
        coalesce(today.segment_type, latest.segment_type) as segment_type,
        coalesce(today.segment, latest.segment) as segment,
        coalesce(today.day, latest.day) as day,
        today.value,
        today.numerator,
        today.denominator,
        coalesce(today.unit, latest.unit) as unit,
        coalesce(today.currency, latest.currency) as currency,
        coalesce(today.is_complete, false) as is_complete,
        today.kpi is null as is_withdrawn
    from today
    full outer join latest
        on today.kpi = latest.kpi
        and today.segment_type = latest.segment_type
        and today.segment = latest.segment
        and today.day = latest.day
    where (
        today.kpi is not null
        and (
            latest.kpi is null
            or latest.is_withdrawn
            or today.value is distinct from latest.value
            or today.numerator is distinct from latest.numerator
            or today.denominator is distinct from latest.denominator
            or today.is_complete is distinct from latest.is_complete
        )
    )
    or (
        today.kpi is null
        and not latest.is_withdrawn
        and latest.day between {{ kpi_first_day(core_as_of()) }} and {{ core_as_of() }}
    )

),

final as (

    select
        build_number,
        build_id,
        as_of,
        kpi,
        segment_type,
        segment,
        day,
        value,
        numerator,
        denominator,
        unit,
        timezone,
        currency,
        is_complete,
        is_withdrawn
    from earlier
    union all
    select
        cast(number.build_number as bigint),
        cast('{{ var("build_id", "") }}' as varchar),
        {{ core_as_of() }},
        cast(news.kpi as varchar),
        cast(news.segment_type as varchar),
        cast(news.segment as varchar),
        news.day,
        news.value,
        news.numerator,
        news.denominator,
        cast(news.unit as varchar),
        cast('{{ var("timezone") }}' as varchar),
        cast(news.currency as varchar),
        news.is_complete,
        news.is_withdrawn
    from news
    cross join number

)

select * from final
