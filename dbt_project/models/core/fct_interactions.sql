{%- set sla = var('sla_minutes') -%}
{%- if sla is string -%}{%- set sla = fromjson(sla) -%}{%- endif -%}
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

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

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
        cast(null as varchar) as continues_interaction_id,
        'inbound' as direction,
        person_source,
        person_record_key,
        cast(null as varchar) as account_key,
        channel as raw_channel,
        group_id as queue,
        assignee_id as agent_id,
        priority as raw_priority,
        ticket_type as topic,
        status as raw_status,
        created_at as opened_at,
        case
            when first_reply_minutes is not null then {{ dbt.dateadd('minute', 'first_reply_minutes', 'created_at') }}
        end as first_response_at,
        cast(first_reply_minutes as decimal(18, 2)) as vendor_response_minutes,
        cast(first_reply_minutes_business as decimal(18, 2)) as vendor_response_minutes_business,
        solved_at as resolved_at,
        cast(full_resolution_minutes as decimal(18, 2)) as vendor_resolution_minutes,
        cast(first_resolution_minutes as decimal(18, 2)) as vendor_first_resolution_minutes,
        coalesce(reopens, 0) as reopens,
        case when assignee_stations > 1 then assignee_stations - 1 else 0 end as handoffs,
        cast(null as bigint) as talk_seconds,
        cast(null as bigint) as hold_seconds,
        cast(null as bigint) as acw_seconds,
        cast(null as bigint) as queue_seconds,
        case lower(satisfaction_score) when 'good' then 5 when 'bad' then 1 end as csat_score,
        lower(coalesce(status, '')) in ('solved', 'closed') as is_resolved,
        false as is_abandoned
    from zendesk_tickets
    union all
    select
        'salesforce:' || case_id,
        'salesforce',
        cast(null as varchar),
        'inbound',
        person_source,
        person_record_key,
        account_id,
        origin,
        cast(null as varchar),
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
        0,
        case when is_escalated then 1 else 0 end,
        cast(null as bigint),
        cast(null as bigint),
        cast(null as bigint),
        cast(null as bigint),
        cast(null as integer),
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
        cast(null as varchar),
        channel,
        queue_name,
        agent_username,
        cast(null as varchar),
        cast(null as varchar),
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
        0,
        coalesce(connect_legs.transfers, 0),
        agent_interaction_seconds,
        hold_seconds,
        after_contact_work_seconds,
        queue_seconds,
        cast(null as integer),
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
        first_response_minutes,
        first_response_business_minutes,
        resolved_at,
        resolution_minutes,
        first_resolution_minutes,
        coalesce(reopens, 0),
        handoffs,
        talk_seconds,
        hold_seconds,
        acw_seconds,
        queue_seconds,
        csat_score,
        coalesce(
            is_resolved,
            resolved_at is not null
            or lower(trim(coalesce(status, ''))) in (
                'solved', 'closed', 'resolved', 'done', 'completed', '完了', '解決', '解決済み', 'クローズ'
            )
        ),
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
        cast(null as varchar),
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
        0,
        0,
        talk_seconds,
        hold_seconds,
        acw_seconds,
        queue_seconds,
        cast(null as bigint),
        answered_at is not null and ended_at is not null,
        answered_at is null and ended_at is not null and coalesce(is_abandoned, direction <> 'outbound')
    from canonical_calls

),

worded as (

    select
        unified.*,
        lower(trim(raw_channel)) as channel_word,
        lower(trim(raw_priority)) as priority_word
    from unified

),

