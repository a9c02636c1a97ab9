{% set content = [
    'request_created_at', 'request_sent_at', 'request_delivery_status', 'request_sent_to', 'response_received_at',
    'star_rating', 'comments', 'channel', 'survey_name', 'interaction_id', 'tags', 'employee_id', 'customer_id',
    'customer_name', 'customer_email', 'customer_phone'
] %}
{% set event_at = 'coalesce(request_sent_at, request_created_at, response_received_at)' %}

with source as (
    select * from {{ source('raw', 'medallia__feedback') }}
),

-- The row of a request is written again once it is answered.
versions as (
    select
        *,
        {{ version_rank(
            key=['request_id'], newest='coalesce(response_received_at, ' ~ event_at ~ ')', content=content
        ) }} as version_rank
    from source
    where {{ happened_by_as_of(event_at) }}
),

told as (
    select
        *,
        {{ until_as_of('response_received_at') }} as responded_at,
        lower(coalesce(request_delivery_status, '')) as delivery_word,
        coalesce(customer_email, case when request_sent_to like '%@%' then request_sent_to end) as email,
        coalesce(customer_phone, case when request_sent_to not like '%@%' then request_sent_to end) as phone
    from versions
    where version_rank = 1
),

renamed as (
    select
        -- keys
        'medallia' as source_name,
        'medallia_customer' as identity_namespace,
        request_id as response_key,
        interaction_id,

        -- who was asked
        {{ named_person("'medallia.customer'", "'medallia.request'", 'request_id', 'customer_id') }},
        customer_id as customer_key,
        customer_name,
        email,
        phone,

        -- answer
        survey_name as survey,
        channel as touchpoint,
        cast(null as bigint) as nps_score,
        case when responded_at is not null then star_rating end as csat_score,
        cast(null as bigint) as ces_score,
        case when responded_at is not null then comments end as comment,
        tags,
        employee_id,
        request_delivery_status as delivery_status,

        -- flags: what a response rate divides. An answer is proof of delivery, whatever the status says.
        request_sent_at is not null as is_sent,
        responded_at is not null
            or delivery_word in ('delivered', 'opened', 'clicked', 'open', 'click', 'responded', 'success') as is_delivered,
        responded_at is not null as is_answered,

        -- why the request is no answer, NULL where it is one
        case
            when responded_at is null then 'not_answered'
            when star_rating is null then 'no_score'
        end as exclusion_reason,

        -- times
        {{ until_as_of('request_sent_at') }} as sent_at,
        {{ local_date('request_sent_at') }} as sent_on,
        responded_at,
        {{ local_date('responded_at') }} as responded_on,
        {{ as_of_note(event_at, 'coalesce(response_received_at, ' ~ event_at ~ ')') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from told
),

final as (
    select * from renamed
)

select * from final
