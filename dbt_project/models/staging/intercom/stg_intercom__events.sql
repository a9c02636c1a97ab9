{% set content = ['part'] %}

with source as (
    select * from {{ source('raw', 'intercom__conversations') }}
),

parts as (
    select
        id as interaction_key,
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
        {{ json_each('conversation_parts', '$') }} as part,
        updated_at,
        _source,
        _file,
        _line,
        _batch
    from source
),

told as (
    select
        parts.*,
        {{ json_text('part', '$.id') }} as event_key,
        lower({{ json_text('part', '$.part_type') }}) as part_type,
        {{ json_text('part', '$.author.id') }} as author_id,
        coalesce({{ json_text('part', '$.assigned_to.id') }}, {{ json_text('part', '$.assigned_to') }}) as assigned_to,
        {{ from_epoch(json_text('part', '$.created_at')) }} as happened_at
    from parts
),

-- Every fetch of a conversation brings its parts again.
versions as (
    select
        *,
        {{ version_rank(key=['event_key'], newest='updated_at', content=content) }} as version_rank
    from told
    where
        {{ happened_by_as_of('happened_at') }}
        and event_key is not null
        and (part_type in ('open', 'close', 'snoozed', 'unsnoozed') or (part_type like '%assign%' and assigned_to is not null))
),

renamed as (
    select
        -- keys
        'intercom' as source_name,
        event_key,
        interaction_key,

        -- what changed
        case when part_type like '%assign%' then 'assignee' else 'status' end as event_kind,
        cast(null as {{ dbt.type_string() }}) as old_value,
        case
            when part_type like '%assign%' then assigned_to
            when part_type = 'close' then 'closed'
            when part_type = 'snoozed' then 'snoozed'
            else 'open'
        end as new_value,
        author_id as actor_key,

        -- times
        happened_at,
        {{ local_date('happened_at') }} as happened_on,
        {{ as_of_note('happened_at', 'happened_at') }} as as_of_note,

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
