with

interactions as (

    select * from {{ ref('fct_interactions') }}

),

final as (

    select
        interaction_id,
        customer_id,
        account_id,
        source,
        continues_interaction_id,
        direction,
        channel,
        queue,
        -- Agents are people too: a pseudonym that is the same in every row, never the login or address.
        case when agent_id is not null then 'A-' || substr(md5(source || ':' || agent_id), 1, 10) end as agent_label,
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

)

select * from final
