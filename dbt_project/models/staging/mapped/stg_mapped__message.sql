{% set content = [
    '_namespace', 'interaction_key', 'customer_key', 'email', 'phone', 'direction', 'author_kind', 'channel',
    'subject', 'body', 'sent_at'
] %}

with source as (
    select * from {{ source('raw', 'mapped__message') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'message_key'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('sent_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        message_key,
        interaction_key,

        -- who it is about
{{ named_person(
            "concat('mapped.', _namespace)", "concat('mapped.', _namespace, '.message')", "concat(_source, ':', message_key)"
        ) }},
        customer_key,
        email,
        phone,

        -- message
        direction,
        author_kind,
        {{ nothing_for(['author_key']) }},
        channel,
        subject,
        body,

        -- times
        sent_at,
        {{ local_date('sent_at') }} as sent_on,
        updated_at,
        {{ as_of_note('sent_at', 'updated_at') }} as as_of_note,

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
