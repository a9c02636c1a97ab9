{% set content = ['case_id', 'is_deleted', 'created_by_id', 'created_date', 'field', 'old_value', 'new_value'] %}

with source as (
    select * from {{ source('raw', 'salesforce__case_history') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='created_date', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_date') }}
),

renamed as (
    select
        -- keys
        'salesforce' as source_name,
        id as event_key,
        case_id as interaction_key,

        -- what changed: of an owner the export writes a line with the name and one with the id; the id counts
        case
            when lower(field) = 'status' then 'status'
            when lower(field) = 'priority' then 'priority'
            when lower(field) in ('owner', 'ownerid') and new_value like '005%' then 'assignee'
        end as event_kind,
        old_value,
        new_value,
        created_by_id as actor_key,

        -- times
        created_date as happened_at,
        {{ local_date('created_date') }} as happened_on,
        {{ as_of_note('created_date', 'created_date') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    where version_rank = 1
        and not coalesce(is_deleted, false)
        and (lower(field) in ('status', 'priority') or (lower(field) in ('owner', 'ownerid') and new_value like '005%'))
),

final as (
    select * from renamed
)

select * from final
