with

periods as (

    select * from {{ ref('int_survey_periods') }}
    where kind = 'nps' and respondents > 0

),

-- The variance of one answer that counts +1, 0 or -1: p + d - (p - d)^2.
measured as (

    select
        periods.*,
        cast(promoters - detractors as double) / respondents as estimate,
        cast(promoters + detractors as double) / respondents
        - (cast(promoters - detractors as double) / respondents)
        * (cast(promoters - detractors as double) / respondents) as raw_variance
    from periods

),

bounded as (

    select measured.*, greatest(raw_variance, 0) as variance from measured

),

compared as (

    {{ survey_compared('bounded') }}

),

final as (

    select
        period_type,
        period,
        segment_type,
        segment,
        kind,
        survey_kind,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        promoters,
        passives,
        detractors,
        respondents,
        round(100 * estimate, 6) as nps,
        -- Half of the 95 % interval is 1.96 standard errors.
        round(greatest(100 * (estimate - 1.959964 * sqrt(variance / respondents)), -100), 6) as ci_low,
        round(least(100 * (estimate + 1.959964 * sqrt(variance / respondents)), 100), 6) as ci_high,
        asked,
        response_rate,
        cast(case when response_rate is null then 'requests_not_listed' end as varchar) as response_rate_reason,
        is_complete,
        {{ survey_trend(100) }}
    from compared

)

select * from final
