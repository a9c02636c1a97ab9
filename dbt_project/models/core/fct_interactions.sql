with

interactions as (

    select * from {{ ref('int_interactions') }}

),

history as (

    select * from {{ ref('int_interaction_history') }}

),

priorities as (

    select interaction_id, event_id, happened_at, old_value, new_value
    from {{ ref('canonical__interaction_event') }}
    where event_kind = 'priority'

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

),

days as (

    select * from {{ ref('dim_dates') }}

),

business_now as (

    select business_seconds_before + business_seconds as business_seconds
    from days
    where date_on = {{ core_as_of() }}

),

-- Own moments from messages and changes where they are there from the beginning, else those that the source tells.
moments as (

    select
        interactions.*,
        customer_map.customer_id,
        history.replies,
        history.automatic_replies,
        history.notes,
        history.note_characters,
        case
            when not coalesce(is_message_history_whole, false)
                then coalesce(told_response_at, case when told_response_minutes is null then first_reply_at end)
            when first_reply_at is not null then first_reply_at
            -- Later than the last message known: the messages end before it.
            when {{ epoch_seconds('last_message_at', 'told_response_at') }} > 60 then told_response_at
        end as first_response_at,
        case
            when is_message_history_whole and first_reply_at is not null then 'messages'
            when is_message_history_whole
                and not coalesce({{ epoch_seconds('last_message_at', 'told_response_at') }} > 60, false) then null
            when told_response_minutes is not null then 'vendor'
            when told_response_at is not null then 'moments'
            when first_reply_at is not null then 'messages'
        end as response_from,
        case
            when not is_resolved then null
            when is_status_history_whole and ends_solved then last_solved_at
            else told_resolved_at
        end as resolved_at,
        case when is_status_history_whole then first_solved_at end as first_solved_at,
        coalesce(is_status_history_whole, false) as is_status_history_whole,
        cast(coalesce(case when is_status_history_whole then history.reopens end, told_reopens, 0) as bigint)
            as reopens,
        cast(coalesce(history.handoffs, told_handoffs, 0) as bigint) as handoffs
    from interactions
    left join history
        on interactions.interaction_id = history.interaction_id
    left join customer_map
        on interactions.person_source = customer_map.source
        and interactions.person_record_key = customer_map.record_key

),

timed as (

    select
        moments.*,
        coalesce(
            first_solved_at,
            case
                when told_first_resolution_minutes is not null
                then {{ dbt.dateadd('minute', 'cast(told_first_resolution_minutes as integer)', 'opened_at') }}
                when reopens = 0 then resolved_at
            end
        ) as first_resolved_at,
        {{ local_date('opened_at') }} as opened_on,
        {{ local_date('first_response_at') }} as responded_on,
        {{ local_date('resolved_at') }} as resolved_on,
        coalesce(
            resolved_at < opened_at or first_response_at < opened_at or resolved_at < first_response_at, false
        ) as has_time_conflict
    from moments

),

-- The priority in force when the first reply went out, or by now where none did.
priorities_then as (

    select interaction_id, priority
    from (
        select
            priorities.interaction_id,
            {{ priority_of('priorities.new_value') }} as priority,
            row_number() over (
                partition by priorities.interaction_id
                order by priorities.happened_at desc, priorities.event_id desc
            ) as place
        from priorities
        inner join timed
            on priorities.interaction_id = timed.interaction_id
        where priorities.happened_at <= coalesce(timed.first_response_at, {{ as_of_end() }})
    ) as ranked
    where place = 1

),

priorities_before as (

    select interaction_id, priority
    from (
        select
            interaction_id,
            {{ priority_of('old_value') }} as priority,
            row_number() over (partition by interaction_id order by happened_at, event_id) as place
        from priorities
    ) as ranked
    where place = 1

),

-- A contact is new when a customer brings it: later legs of a transfer and calls of the company are none.
arrivals as (

    select
        interaction_id,
        lead(opened_at) over (partition by customer_id order by opened_at, interaction_id) as next_opened_at,
        case when topic is not null then
            lead(opened_at) over (partition by customer_id, lower(trim(topic)) order by opened_at, interaction_id)
        end as next_on_topic_at
    from timed
    where customer_id is not null and direction = 'inbound' and continues_interaction_id is null

),

