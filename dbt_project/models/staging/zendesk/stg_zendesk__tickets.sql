{% set content = [
    'generated_timestamp', 'external_id', 'type', 'subject', 'priority', 'status', 'via_channel', 'requester_id',
    'submitter_id', 'assignee_id', 'group_id', 'organization_id', 'tags', 'satisfaction_score',
    'satisfaction_comment', 'created_at', 'reply_time_calendar_minutes', 'reply_time_business_minutes',
    'first_resolution_calendar_minutes', 'first_resolution_business_minutes', 'full_resolution_calendar_minutes',
    'full_resolution_business_minutes', 'agent_wait_calendar_minutes',
    'requester_wait_calendar_minutes', 'on_hold_calendar_minutes', 'reopens', 'replies', 'assignee_stations',
    'group_stations', 'initially_assigned_at', 'assigned_at', 'solved_at', 'latest_comment_added_at'
] %}
{% set measures = [
    'reply_time_calendar_minutes', 'reply_time_business_minutes', 'first_resolution_calendar_minutes',
    'first_resolution_business_minutes', 'full_resolution_calendar_minutes', 'full_resolution_business_minutes',
    'reopens', 'replies', 'assignee_stations', 'group_stations', 'solved_at'
] %}

with source as (
    select * from {{ source('raw', 'zendesk__tickets') }}
),

-- Time-based pages repeat a ticket, even with the same updated_at; of those the one generated last counts.
versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='updated_at', content=content, then_newest='generated_timestamp') }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

-- A rating has a time of its own, which the ticket's copy of it lacks; the last one by as_of counts.
ratings as (
    select
        ticket_id,
        score,
        comment,
        row_number() over (partition by ticket_id order by updated_at desc, rating_id desc) as rating_rank
    from {{ ref('stg_zendesk__satisfaction_ratings') }}
    where score like 'good%' or score like 'bad%'
),

-- Metrics that came by themselves count where they are newer than the ticket or the ticket brought none.
metrics as (
    select * from {{ ref('stg_zendesk__ticket_metrics') }}
),

measured as (
    select
        versions.*,
        metrics.updated_at as metrics_updated_at,
        {%- set own = "metrics.ticket_id is not null and (versions.reply_time_calendar_minutes is null and versions.reopens is null or metrics.updated_at > versions.updated_at)" %}
        {%- for name in measures %}
        case when {{ own }} then metrics.{{ name }} else versions.{{ name }} end as told_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from versions
    left join metrics
        on versions.id = metrics.ticket_id
    where version_rank = 1
),

-- What a version younger than as_of tells of the time after it is taken back.
cut as (
    select
        *,
        {{ until_as_of('told_solved_at') }} as solved_by_as_of,
        coalesce(updated_at >= {{ as_of_end() }}, false) as is_state_after_as_of,
        {{ epoch_minutes('created_at', as_of_end()) }} as minutes_to_as_of
    from measured
),

renamed as (
    select
        -- keys
        id as ticket_id,
        external_id,
        requester_id,
        submitter_id,
        assignee_id,
        group_id,
        organization_id,

        -- who asked
        case when requester_id is not null then 'zendesk.user' end as person_source,
        requester_id as person_record_key,

        -- ticket
        type as ticket_type,
        subject,
        priority,
        case
            when is_state_after_as_of and solved_by_as_of is null and status in ('solved', 'closed') then 'open'
            else status
        end as status,
        via_channel as channel,
        tags,
        case
            when ratings.score is not null then case when ratings.score like 'good%' then 'good' else 'bad' end
            when not is_state_after_as_of then satisfaction_score
        end as satisfaction_score,
        case
            when ratings.score is not null then ratings.comment
            when not is_state_after_as_of then satisfaction_comment
        end as satisfaction_comment,

        -- measures: what was measured over a time that as_of has not reached is not known yet
        {%- for name, calendar in [
            ('reply_time', 'first_reply_minutes'), ('first_resolution', 'first_resolution_minutes'),
            ('full_resolution', 'full_resolution_minutes')
        ] %}
        case
            when told_{{ name }}_calendar_minutes <= minutes_to_as_of then told_{{ name }}_calendar_minutes
        end as {{ calendar }},
        case
            when told_{{ name }}_calendar_minutes <= minutes_to_as_of then told_{{ name }}_business_minutes
        end as {{ calendar }}_business,
        {%- endfor %}
        agent_wait_calendar_minutes as agent_wait_minutes,
        requester_wait_calendar_minutes as requester_wait_minutes,
        on_hold_calendar_minutes as on_hold_minutes,
        told_reopens as reopens,
        told_replies as replies,
        told_assignee_stations as assignee_stations,
        told_group_stations as group_stations,

        -- times
        created_at,
        {{ local_date('created_at') }} as created_on,
        updated_at,
        case when metrics_updated_at > updated_at then metrics_updated_at else updated_at end as measured_at,
        {{ until_as_of('initially_assigned_at') }} as initially_assigned_at,
        {{ until_as_of('assigned_at') }} as assigned_at,
        solved_by_as_of as solved_at,
        {{ until_as_of('latest_comment_added_at') }} as latest_comment_at,
        {{ as_of_note('created_at', 'updated_at') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from cut
    left join ratings
        on
            cut.id = ratings.ticket_id
            and ratings.rating_rank = 1
),

final as (
    select * from renamed
)

select * from final
