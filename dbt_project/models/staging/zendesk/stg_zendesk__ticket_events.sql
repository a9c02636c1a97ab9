{% set content = ['ticket_id', 'updater_id', 'changes'] %}

with source as (
    select * from {{ source('raw', 'zendesk__ticket_events') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='created_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

changes as (
    select
        versions.*,
        {{ json_each('changes', '$') }} as change
    from versions
    where version_rank = 1
),

-- The event export names the field as the key of its value, an audit names it in field_name.
told as (
    select
        changes.*,
        {{ json_text('change', '$.id') }} as change_id,
        {{ json_text('change', '$.field_name') }} as field_name,
        {{ json_text('change', '$.value') }} as field_value,
        {{ json_text('change', '$.previous_value') }} as old_value,
        {{ json_text('change', '$.status') }} as status,
        {{ json_text('change', '$.priority') }} as priority,
        {{ json_text('change', '$.assignee_id') }} as assignee_id
    from changes
),

renamed as (
    select
        -- keys
        'zendesk' as source_name,
        coalesce(change_id, concat(id, ':', row_number() over (partition by id order by {{ content_hash(['change']) }}))) as event_key,
        ticket_id as interaction_key,

        -- what changed
        case
            when status is not null or field_name = 'status' then 'status'
            when priority is not null or field_name = 'priority' then 'priority'
            when assignee_id is not null or field_name = 'assignee_id' then 'assignee'
        end as event_kind,
        old_value,
        coalesce(status, priority, assignee_id, field_value) as new_value,
        updater_id as actor_key,

        -- times
        created_at as happened_at,
        {{ local_date('created_at') }} as happened_on,
        {{ as_of_note('created_at', 'created_at') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from told
    where coalesce(status, priority, assignee_id) is not null or field_name in ('status', 'priority', 'assignee_id')
),

final as (
    select * from renamed
)

select * from final
