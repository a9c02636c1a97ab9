with

metrics as (

    select * from {{ ref('stg_zendesk__ticket_metrics') }}

),

interactions as (

    select * from {{ ref('int_interactions') }}

),

unmatched as (

    select metrics.*
    from metrics
    left join interactions on 'zendesk:' || metrics.ticket_id = interactions.interaction_id
    where interactions.interaction_id is null

),

final as (

    {% for ours, column in [
        ('first_response_minutes', 'reply_time_calendar_minutes'),
        ('first_resolution_minutes', 'first_resolution_calendar_minutes'),
        ('resolution_minutes', 'full_resolution_calendar_minutes'),
        ('replies', 'replies'),
        ('reopens', 'reopens')
    ] -%}
    {{ 'union all' if not loop.first }}
    select
        'zendesk:' || ticket_id as interaction_id,
        '{{ ours }}' as metric,
        cast({{ column }} as decimal(18, 2)) as vendor_value
    from unmatched
    {% endfor %}
)

select * from final