timed as (

    select
        worded.*,
        {{ local_date('opened_at') }} as opened_on,
        {{ local_date('resolved_at') }} as resolved_on,
        case
            when channel_word in ('voice', 'phone', 'phone_call', 'call', 'telephone', '電話') then 'phone'
            when channel_word in ('email', 'e-mail', 'mail', 'メール') then 'email'
            when channel_word in ('chat', 'messaging', 'native_messaging', 'live chat', 'チャット') then 'chat'
            when channel_word in ('web', 'web form', 'webform', 'form', 'help_center', 'ウェブ') then 'web'
            when channel_word in ('social', 'social media', 'twitter', 'facebook', 'line', 'instagram_dm') then 'social'
            else nullif(channel_word, '')
        end as channel,
        case
            when priority_word in ('urgent', 'critical', 'p1', '緊急') then 'urgent'
            when priority_word in ('high', 'p2', '高') then 'high'
            when priority_word in ('normal', 'medium', 'p3', '中') then 'normal'
            when priority_word in ('low', 'p4', '低') then 'low'
            else nullif(priority_word, '')
        end as priority,
        coalesce(
            resolved_at < opened_at or first_response_at < opened_at or resolved_at < first_response_at, false
        ) as has_time_conflict,
        not is_resolved and not is_abandoned and coalesce(raw_status, '') <> 'ended in menu' as is_open
    from worded

),

measured as (

    select
        timed.*,
        -- A duration between times that contradict each other is unknown, never zero and never negative.
        case
            when first_response_at < opened_at or first_response_at > resolved_at then null
            else coalesce(vendor_response_minutes, {{ epoch_minutes('opened_at', 'first_response_at') }})
        end as first_response_minutes,
        case
            when has_time_conflict then null
            else coalesce(vendor_resolution_minutes, {{ epoch_minutes('opened_at', 'resolved_at') }})
        end as resolution_minutes,
        cast(
            case priority
                {%- for word, minutes in sla.items() %}
                when '{{ word }}' then {{ minutes }}
                {%- endfor %}
            end as bigint
        ) as sla_minutes,
        lead(opened_at) over (
            partition by customer_map.customer_id, topic
            order by opened_at, interaction_id
        ) as next_opened_at,
        customer_map.customer_id
    from timed
    left join customer_map
        on timed.person_source = customer_map.source and timed.person_record_key = customer_map.record_key

),

final as (

    select
        interaction_id,
        measured.customer_id,
        coalesce(account_key, customers.account_id) as account_id,
        measured.source,
        continues_interaction_id,
        cast(direction as varchar) as direction,
        channel,
        queue,
        agent_id,
        priority,
        topic,
        lower(raw_status) as status,
        opened_at,
        opened_on,
        first_response_at,
        first_response_minutes,
        vendor_response_minutes_business as first_response_business_minutes,
        sla_minutes,
        case
            when sla_minutes is null then null
            when first_response_minutes is not null then first_response_minutes <= sla_minutes
            when first_response_at is null and is_open
                and {{ epoch_seconds('opened_at', as_of_end()) }} > sla_minutes * 60 then false
        end as is_sla_met,
        resolved_at,
        resolved_on,
        vendor_first_resolution_minutes as first_resolution_minutes,
        resolution_minutes,
        cast(reopens as bigint) as reopens,
        cast(coalesce(handoffs, 0) as bigint) as handoffs,
        cast(
            case
                when talk_seconds is null and hold_seconds is null and acw_seconds is null then null
                else coalesce(talk_seconds, 0) + coalesce(hold_seconds, 0) + coalesce(acw_seconds, 0)
            end as bigint
        ) as handle_seconds,
        cast(talk_seconds as bigint) as talk_seconds,
        cast(hold_seconds as bigint) as hold_seconds,
        cast(acw_seconds as bigint) as acw_seconds,
        cast(queue_seconds as bigint) as queue_seconds,
        cast(csat_score as bigint) as csat_score,
        is_resolved,
        -- Solved, not reopened, and no new contact of the customer on the topic within 7 days of the solution.
        case
            when measured.customer_id is null or not is_resolved or resolved_at is null or has_time_conflict then null
            when reopens > 0 then false
            when next_opened_at < {{ dbt.dateadd('day', 7, 'resolved_at') }} then false
            when {{ dbt.dateadd('day', 7, 'resolved_at') }} > {{ as_of_end() }} then null
            else true
        end as is_fcr,
        is_abandoned,
        is_open,
        has_time_conflict
    from measured
    left join customers on measured.customer_id = customers.customer_id

)

select * from final
