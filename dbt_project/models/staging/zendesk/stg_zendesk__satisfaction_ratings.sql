{% set content = [
    'ticket_id', 'requester_id', 'assignee_id', 'group_id', 'score', 'reason', 'comment', 'created_at'
] %}

with source as (
    select * from {{ source('raw', 'zendesk__satisfaction_ratings') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        id as rating_id,
        ticket_id,
        requester_id,
        assignee_id,
        group_id,

        -- rating
        score,
        reason,
        comment,

        -- times
        created_at,
        {{ local_date('created_at') }} as created_on,
        updated_at,
        {{ as_of_note('created_at', 'updated_at') }} as as_of_note,

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
