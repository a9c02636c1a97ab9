{% set content = [
    'person_id', 'email', 'name', 'phone', 'survey_type', 'score', 'comment', 'tags', 'sent_at', 'created_at',
    'touchpoint', 'locale'
] %}

with source as (
    select * from {{ source('raw', 'delighted__responses') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['response_id'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('coalesce(created_at, sent_at)') }}
),

renamed as (
    select
        -- keys
        response_id,
        person_id,

        -- who answered
        case
            when person_id is not null then 'delighted.person'
            when coalesce(email, phone) is not null then 'delighted.response'
        end as person_source,
        case
            when person_id is not null then person_id
            when coalesce(email, phone) is not null then response_id
        end as person_record_key,
        email,
        name,
        phone,

        -- answer
        lower(survey_type) as survey_type,
        score,
        comment,
        tags,
        touchpoint,
        locale,

        -- times
        sent_at,
        {{ local_date('sent_at') }} as sent_on,
        created_at as responded_at,
        {{ local_date('created_at') }} as responded_on,
        updated_at,
        {{ as_of_note('coalesce(created_at, sent_at)', 'updated_at') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    where version_rank = 1
),

final as (
    select * from renamed
)

select * from final
