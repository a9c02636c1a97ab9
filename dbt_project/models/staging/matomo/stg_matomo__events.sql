with visits as (
    select * from {{ ref('stg_matomo__visits') }}
),

-- Actions are a list that only grows, so the place in it names the action.
numbered as (
    select
        visits.*,
        {{ numbers_to(json_list_length('actions')) }} as action_number
    from visits
    where actions is not null and {{ json_list_length('actions') }} > 0
),

actions_read as (
    select
        *,
        {% for name in ['type', 'url', 'timestamp', 'orderId', 'eventAction'] -%}
        {{ json_list_text('actions', 'action_number', name) }} as action_{{ name | lower }}{{ ',' if not loop.last }}
        {% endfor %}
    from numbered
),

timed as (
    select
        *,
        coalesce({{ from_epoch('action_timestamp') }}, first_action_at) as happened_at
    from actions_read
),

renamed as (
    select
        -- keys
        'matomo' as source_name,
        'matomo' as identity_namespace,
        concat(site_id, ':', visit_id, ':', action_number) as event_key,
        'matomo.device' as device_source,
        visitor_id as device_id,
        'matomo.user' as user_source,
        user_id,
        concat(site_id, ':', visit_id) as session_key,

        -- event
        case action_type
            when 'action' then 'page_view'
            when 'ecommerceOrder' then 'purchase'
            when 'event' then coalesce(action_eventaction, 'event')
            else coalesce(action_type, 'unknown')
        end as event_name,
        action_url as page,
        action_orderid as transaction_id,

        -- context
        lower(device_type) as device_category,
        region,
        referrer_name as traffic_source,
        referrer_type as traffic_medium,
        {{ nothing_for(['is_session_engaged']) }},

        -- times
        happened_at as occurred_at,
        {{ local_date('happened_at') }} as occurred_on,
        case when happened_at is null then 'no_event_time' end as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from timed
    where {{ happened_by_as_of('happened_at') }}
),

final as (
    select * from renamed
)

select * from final
