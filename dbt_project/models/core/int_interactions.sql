with

zendesk_tickets as (

    select * from {{ ref('stg_zendesk__tickets') }}

),

salesforce_cases as (

    select * from {{ ref('stg_salesforce__case') }}
    -- A merged case lives on in its master.
    where not coalesce(is_deleted, false) and master_case_id is null

),

connect_contacts as (

    select * from {{ ref('stg_amazon_connect__contact_records') }}

),

canonical_interactions as (

    select * from {{ ref('canonical__interaction') }}

),

canonical_calls as (

    select * from {{ ref('canonical__call') }}

),

connect_legs as (

    select initial_contact_id as contact_id, count(*) as transfers
    from connect_contacts
    where initial_contact_id is not null and initial_contact_id <> contact_id
    group by initial_contact_id

),

unified as (

    select
        'zendesk:' || ticket_id as interaction_id,
        'zendesk' as source,
        cast(null as {{ dbt.type_string() }}) as continues_interaction_id,
        'inbound' as direction,
        person_source,
        person_record_key,
        cast(null as {{ dbt.type_string() }}) as account_key,
        channel as raw_channel,
        group_id as queue,
        assignee_id as agent_id,
        priority as raw_priority,
        {{ tagged_topic('tags') }} as topic,
        status as raw_status,
        created_at as opened_at,
        case
            when first_reply_minutes is not null then {{ dbt.dateadd('minute', 'first_reply_minutes', 'created_at') }}
        end as told_response_at,
        cast(first_reply_minutes as decimal(18, 2)) as told_response_minutes,
        cast(first_reply_minutes_business as decimal(18, 2)) as told_response_business_minutes,
        solved_at as told_resolved_at,
        cast(full_resolution_minutes as decimal(18, 2)) as told_resolution_minutes,
        cast(full_resolution_minutes_business as decimal(18, 2)) as told_resolution_business_minutes,
        cast(first_resolution_minutes as decimal(18, 2)) as told_first_resolution_minutes,
        cast(first_resolution_minutes_business as decimal(18, 2)) as told_first_resolution_business_minutes,
        reopens as told_reopens,
        case when assignee_stations > 0 then assignee_stations - 1 end as told_handoffs,
        replies as told_replies,
        measured_at,
        submitter_id <> requester_id as is_opened_by_agent,
        cast(null as bigint) as talk_seconds,
        cast(null as bigint) as hold_seconds,
        cast(null as bigint) as acw_seconds,
        cast(null as bigint) as queue_seconds,
        case lower(satisfaction_score) when 'good' then 5 when 'bad' then 1 end as csat_score,
        false as is_call,
        lower(coalesce(status, '')) in ('solved', 'closed') as is_resolved,
        false as is_abandoned
    from zendesk_tickets
    union all
    select
        'salesforce:' || case_id,
        'salesforce',
        cast(null as {{ dbt.type_string() }}),
        'inbound',
        person_source,
        person_record_key,
        account_id,
        origin,
        cast(null as {{ dbt.type_string() }}),
        owner_id,
        priority,
        coalesce(reason, case_type),
        status,
        created_at,
        cast(null as timestamp),
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        closed_at,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as bigint),
        case when is_escalated then 1 else 0 end,
        cast(null as bigint),
        modified_at,
        false,
        cast(null as bigint),
        cast(null as bigint),
        cast(null as bigint),
        cast(null as bigint),
        cast(null as bigint),
        false,
        coalesce(is_closed, false),
        false
    from salesforce_cases
    union all
    select
        'amazon_connect:' || contacts.contact_id,
        'amazon_connect',
        case when initial_contact_id <> contacts.contact_id then 'amazon_connect:' || initial_contact_id end,
        case when upper(initiation_method) = 'OUTBOUND' then 'outbound' else 'inbound' end,
        person_source,
        person_record_key,
        cast(null as {{ dbt.type_string() }}),
        channel,
        queue_name,
        agent_username,
        cast(null as {{ dbt.type_string() }}),
        cast(null as {{ dbt.type_string() }}),
        case
            when disconnected_at is null then 'open'
            when agent_connected_at is null and enqueued_at is not null then 'abandoned'
            when agent_connected_at is null then 'ended in menu'
            else 'completed'
        end,
        initiated_at,
        agent_connected_at,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        case when agent_connected_at is not null then disconnected_at end,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as bigint),
        coalesce(connect_legs.transfers, 0),
        cast(null as bigint),
        updated_at,
        false,
        agent_interaction_seconds,
        hold_seconds,
        after_contact_work_seconds,
        queue_seconds,
        cast(null as bigint),
        upper(channel) = 'VOICE',
        agent_connected_at is not null and disconnected_at is not null,
        -- Waited in a queue and left before an agent answered; what the company dials itself is never abandoned.
        coalesce(upper(initiation_method), '') <> 'OUTBOUND'
            and agent_connected_at is null
            and disconnected_at is not null
            and (enqueued_at is not null or queue_name is not null)
    from connect_contacts as contacts
    left join connect_legs on contacts.contact_id = connect_legs.contact_id
    union all
    select
        interaction_id,
        source_name,
        continues_interaction_id,
        direction,
        person_source,
        person_record_key,
        account_key,
        channel,
        queue,
        agent,
        priority,
        topic,
        status,
        opened_at,
        coalesce(
            first_response_at,
            case
                when first_response_minutes is not null
                then {{ dbt.dateadd('minute', 'cast(first_response_minutes as integer)', 'opened_at') }}
            end
        ),
        cast(first_response_minutes as decimal(18, 2)),
        cast(first_response_business_minutes as decimal(18, 2)),
        resolved_at,
        cast(resolution_minutes as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(first_resolution_minutes as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        reopens,
        handoffs,
        cast(null as bigint),
        updated_at,
        false,
        talk_seconds,
        hold_seconds,
        acw_seconds,
        queue_seconds,
        csat_score,
        coalesce(talk_seconds, hold_seconds, acw_seconds, queue_seconds) is not null
            or (is_abandoned is not null and {{ is_phone_word('lower(trim(channel))') }}),
        coalesce(is_resolved, resolved_at is not null or {{ is_solved_word('status') }}),
        coalesce(is_abandoned, false)
    from canonical_interactions
    union all
    -- A call that no agent answered is abandoned unless the source says otherwise or the company dialled it.
    select
        call_id,
        source_name,
        continues_call_id,
        direction,
        person_source,
        person_record_key,
        account_key,
        'phone',
        queue,
        agent,
        cast(null as {{ dbt.type_string() }}),
        topic,
        case
            when ended_at is null then 'open'
            when answered_at is not null then 'completed'
            when coalesce(is_abandoned, direction <> 'outbound') then 'abandoned'
            else 'ended in menu'
        end,
        started_at,
        answered_at,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        case when answered_at is not null then ended_at end,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2)),
        cast(null as bigint),
        0,
        cast(null as bigint),
        updated_at,
        false,
        talk_seconds,
        hold_seconds,
        acw_seconds,
        queue_seconds,
        cast(null as bigint),
        true,
        answered_at is not null and ended_at is not null,
        answered_at is null and ended_at is not null and coalesce(is_abandoned, direction <> 'outbound')
    from canonical_calls

),

worded as (

    select
        unified.*,
        lower(trim(raw_channel)) as channel_word
    from unified

),

final as (

    select
        worded.*,
        case
            when {{ is_phone_word('channel_word') }} then 'phone'
            when channel_word in ('email', 'e-mail', 'mail', 'メール') then 'email'
            when channel_word in ('chat', 'messaging', 'native_messaging', 'live chat', 'チャット') then 'chat'
            when channel_word in ('web', 'web form', 'webform', 'form', 'help_center', 'ウェブ') then 'web'
            when channel_word in ('social', 'social media', 'twitter', 'facebook', 'line', 'instagram_dm') then 'social'
            else nullif(channel_word, '')
        end as channel,
        {{ priority_of('raw_priority') }} as priority,
        not is_resolved and not is_abandoned and coalesce(raw_status, '') <> 'ended in menu' as is_open
    from worded

)

select * from final
