with

responses as (

    select * from {{ ref('fct_survey_responses') }}
    where is_valid and kind = 'nps'

),

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

-- One answer per customer and period, the latest. An answer that leads to no customer stands for itself.
ranked as (

    select
        responses.survey_kind,
        {{ core_month('responses.submitted_on') }} as period,
        responses.score,
        coalesce(customers.region, 'unknown') as region,
        row_number() over (
            partition by
                responses.survey_kind,
                {{ core_month('responses.submitted_on') }},
                coalesce(responses.customer_id, responses.response_id)
            order by responses.submitted_at desc, responses.response_id desc
        ) as answer_rank
    from responses
    left join customers on responses.customer_id = customers.customer_id

),

answers as (

    select * from ranked where answer_rank = 1

),

segmented as (

    select 'overall' as segment_type, 'all' as segment, survey_kind, period, score from answers
    union all
    select 'region', region, survey_kind, period, score from answers

),

counted as (

    select
        period,
        segment_type,
        segment,
        survey_kind,
        sum(case when score >= 9 then 1 else 0 end) as promoters,
        sum(case when score between 7 and 8 then 1 else 0 end) as passives,
        sum(case when score <= 6 then 1 else 0 end) as detractors,
        count(*) as respondents
    from segmented
    group by period, segment_type, segment, survey_kind

),

shares as (

    select
        counted.*,
        cast(promoters - detractors as double) / respondents as net_share,
        cast(promoters + detractors as double) / respondents as outspoken_share
    from counted

),

-- Half of the 95 % interval: 1.96 standard errors, with var = p + d - (p - d)^2.
intervals as (

    select
        shares.*,
        1.959964 * sqrt(greatest(outspoken_share - net_share * net_share, 0) / respondents) as half_width
    from shares

),

final as (

    select
        cast('month' as varchar) as period_type,
        period,
        cast(segment_type as varchar) as segment_type,
        segment,
        cast('nps' as varchar) as kind,
        cast(survey_kind as varchar) as survey_kind,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(promoters as bigint) as promoters,
        cast(passives as bigint) as passives,
        cast(detractors as bigint) as detractors,
        cast(respondents as bigint) as respondents,
        round(100 * net_share, 6) as nps,
        round(greatest(100 * (net_share - half_width), -100), 6) as ci_low,
        round(least(100 * (net_share + half_width), 100), 6) as ci_high,
        -- No export says how many were asked; a rate over those who answered would be 100 % by construction.
        cast(null as bigint) as asked,
        cast(null as double) as response_rate,
        cast({{ dbt.last_day('period', 'month') }} as date) <= {{ core_as_of() }} as is_complete
    from intervals

)

select * from final
