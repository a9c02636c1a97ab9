with

interactions as (

    select interaction_id, source, agent_id, is_call, talk_seconds, hold_seconds, acw_seconds, handle_seconds,
        first_response_at, opened_at
    from {{ ref('fct_interactions') }}

),

messages as (

    select
        interaction_id,
        author_key as agent_id,
        direction,
        sent_at
    from {{ ref('canonical__message') }}
    where
        interaction_id is not null
        and author_key is not null
        and direction in ('outbound', 'internal')
        and coalesce({{ author_kind_of('author_kind', 'author_key') }}, 'agent') = 'agent'

),

changes as (

    select interaction_id, new_value as agent_id, happened_at
    from {{ ref('canonical__interaction_event') }}
    where event_kind = 'assignee' and new_value is not null

),

-- What opens a contact for a customer is no reply; int_interaction_history counts in the same way.
written as (

    select
        messages.interaction_id,
        messages.agent_id,
        count(case when messages.direction = 'outbound' and messages.sent_at > interactions.opened_at then 1 end)
            as replies,
        count(case when messages.direction = 'internal' then 1 end) as notes,
        min(case when messages.direction = 'outbound' and messages.sent_at > interactions.opened_at then messages.sent_at end)
            as first_reply_at
    from messages
    inner join interactions
        on messages.interaction_id = interactions.interaction_id
    group by messages.interaction_id, messages.agent_id

),

assigned as (

    select interaction_id, agent_id, count(*) as assignments
    from changes
    group by interaction_id, agent_id

),

-- Everybody who touched it; the agent who had it last always, and a row without an agent where nobody had it.
pairs as (

    select interaction_id, agent_id from interactions
    union
    select interaction_id, agent_id from written
    union
    select assigned.interaction_id, assigned.agent_id
    from assigned
    inner join interactions
        on assigned.interaction_id = interactions.interaction_id

),

joined as (

    select
        pairs.interaction_id,
        interactions.source,
        pairs.agent_id,
        pairs.agent_id is null and interactions.agent_id is null or pairs.agent_id = interactions.agent_id as is_owner,
        coalesce(written.replies, 0) as replies,
        coalesce(written.notes, 0) as notes,
        coalesce(assigned.assignments, 0) as assignments,
        coalesce(written.first_reply_at = interactions.first_response_at, false) as gave_first_response,
        interactions.talk_seconds,
        interactions.hold_seconds,
        interactions.acw_seconds,
        interactions.handle_seconds,
        interactions.is_call and interactions.first_response_at is not null as is_answered_call
    from pairs
    inner join interactions on pairs.interaction_id = interactions.interaction_id
    left join written on pairs.interaction_id = written.interaction_id and pairs.agent_id = written.agent_id
    left join assigned on pairs.interaction_id = assigned.interaction_id and pairs.agent_id = assigned.agent_id

),

-- Telephony names one agent per leg, so seconds of work are those of the agent who had it.
owned as (

    select
        joined.*,
        coalesce(is_owner, false) as is_owner_row,
        coalesce(is_owner, false) and coalesce(is_answered_call, false) as has_call
    from joined

),

final as (

    select
        interaction_id,
        source,
        agent_id,
        is_owner_row as is_owner,
        gave_first_response or has_call as gave_first_response,
        cast(replies as bigint) as replies,
        cast(notes as bigint) as notes,
        cast(assignments as bigint) as assignments,
        cast(replies + notes + case when has_call then 1 else 0 end as bigint) as touches,
        case when is_owner_row then talk_seconds end as talk_seconds,
        case when is_owner_row then hold_seconds end as hold_seconds,
        case when is_owner_row then acw_seconds end as acw_seconds,
        case when is_owner_row then handle_seconds end as handle_seconds
    from owned

)

select * from final
