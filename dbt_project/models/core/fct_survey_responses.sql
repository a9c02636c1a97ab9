with

delighted_responses as (

    select * from {{ ref('stg_delighted__responses') }}

),

canonical_responses as (

    select * from {{ ref('canonical__survey_response') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

),

unified as (

    select
        'delighted:' || response_id as response_id,
        'delighted' as source,
        person_source,
        person_record_key,
        lower(survey_type) as kind,
        'delighted' as survey,
        nullif(trim(touchpoint), '') as touchpoint,
        cast(score as bigint) as score,
        sent_at,
        responded_at as submitted_at,
        responded_on as submitted_on,
        comment
    from delighted_responses
    union all
    select
        response_id,
        source_name,
        person_source,
        person_record_key,
        lower(survey_type),
        coalesce(nullif(trim(survey), ''), source_name),
        nullif(trim(touchpoint), ''),
        cast(score as bigint),
        sent_at,
        responded_at,
        responded_on,
        comment
    from canonical_responses

),

final as (

    select
        unified.response_id,
        map.customer_id,
        unified.person_source,
        unified.person_record_key,
        customers.account_id,
        unified.source,
        unified.kind,
        {{ survey_kind_of('unified.touchpoint') }} as survey_kind,
        unified.survey,
        unified.touchpoint,
        unified.score,
        unified.sent_at,
        unified.submitted_at,
        unified.submitted_on,
        unified.comment,
        coalesce(
            unified.submitted_on is not null
            and case unified.kind
                when 'nps' then unified.score between 0 and 10
                when 'csat' then unified.score between 1 and 5
                when 'ces' then unified.score between 1 and 7
            end,
            false
        ) as is_valid
    from unified
    left join customer_map as map
        on unified.person_source = map.source and unified.person_record_key = map.record_key
    left join customers
        on map.customer_id = customers.customer_id

)

select * from final
