{% set customers = "('user', 'lead', 'contact', 'visitor')" %}
{% set content = ['body', 'author_type', 'author_id', 'author_email', 'subject'] %}

with source as (
    select * from {{ source('raw', 'intercom__conversations') }}
),

-- The message that began the conversation, and the parts that followed: comments and notes, not assignments or closes.
first_messages as (
    select
        concat(id, ':source') as message_key,
        id as interaction_key,
        'comment' as part_type,
        lower(source_type) as source_type,
        author_type,
        author_id,
        author_email,
        subject,
        body,
        created_at as sent_at,
        updated_at,
        _source,
        _file,
        _line,
        _batch
    from source
),

parts as (
    select
        id as interaction_key,
        lower(source_type) as source_type,
        {{ json_each('conversation_parts', '$.conversation_parts') }} as part,
        updated_at,
        _source,
        _file,
        _line,
        _batch
    from source
    union all
    select
        id as interaction_key,
        lower(source_type) as source_type,
        {{ json_each('conversation_parts', '$') }} as part,
        updated_at,
        _source,
        _file,
        _line,
        _batch
    from source
),

all_messages as (
    select * from first_messages
    union all
    select
        {{ json_text('part', '$.id') }} as message_key,
        interaction_key,
        {{ json_text('part', '$.part_type') }} as part_type,
        source_type,
        {{ json_text('part', '$.author.type') }} as author_type,
        {{ json_text('part', '$.author.id') }} as author_id,
        {{ json_text('part', '$.author.email') }} as author_email,
        cast(null as {{ dbt.type_string() }}) as subject,
        {{ json_text('part', '$.body') }} as body,
        {{ from_epoch(json_text('part', '$.created_at')) }} as sent_at,
        updated_at,
        _source,
        _file,
        _line,
        _batch
    from parts
),

-- Every fetch of a conversation brings its parts again.
versions as (
    select
        *,
        {{ version_rank(key=['message_key'], newest='updated_at', content=content) }} as version_rank
    from all_messages
    where
        {{ happened_by_as_of('sent_at') }}
        and message_key is not null
        and body is not null
        and part_type in ('comment', 'note')
),

renamed as (
    select
        -- keys
        'intercom' as source_name,
        'intercom_contact' as identity_namespace,
        message_key,
        interaction_key,

        -- who wrote, where it was the customer
        case when author_type in {{ customers }} then 'intercom.contact' end as person_source,
        case when author_type in {{ customers }} then author_id end as person_record_key,
        case when author_type in {{ customers }} then author_id end as customer_key,
        case when author_type in {{ customers }} then author_email end as email,
        {{ nothing_for(['phone']) }},

        -- message
        case
            when part_type = 'note' then 'internal'
            when author_type in {{ customers }} then 'inbound'
            else 'outbound'
        end as direction,
        case
            when author_type in {{ customers }} then 'customer'
            when author_type = 'bot' then 'bot'
            else 'agent'
        end as author_kind,
        case when author_type not in {{ customers }} then author_id end as author_key,
        case when source_type = 'conversation' then 'chat' else source_type end as channel,
        subject,
        body,

        -- times
        sent_at,
        {{ local_date('sent_at') }} as sent_on,
        updated_at,
        {{ as_of_note('sent_at', 'sent_at') }} as as_of_note,

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
