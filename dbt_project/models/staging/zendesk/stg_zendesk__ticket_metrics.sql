{% set content = [
    'id', 'created_at', 'reply_time_calendar_minutes', 'reply_time_business_minutes',
    'first_resolution_calendar_minutes', 'first_resolution_business_minutes', 'full_resolution_calendar_minutes',
    'full_resolution_business_minutes', 'reopens', 'replies', 'assignee_stations', 'group_stations', 'solved_at'
] %}

with source as (
    select * from {{ source('raw', 'zendesk__ticket_metrics') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['ticket_id'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        id as metric_id,
        ticket_id,

        -- measures
        reply_time_calendar_minutes,
        reply_time_business_minutes,
        first_resolution_calendar_minutes,
        first_resolution_business_minutes,
        full_resolution_calendar_minutes,
        full_resolution_business_minutes,
        reopens,
        replies,
        assignee_stations,
        group_stations,

        -- times
        created_at,
        {{ local_date('created_at') }} as created_on,
        updated_at,
        solved_at,
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
