{#- Cuts that the company asks for beside the region (kpi.segments); an answer of nobody known is unknown in each. -#}
{%- set cuts = var('kpi_segments', []) -%}
-- depends_on: {{ ref('customer_segments') }}
with

responses as (

    select
        facts.*,
        {% for cut in cuts %}coalesce(segments.{{ cut }}, 'unknown') as {{ cut }}, {% endfor %}
        coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_survey_responses') }} as facts
    left join {{ ref('dim_customers') }} as customers on facts.customer_id = customers.customer_id
    {{ 'left join ' ~ ref('customer_segments') ~ ' as segments on facts.customer_id = segments.customer_id' if cuts }}
    where facts.is_valid

),

-- Only exports that list what was sent, answered or not, say how many were asked.
requests as (

    select
        'csat' as kind,
        {{ survey_kind_of('feedback.touchpoint') }} as survey_kind,
        feedback.touchpoint,
        {{ core_month('feedback.sent_on') }} as period,
        feedback.is_answered,
        {% for cut in cuts %}coalesce(segments.{{ cut }}, 'unknown') as {{ cut }}, {% endfor %}
        coalesce(customers.region, 'unknown') as region
    from {{ ref('stg_medallia__feedback') }} as feedback
    left join {{ source('identity', 'customer_map') }} as map
        on feedback.person_source = map.source and feedback.person_record_key = map.record_key
    left join {{ ref('dim_customers') }} as customers on map.customer_id = customers.customer_id
    {{ 'left join ' ~ ref('customer_segments') ~ ' as segments on map.customer_id = segments.customer_id' if cuts }}
    where feedback.is_sent and feedback.sent_on is not null

),

segmented as (

    select responses.*, 'overall' as segment_type, 'all' as segment from responses
    union all
    select responses.*, 'region', region from responses
    union all
    {% for cut in cuts -%}
    select responses.*, '{{ cut }}', {{ cut }} from responses
    union all
    {% endfor -%}
    select responses.*, 'touchpoint', touchpoint from responses where survey_kind = 'transactional'

),

-- One answer per customer and period. An answer that leads to no customer stands for itself.
ranked as (

    select
        segmented.*,
        {{ core_month('submitted_on') }} as period,
        row_number() over (
            partition by
                segment_type,
                segment,
                kind,
                survey_kind,
                {{ core_month('submitted_on') }},
                coalesce(customer_id, response_id)
            {%- if var('survey_answer', 'latest') == 'first' %}
            order by submitted_at, response_id
            {%- else %}
            order by submitted_at desc, response_id desc
            {%- endif %}
        ) as answer_rank
    from segmented

),

answered as (

    select
        period,
        segment_type,
        segment,
        kind,
        survey_kind,
        count(*) as respondents,
        sum(case when kind = 'nps' and score >= 9 then 1 else 0 end) as promoters,
        sum(case when kind = 'nps' and score between 7 and 8 then 1 else 0 end) as passives,
        sum(case when kind = 'nps' and score <= 6 then 1 else 0 end) as detractors,
        sum(case when kind = 'csat' and score >= 4 then 1 when kind = 'ces' and score >= 5 then 1 else 0 end) as satisfied,
        sum(score) as score_sum,
        sum(score * score) as score_squares,
        0 as asked,
        0 as asked_and_answered
    from ranked
    where answer_rank = 1
    group by period, segment_type, segment, kind, survey_kind

),

asked as (

    select
        period,
        segment_type,
        segment,
        kind,
        survey_kind,
        count(*) as asked,
        sum(case when is_answered then 1 else 0 end) as asked_and_answered
    from (
        select requests.*, 'overall' as segment_type, 'all' as segment from requests
        union all
        select requests.*, 'region', region from requests
        union all
        {% for cut in cuts -%}
        select requests.*, '{{ cut }}', {{ cut }} from requests
        union all
        {% endfor -%}
        select requests.*, 'touchpoint', touchpoint from requests where survey_kind = 'transactional'
    ) as sent
    group by period, segment_type, segment, kind, survey_kind

),

both_sides as (

    select * from answered
    union all
    select period, segment_type, segment, kind, survey_kind, 0, 0, 0, 0, 0, 0, 0, asked, asked_and_answered from asked

),

final as (

    select
        cast('month' as varchar) as period_type,
        period,
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        cast(kind as varchar) as kind,
        cast(survey_kind as varchar) as survey_kind,
        cast(sum(respondents) as bigint) as respondents,
        cast(sum(promoters) as bigint) as promoters,
        cast(sum(passives) as bigint) as passives,
        cast(sum(detractors) as bigint) as detractors,
        cast(sum(satisfied) as bigint) as satisfied,
        cast(sum(score_sum) as bigint) as score_sum,
        cast(sum(score_squares) as bigint) as score_squares,
        cast(case when sum(asked) > 0 then sum(asked) end as bigint) as asked,
        cast(case when sum(asked) > 0 then sum(asked_and_answered) end as bigint) as asked_and_answered,
        {{ core_ratio('sum(asked_and_answered)', 'sum(asked)') }} as response_rate,
        cast({{ dbt.last_day('period', 'month') }} as date) <= {{ core_as_of() }} as is_complete
    from both_sides
    group by period, segment_type, segment, kind, survey_kind

)

select * from final
