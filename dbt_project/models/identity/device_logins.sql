with web_events as (
    select * from {{ ref('int_web_events') }}
),

observed as (
    select distinct
        device_id,
        user_id,
        session_key,
        occurred_at as login_at
    from web_events
    where
        device_id is not null
        and user_id is not null
        and occurred_at is not null
),

with_previous as (
    select
        *,
        lag(user_id) over device_order as previous_user_id,
        lag(session_key) over device_order as previous_session_key
    from observed
    window device_order as (partition by device_id order by login_at, user_id, session_key)
),

-- An observation says something new when the user or the session changed since the one before.
final as (
    select distinct
        device_id,
        user_id,
        login_at
    from with_previous
    where
        previous_user_id is null
        or previous_user_id <> user_id
        or coalesce(previous_session_key, '') <> coalesce(session_key, '')
)

select * from final
