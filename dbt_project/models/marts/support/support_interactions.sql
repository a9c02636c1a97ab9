{% set once = [
    'first_response_minutes', 'first_response_business_minutes', 'sla_minutes', 'is_sla_met',
    'first_resolution_minutes', 'first_resolution_business_minutes', 'resolution_minutes',
    'resolution_business_minutes', 'reopens', 'handoffs', 'automatic_replies', 'queue_seconds', 'csat', 'is_resolved',
    'is_fcr', 'is_fcr_proxy', 'abandoned', 'is_unanswered', 'is_open', 'has_time_conflict'
] %}
with

interactions as (

    select
        *,
        csat_score as csat,
        is_abandoned as abandoned
    from {{ ref('fct_interactions') }}

),

work as (

    select * from {{ ref('fct_interaction_agents') }}

),

-- Agents are people too: a keyed pseudonym that is the same in every row, never the login or address.
agents as (

    select * from {{ source('scores', 'agent_labels') }}

),

-- What is measured of the whole contact stands in one row, so that sums and means over all rows count it once.
final as (

    select
        work.interaction_id,
        customer_id,
        account_id,
        interactions.source,
        continues_interaction_id,
        direction,
        channel,
        queue,
        agents.agent_label,
        work.is_owner,
        priority,
        {{ marts_mask_personal('topic') }} as topic,
        status,
        opened_at,
        opened_on,
        first_response_at,
        response_from,
        sla_priority,
        sla_priority_from,
        first_resolved_at,
        resolved_at,
        resolved_on,
        {%- for name in once %}
        case when work.is_owner then interactions.{{ name }} end as {{ name }},
        {%- endfor %}
        work.gave_first_response,
        work.replies,
        work.notes,
        work.assignments,
        work.touches,
        work.talk_seconds,
        work.hold_seconds,
        work.acw_seconds,
        work.handle_seconds,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone
    from work
    inner join interactions
        on work.interaction_id = interactions.interaction_id
    left join agents
        on work.source = agents.source and work.agent_id = agents.agent_id

)

select * from final
