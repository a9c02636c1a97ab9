with ga4_events as (
    select * from {{ ref('stg_ga4__events') }}
),

canonical_events as (
    select * from {{ ref('canonical__web_event') }}
),

-- Whoever is shown a variant on a device is seen there, as by an event.
exposures as (
    select * from {{ ref('canonical__experiment_exposure') }}
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
        device_source,
        user_source,
        device_id,
        user_id,
        session_key,
        occurred_at
    from canonical_events
    union all
    select
        device_source,
        user_source,
        device_id,
        user_id,
        null as session_key,
        exposed_at as occurred_at
    from exposures
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
