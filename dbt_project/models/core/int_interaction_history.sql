with

interactions as (

    select * from {{ ref('int_interactions') }}

),

messages as (

    select
        interaction_id,
        message_id,
        sent_at,
        direction,
        length(trim(body)) as characters,
        {{ author_kind_of('author_kind', 'author_key') }} as author_kind
    from {{ ref('canonical__message') }}
    where interaction_id is not null

),

changes as (

    select * from {{ ref('canonical__interaction_event') }}

),

-- What opens a contact answers nothing, even where an agent wrote it for the customer.
answers as (

    select
        messages.*,
        messages.direction = 'outbound' and sent_at > opened_at as is_answer,
        coalesce(author_kind, 'agent') = 'agent' as is_person
    from messages
    inner join interactions
        on messages.interaction_id = interactions.interaction_id

),

written as (

    select
        interaction_id,
        count(*) as messages,
        min(sent_at) as first_message_at,
        max(sent_at) as last_message_at,
        min(case when is_answer and is_person then sent_at end) as first_reply_at,
        count(case when is_answer and is_person then 1 end) as replies,
        min(case when is_answer and not is_person then sent_at end) as first_automatic_reply_at,
        count(case when is_answer and not is_person then 1 end) as automatic_replies,
        max(case when is_answer and is_person then sent_at end) as last_reply_at,
        count(case when direction = 'internal' and is_person then 1 end) as notes,
        max(case when is_person and (is_answer or direction = 'internal') then characters end) as note_characters,
        count(case when direction = 'inbound' then 1 end) as customer_messages
    from answers
    group by interaction_id

),

states as (

    select
        interaction_id,
        event_id,
        happened_at,
        {{ is_solved_word('new_value') }} as is_solved,
        case when old_value is not null then {{ is_solved_word('old_value') }} end as was_solved_by_its_word
    from changes
    where event_kind = 'status'

),

steps as (

    select
        states.*,
        row_number() over (partition by interaction_id order by happened_at, event_id) as place,
        row_number() over (partition by interaction_id order by happened_at desc, event_id desc) as place_from_end,
        coalesce(
            lag(is_solved) over (partition by interaction_id order by happened_at, event_id),
            was_solved_by_its_word,
            false
        ) as was_solved
    from states

),

-- A history that begins with a solved contact lacks what came before.
lived as (

    select
        interaction_id,
        not max(case when place = 1 and was_solved then 1 else 0 end) = 1 as is_status_history_whole,
        min(case when is_solved and not was_solved then happened_at end) as first_solved_at,
        max(case when is_solved and not was_solved then happened_at end) as last_solved_at,
        count(case when was_solved and not is_solved then 1 end) as reopens,
        max(case when place_from_end = 1 and is_solved then 1 else 0 end) = 1 as ends_solved,
        max(happened_at) as last_change_at
    from steps
    group by interaction_id

),

hands as (

    select
        interaction_id,
        new_value as agent_id,
        lag(new_value) over (partition by interaction_id order by happened_at, event_id) as agent_before
    from changes
    where event_kind = 'assignee' and new_value is not null

),

passed as (

    select
        interaction_id,
        count(case when agent_before is not null and agent_before <> agent_id then 1 end) as handoffs
    from hands
    group by interaction_id

),

final as (

    select
        interactions.interaction_id,
        cast(coalesce(written.messages, 0) as bigint) as messages,
        -- The messages begin with the contact, so that its first reply is among them.
        coalesce(
            {{ epoch_seconds('interactions.opened_at', 'written.first_message_at') }} <= 60, false
        ) as is_message_history_whole,
        written.first_reply_at,
        written.first_automatic_reply_at,
        written.last_reply_at,
        written.last_message_at,
        cast(written.replies as bigint) as replies,
        cast(written.automatic_replies as bigint) as automatic_replies,
        cast(written.notes as bigint) as notes,
        cast(coalesce(written.note_characters, 0) as bigint) as note_characters,
        cast(written.customer_messages as bigint) as customer_messages,
        coalesce(lived.is_status_history_whole, false) as is_status_history_whole,
        lived.first_solved_at,
        lived.last_solved_at,
        cast(lived.reopens as bigint) as reopens,
        lived.ends_solved,
        lived.last_change_at,
        cast(passed.handoffs as bigint) as handoffs
    from interactions
    left join written on interactions.interaction_id = written.interaction_id
    left join lived on interactions.interaction_id = lived.interaction_id
    left join passed on interactions.interaction_id = passed.interaction_id
    where coalesce(written.interaction_id, lived.interaction_id, passed.interaction_id) is not null

)

select * from final