measured as (

    select
        timed.*,
        arrivals.interaction_id is not null as is_arrival,
        arrivals.next_opened_at,
        arrivals.next_on_topic_at,
        coalesce(priorities_then.priority, priorities_before.priority, timed.priority) as sla_priority,
        case
            when coalesce(priorities_then.priority, priorities_before.priority) is not null then 'history'
            when timed.priority is not null then 'current'
        end as sla_priority_from,
        {{ business_seconds_at('timed.opened_at', 'opened_day') }} as opened_business,
        -- A duration between times that contradict each other is unknown, never zero and never negative.
        case
            when first_response_at < opened_at or first_response_at > resolved_at then null
            when response_from = 'vendor' then coalesce(told_response_minutes, {{ epoch_minutes('opened_at', 'first_response_at') }})
            else {{ epoch_minutes('opened_at', 'first_response_at') }}
        end as first_response_minutes,
        case
            when first_response_at < opened_at or first_response_at > resolved_at then null
            else {{ business_seconds_at('first_response_at', 'responded_day') }}
        end as responded_business,
        case
            when has_time_conflict or first_resolved_at < opened_at then null
            else coalesce({{ epoch_minutes('opened_at', 'first_resolved_at') }}, told_first_resolution_minutes)
        end as first_resolution_minutes,
        case
            when has_time_conflict or first_resolved_at < opened_at then null
            else {{ business_seconds_at('first_resolved_at', 'first_resolved_day') }}
        end as first_resolved_business,
        case
            when has_time_conflict then null
            else coalesce({{ epoch_minutes('opened_at', 'resolved_at') }}, told_resolution_minutes)
        end as resolution_minutes,
        case when has_time_conflict then null else {{ business_seconds_at('resolved_at', 'resolved_day') }} end
            as resolved_business
    from timed
    left join arrivals on timed.interaction_id = arrivals.interaction_id
    left join priorities_then on timed.interaction_id = priorities_then.interaction_id
    left join priorities_before on timed.interaction_id = priorities_before.interaction_id
    left join days as opened_day on timed.opened_on = opened_day.date_on
    left join days as responded_day on timed.responded_on = responded_day.date_on
    left join days as first_resolved_day on {{ local_date('timed.first_resolved_at') }} = first_resolved_day.date_on
    left join days as resolved_day on timed.resolved_on = resolved_day.date_on

),

judged as (

    select
        measured.*,
        {{ business_minutes('opened_business', 'responded_business') }} as first_response_business_minutes,
        {{ business_minutes('opened_business', 'first_resolved_business') }} as first_resolution_business_minutes,
        {{ business_minutes('opened_business', 'resolved_business') }} as resolution_business_minutes,
        {{ business_minutes('opened_business', 'business_now.business_seconds') }} as business_minutes_so_far,
        {{ epoch_minutes('opened_at', as_of_end()) }} as minutes_so_far,
        {{ sla_minutes_of('sla_priority') }} as sla_minutes,
        {{ dbt.dateadd('day', 7, 'resolved_at') }} as settled_at
    from measured
    cross join business_now

),

final as (

    select
        interaction_id,
        judged.customer_id,
        coalesce(account_key, customers.account_id) as account_id,
        judged.source,
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
        response_from,
        first_response_minutes,
        first_response_business_minutes,
        cast(replies as bigint) as replies,
        cast(automatic_replies as bigint) as automatic_replies,
        cast(notes as bigint) as notes,
        cast(note_characters as bigint) as note_characters,
        sla_priority,
        sla_priority_from,
        sla_minutes,
        case
            when sla_minutes is null then null
            when {{ sla_clock('first_response') }} is not null then {{ sla_clock('first_response') }} <= sla_minutes
            when first_response_at is null and is_open and {{ sla_clock('so_far') }} > sla_minutes then false
        end as is_sla_met,
        first_resolved_at,
        first_resolution_minutes,
        first_resolution_business_minutes,
        resolved_at,
        resolved_on,
        resolution_minutes,
        resolution_business_minutes,
        reopens,
        handoffs,
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
        coalesce(is_call, false) as is_call,
        is_resolved,
        -- Solved, not reopened, and no new contact of the customer on the topic within 7 days of the solution.
        case
            when topic is null then null
            else {{ first_contact_resolution('next_on_topic_at') }}
        end as is_fcr,
        {{ first_contact_resolution('next_opened_at') }} as is_fcr_proxy,
        is_abandoned,
        case
            when is_call and direction = 'inbound' and continues_interaction_id is null and not is_open
            then first_response_at is null and not is_resolved
        end as is_unanswered,
        is_open,
        has_time_conflict
    from judged
    left join customers on judged.customer_id = customers.customer_id

)

select * from final
