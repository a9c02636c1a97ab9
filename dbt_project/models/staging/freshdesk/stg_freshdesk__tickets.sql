{% set content = [
    'subject', 'status', 'priority', 'channel', 'type', 'agent', 'agent_group', 'created_at', 'due_at', 'resolved_at',
    'closed_at', 'first_response_at', 'first_response_duration', 'resolution_duration', 'agent_interactions',
    'customer_interactions', 'resolution_status', 'first_response_status', 'survey_result', 'tags', 'product',
    'full_name', 'email', 'work_phone', 'mobile_phone', 'contact_id'
] %}

with source as (
    select * from {{ source('raw', 'freshdesk__tickets') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['ticket_id'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

cut as (
    select
        *,
        {{ until_as_of('first_response_at') }} as answered_at,
        {{ until_as_of('coalesce(resolved_at, closed_at)') }} as solved_at,
        coalesce(updated_at >= {{ as_of_end() }}, false) as is_state_after_as_of
    from versions
    where version_rank = 1
),

renamed as (
    select
        -- keys
        'freshdesk' as source_name,
        'freshdesk_contact' as identity_namespace,
        ticket_id as interaction_key,
        case when lower(channel) = 'outbound email' then 'outbound' else 'inbound' end as direction,
        {{ nothing_for(['continues_key', 'account_key']) }},

        -- who asked
        {{ named_person(
            "'freshdesk.contact'", "'freshdesk.ticket'", 'ticket_id', 'contact_id',
            ['email', 'mobile_phone', 'work_phone']
        ) }},
        contact_id as customer_key,
        full_name,
        email,
        coalesce(mobile_phone, work_phone) as phone,

        -- ticket
        case
            when is_state_after_as_of and solved_at is null and lower(status) in ('resolved', 'closed') then 'open'
            else lower(status)
        end as status,
        case lower(channel)
            when 'portal' then 'web'
            when 'feedback widget' then 'web'
            when 'outbound email' then 'email'
            else lower(channel)
        end as channel,
        agent_group as queue,
        priority,
        agent,
        type as topic,
        tags,
        product,

        -- measures: a moment counts before a duration, which is often empty and may leave out closed hours
        case when answered_at is null and first_response_at is null and not is_state_after_as_of
            then {{ clock_minutes('first_response_duration') }} end as first_response_minutes,
        case when solved_at is null and coalesce(resolved_at, closed_at) is null and not is_state_after_as_of
            then {{ clock_minutes('resolution_duration') }} end as resolution_minutes,
        case when not is_state_after_as_of then
            case lower(survey_result)
                when 'extremely happy' then 5
                when 'very happy' then 5
                when '103' then 5
                when 'happy' then 4
                when '102' then 4
                when '101' then 4
                when 'neutral' then 3
                when '100' then 3
                when 'unhappy' then 2
                when '-101' then 2
                when '-102' then 2
                when 'very unhappy' then 1
                when 'extremely unhappy' then 1
                when '-103' then 1
            end
        end as csat_score,
        agent_interactions,
        customer_interactions,
        {{ nothing_for([
            'reopens', 'handoffs', 'talk_seconds', 'hold_seconds', 'acw_seconds', 'queue_seconds',
            'first_response_business_minutes', 'first_resolution_minutes', 'is_abandoned'
        ]) }},
        solved_at is not null
            or (not is_state_after_as_of and lower(status) in ('resolved', 'closed')) as is_resolved,

        -- times
        created_at as opened_at,
        {{ local_date('created_at') }} as opened_on,
        answered_at as first_response_at,
        solved_at as resolved_at,
        updated_at,
        {{ as_of_note('created_at', 'updated_at') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from cut
),

final as (
    select * from renamed
)

select * from final
