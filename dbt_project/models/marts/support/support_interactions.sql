with

interactions as (

    select * from {{ ref('fct_interactions') }}

),

-- Agents are people too: a keyed pseudonym that is the same in every row, never the login or address.
agents as (

    select * from {{ source('scores', 'agent_labels') }}

),

final as (

    select
        interaction_id,
        customer_id,
        account_id,
        interactions.source,
        continues_interaction_id,
        direction,
        channel,
        queue,
        agents.agent_label,
        priority,
        {{ marts_mask_personal('topic') }} as topic,
        status,
        opened_at,
        opened_on,
        first_response_at,
        first_response_minutes,
        first_response_business_minutes,
        sla_minutes,
        is_sla_met,
        resolved_at,
        resolved_on,
        first_resolution_minutes,
        resolution_minutes,
        reopens,
        handoffs,
        queue_seconds,
        talk_seconds,
        hold_seconds,
        acw_seconds,
        handle_seconds,
        csat_score as csat,
        is_resolved,
        is_fcr,
        is_abandoned as abandoned,
        is_open,
        has_time_conflict,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone
    from interactions
    left join agents
        on interactions.source = agents.source and interactions.agent_id = agents.agent_id

)

select * from final
