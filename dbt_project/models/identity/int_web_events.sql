with ga4_events as (
    select * from {{ ref('stg_ga4__events') }}
),

mapped_events as (
    select * from {{ ref('stg_mapped__web_event') }}
),

unioned as (
    select
        'ga4.device' as device_source,
        'ga4.user' as user_source,
        device_id,
        user_id,
        session_key,
        occurred_at
    from ga4_events
    union all
    select
        concat('mapped.', identity_namespace, '.device') as device_source,
        concat('mapped.', identity_namespace, '.user') as user_source,
        device_id,
        user_id,
        session_key,
        occurred_at
    from mapped_events
),

final as (
    select
        device_source,
        user_source,
        device_id,
        user_id,
        session_key,
        occurred_at
    from unioned
    where
        device_id is not null
        or user_id is not null
)

select * from final
