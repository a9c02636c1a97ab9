{%- set metrics = [
    ('first_response_minutes', 'told_response_minutes', 'calendar'),
    ('first_response_business_minutes', 'told_response_business_minutes', 'business'),
    ('first_resolution_minutes', 'told_first_resolution_minutes', 'calendar'),
    ('first_resolution_business_minutes', 'told_first_resolution_business_minutes', 'business'),
    ('resolution_minutes', 'told_resolution_minutes', 'calendar'),
    ('resolution_business_minutes', 'told_resolution_business_minutes', 'business'),
    ('replies', 'told_replies', 'count'),
    ('reopens', 'told_reopens', 'count'),
    ('handoffs', 'told_handoffs', 'count')
] -%}
with

facts as (

    select * from {{ ref('fct_interactions') }}

),

told as (

    select * from {{ ref('int_interactions') }}

),

history as (

    select * from {{ ref('int_interaction_history') }}

),

unmatched as (

    select * from {{ ref('int_unmatched_ticket_metrics') }}

),

joined as (

    select
        facts.*,
        {%- for _, vendor, _ in metrics %}
        told.{{ vendor }},
        {%- endfor %}
        told.measured_at,
        coalesce(history.is_message_history_whole, false) as has_messages,
        coalesce(history.is_status_history_whole, false) as has_statuses,
        history.handoffs is not null as has_hands,
        history.first_automatic_reply_at,
        history.last_reply_at,
        history.last_change_at
    from facts
    inner join told
        on facts.interaction_id = told.interaction_id
    left join history
        on facts.interaction_id = history.interaction_id
    where
        facts.source = 'zendesk'
        {%- for _, vendor, _ in metrics if vendor != 'told_handoffs' %}
        or told.{{ vendor }} is not null
        {%- endfor %}

),

-- One row per contact and metric, with what decides whether a difference can be named. `twin` is the difference of the
-- same metric by the calendar: where the moments agree and business minutes do not, the schedules differ.
pairs as (

    {% for ours, vendor, kind in metrics -%}
    {%- set calendar = ours | replace('_business', '') -%}
    {%- set told_calendar = vendor | replace('_business', '') -%}
    {%- set is_response = ours.startswith('first_response') -%}
    {{ 'union all' if not loop.first }}
    select
        interaction_id,
        source,
        '{{ ours }}' as metric,
        '{{ kind }}' as kind,
        cast({{ ours }} as decimal(18, 2)) as ours,
        cast({{ vendor }} as decimal(18, 2)) as vendor,
        {{ (calendar ~ ' - ' ~ told_calendar) if kind == 'business' else 'cast(null as decimal(18, 2))' }} as twin,
        has_time_conflict,
        {% if is_response -%}
        response_from = 'vendor'
        {%- elif ours == 'replies' or ours == 'handoffs' -%}
        {{ 'not has_hands' if ours == 'handoffs' else 'false' }}
        {%- elif ours == 'resolution_minutes' or ours == 'resolution_business_minutes' -%}
        resolved_at is null
        {%- else -%}
        not has_statuses
        {%- endif %} as is_from_vendor,
        {% if is_response -%}
        coalesce(abs({{ epoch_seconds('opened_at', 'first_automatic_reply_at') }} - 60 * {{ told_calendar }}) < 60, false)
        {%- elif ours == 'replies' -%}
        coalesce({{ vendor }} - replies = automatic_replies and automatic_replies > 0, false)
        {%- else -%}
        false
        {%- endif %} as is_of_a_program,
        {{ "not is_resolved" if 'resolution' in ours else 'false' }} as is_open_again,
        {{ "not has_messages" if ours == 'replies' else 'false' }} as lacks_events,
        coalesce(
            {%- if is_response %}
            first_response_at > measured_at
            {%- elif ours == 'replies' %}
            last_reply_at > measured_at
            {%- elif ours == 'handoffs' %}
            false
            {%- else %}
            last_change_at > measured_at or resolved_at > measured_at
            {%- endif %},
            false
        ) as is_newer
    from joined
    {% endfor -%}

),

-- The first reason that holds; their order goes from what is certain to what only a pattern shows.
reasoned as (

    select
        pairs.*,
        ours - vendor as difference,
        case
            when ours is null and vendor is null then 'neither_knows'
            when vendor is null then 'vendor_has_none'
            when is_from_vendor and ours = vendor then 'taken_from_vendor'
            when ours = vendor then 'equal'
            when kind <> 'count' and abs(ours - vendor) < 1 then 'whole_minutes'
            when kind = 'business' and abs(twin) < 1 then 'other_schedule'
            when is_of_a_program then 'reply_of_a_program'
            when is_newer then 'vendor_measured_before'
            when has_time_conflict then 'times_contradict'
            when is_open_again then 'open_again'
            when lacks_events then 'no_messages_exported'
            else 'unexplained'
        end as reason
    from pairs

),

final as (

    select
        interaction_id,
        source,
        metric,
        ours,
        vendor,
        difference,
        reason,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone
    from reasoned
    union all
    select
        interaction_id,
        'zendesk',
        metric,
        cast(null as decimal(18, 2)),
        vendor_value,
        cast(null as decimal(18, 2)),
        'ticket_not_exported',
        {{ core_as_of() }},
        cast('{{ var("timezone") }}' as varchar)
    from unmatched

)

select * from final
