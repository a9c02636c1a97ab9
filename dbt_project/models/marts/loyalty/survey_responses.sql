with

responses as (

    select * from {{ ref('fct_survey_responses') }}

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
        responses.sent_at,
        responses.submitted_at,
        responses.submitted_on,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        {{ marts_mask_personal('responses.comment') }} as comment_masked
    from responses

)

select * from final
