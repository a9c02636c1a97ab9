{% set content = [
    '_namespace', 'customer_key', 'email', 'phone', 'kind', 'survey', 'score', 'sent_at', 'comment', 'touchpoint'
] %}

with source as (
    select * from {{ source('raw', 'mapped__survey_response') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'response_key'], newest='submitted_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('submitted_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        response_key,

        -- who it is about
        case
            when customer_key is not null then concat('mapped.', _namespace)
            when coalesce(email, phone) is not null then concat('mapped.', _namespace, '.survey_response')
        end as person_source,
        case
            when customer_key is not null then customer_key
            when coalesce(email, phone) is not null then concat(_source, ':', response_key)
        end as person_record_key,
        customer_key,
        email,
        phone,

        -- answer
        lower(kind) as survey_type,
        survey,
        score,
        comment,
        touchpoint,

        -- times
        sent_at,
        submitted_at as responded_at,
        {{ local_date('submitted_at') }} as responded_on,
        {{ as_of_note('submitted_at', 'submitted_at') }} as as_of_note,

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
