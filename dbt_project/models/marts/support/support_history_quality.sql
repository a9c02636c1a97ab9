{%- set parts = ['customer', 'owner', 'topic', 'priority', 'note', 'end'] -%}
with

facts as (

    select * from {{ ref('fct_interactions') }}
    where opened_on is not null and continues_interaction_id is null and direction = 'inbound'

),

-- Whether a note was written can be asked only of a source whose messages are exported.
talking as (

    select distinct source
    from facts
    where note_characters is not null

),

-- 1 where the part is there, 0 where it is missing, NULL where nobody can expect it.
seen as (

    select
        {{ core_month('opened_on') }} as month_on,
        coalesce(channel, 'unknown') as channel_name,
        coalesce(queue, 'unknown') as queue_name,
        is_resolved,
        case when customer_id is not null then 1 else 0 end as has_customer,
        case when is_abandoned or is_unanswered then null when agent_id is not null then 1 else 0 end as has_owner,
        case when is_call then null when topic is not null then 1 else 0 end as has_topic,
        case when is_call then null when priority is not null then 1 else 0 end as has_priority,
        case
            when not is_resolved or talking.source is null then null
            when note_characters >= 20 then 1
            else 0
        end as has_note,
        case when not is_resolved then null when resolved_at is not null and not has_time_conflict then 1 else 0 end
            as has_end
    from facts
    left join talking
        on facts.source = talking.source

),

judged as (

    select
        seen.*,
        case when {% for part in parts %}coalesce(has_{{ part }}, 1){{ ' + ' if not loop.last }}{% endfor %} = {{ parts | length }}
            then 1 else 0 end as is_complete_note
    from seen

),

counted as (

    select
        month_on,
        channel_name,
        queue_name,
        count(*) as contacts,
        sum(case when is_resolved then 1 else 0 end) as resolved,
        sum(is_complete_note) as complete
        {%- for part in parts %},
        count(has_{{ part }}) as {{ part }}_asked,
        sum(has_{{ part }}) as {{ part }}_there
        {%- endfor %}
    from judged
    group by month_on, channel_name, queue_name

),

final as (

    select
        month_on as month,
        channel_name as channel,
        queue_name as queue,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(contacts as bigint) as contacts,
        cast(resolved as bigint) as resolved,
        cast(complete as bigint) as complete,
        {{ core_ratio('complete', 'contacts') }} as complete_share,
        {%- for part in parts %}
        {{ core_ratio(part ~ '_there', part ~ '_asked') }} as {{ part }}_share,
        {%- endfor %}
        {{ core_add_days(dbt.dateadd('month', 1, 'month_on'), -1) }} <= {{ core_as_of() }} as is_complete
    from counted

)

select * from final
