with

responses as (

    select * from {{ ref('fct_survey_responses') }}

),

sentiment as (

    select * from {{ source('scores', 'text_sentiment') }}

),

-- Where an answer stands among those of one customer to one survey at one touchpoint, invalid answers left out.
placed as (

    select
        response_id,
        row_number() over (
            partition by coalesce(customer_id, response_id), kind, survey, touchpoint
            order by submitted_at, response_id
        ) as place,
        count(*) over (partition by coalesce(customer_id, response_id), kind, survey, touchpoint) as answers
    from responses
    where is_valid

),

final as (

    select
        responses.response_id,
        responses.customer_id,
        responses.account_id,
        responses.source,
        responses.kind,
        responses.survey_kind,
        responses.survey,
        responses.touchpoint,
        responses.score,
        case
            when responses.kind <> 'nps' or not responses.is_valid then null
            when responses.score >= 9 then 'promoter'
            when responses.score >= 7 then 'passive'
            else 'detractor'
        end as nps_group,
        responses.is_valid,
        cast(
            case
                when placed.answers = 1 then 'only'
                when placed.place = 1 then 'first'
                when placed.place = placed.answers then 'latest'
                when placed.place is not null then 'between'
            end as varchar
        ) as answer_place,
        responses.sent_at,
        responses.submitted_at,
        responses.submitted_on,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        {{ marts_mask_personal('responses.comment') }} as comment_masked,
        sentiment.score as sentiment,
        sentiment.language as comment_language
    from responses
    left join placed on responses.response_id = placed.response_id
    left join sentiment on 'survey:' || responses.response_id = sentiment.text_id

)

select * from final
