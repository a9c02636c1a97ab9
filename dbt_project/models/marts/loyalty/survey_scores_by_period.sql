with

periods as (

    select * from {{ ref('int_survey_periods') }}
    where kind in ('csat', 'ces')

),

-- The sample variance of a score, from exact sums; one answer has none.
measured as (

    select
        periods.*,
        case when respondents > 0 then cast(score_sum as double) / respondents end as estimate,
        case
            when respondents > 1
            then
                cast(score_squares * respondents - score_sum * score_sum as double)
                / (cast(respondents as double) * (respondents - 1))
        end as variance
    from periods

),

compared as (

    {{ survey_compared('measured') }}

),

final as (

    select
        measured.period_type,
        measured.period,
        measured.segment_type,
        measured.segment,
        measured.kind,
        measured.survey_kind,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        measured.respondents,
        measured.satisfied,
        {{ core_ratio('measured.satisfied', 'measured.respondents') }} as satisfied_share,
        round(measured.estimate, 6) as mean_score,
        case
            when measured.respondents > 1
            then
                round(greatest(measured.estimate - 1.959964 * sqrt(measured.variance / measured.respondents), 1), 6)
        end as ci_low,
        case
            when measured.respondents > 1
            then
                round(
                    least(
                        measured.estimate + 1.959964 * sqrt(measured.variance / measured.respondents),
                        case when measured.kind = 'csat' then 5 else 7 end
                    ),
                    6
                )
        end as ci_high,
        measured.asked,
        measured.response_rate,
        cast(case when measured.response_rate is null then 'requests_not_listed' end as varchar)
            as response_rate_reason,
        measured.is_complete,
        compared.previous_value,
        compared.previous_respondents,
        compared.change,
        compared.change_low,
        compared.change_high,
        compared.change_z,
        compared.is_change_significant
    from measured
    left join (
        select
            period,
            segment_type,
            segment,
            kind,
            survey_kind,
            {{ survey_trend(1) }}
        from compared
    ) as compared
        on measured.period = compared.period
        and measured.segment_type = compared.segment_type
        and measured.segment = compared.segment
        and measured.kind = compared.kind
        and measured.survey_kind = compared.survey_kind

)

select * from final
