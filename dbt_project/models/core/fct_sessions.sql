with

ga4_events as (

    select * from {{ ref('stg_ga4__events') }}

),

canonical_events as (

    select * from {{ ref('canonical__web_event') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

),

-- Events without a device (consent denied) belong to nobody and to no session.
events as (

    select
        'ga4' as source_name,
        'ga4.device' as device_source,
        device_id,
        'ga4.user' as user_source,
        user_id,
        session_key,
        event_key,
        event_name,
        occurred_at,
        transaction_id,
        is_session_engaged,
        device_category,
        traffic_source,
        traffic_medium
    from ga4_events
    where device_id is not null and occurred_at is not null
    union all
    select
        source_name,
        device_source,
        device_id,
        user_source,
        user_id,
        session_key,
        event_key,
        event_name,
        occurred_at,
        transaction_id,
        is_session_engaged,
        device_category,
        traffic_source,
        traffic_medium
    from canonical_events
    where device_id is not null and occurred_at is not null

),

-- Where the source names no session, 30 minutes without an event end one.
gaps as (

    select
        events.*,
        lag(occurred_at) over (
            partition by source_name, device_id, case when session_key is null then 1 else 0 end
            order by occurred_at, event_key
        ) as previous_at
    from events

),

numbered as (

    select
        gaps.*,
        sum(
            case
                when session_key is null
                    and (previous_at is null or {{ epoch_seconds('previous_at', 'occurred_at') }} > 1800)
                then 1
                else 0
            end
        ) over (
            partition by source_name, device_id, case when session_key is null then 1 else 0 end
            order by occurred_at, event_key
            rows between unbounded preceding and current row
        ) as inferred_number
    from gaps

),

session_events as (

    select
        numbered.*,
        coalesce(
            source_name || ':' || session_key,
            source_name || ':' || md5(device_id || '|' || cast(inferred_number as varchar))
        ) as session_id
    from numbered

),

sessions as (

    select
        session_id,
        source_name,
        device_source,
        device_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as events,
        sum(case when event_name in ('page_view', 'screen_view') then 1 else 0 end) as page_views,
        max(case when is_session_engaged then 1 else 0 end) = 1 as engaged,
        count(distinct case when event_name = 'purchase' then coalesce(transaction_id, event_key) end) as purchases
    from session_events
    group by session_id, source_name, device_source, device_id

),

entries as (

    select session_id, device_category, traffic_source, traffic_medium
    from (
        select
            session_id,
            device_category,
            traffic_source,
            traffic_medium,
            row_number() over (
                partition by session_id
                order by case when traffic_source is null then 1 else 0 end, occurred_at, event_key
            ) as entry_rank
        from session_events
    ) as ranked
    where entry_rank = 1

),

-- Logins that lead to a customer; a user id that maps to nobody says nothing.
logins as (

    select
        session_events.session_id,
        session_events.source_name,
        session_events.device_id,
        session_events.occurred_at,
        session_events.user_source,
        session_events.user_id,
        map.customer_id
    from session_events
    inner join customer_map as map
        on session_events.user_source = map.source and session_events.user_id = map.record_key

),

-- Several people in one session: whoever did most in it, then whoever came first.
session_logins as (

    select session_id, customer_id, user_source, user_id
    from (
        select
            session_id,
            customer_id,
            min(user_source) as user_source,
            min(user_id) as user_id,
            row_number() over (
                partition by session_id
                order by count(*) desc, min(occurred_at), customer_id
            ) as login_rank
        from logins
        group by session_id, customer_id
    ) as ranked
    where login_rank = 1

),

login_moments as (

    select source_name, device_id, occurred_at, customer_id, user_source, user_id
    from (
        select
            logins.*,
            row_number() over (
                partition by source_name, device_id, occurred_at
                order by customer_id desc, user_source, user_id
            ) as moment_rank
        from logins
    ) as ranked
    where moment_rank = 1

),

login_slices as (

    select
        source_name,
        device_id,
        customer_id,
        user_source,
        user_id,
        occurred_at as slice_from,
        row_number() over (partition by source_name, device_id order by occurred_at) as login_number
    from login_moments

),

-- The last login before each session. Sessions and logins of a device in one row of time: a join of the two by "from"
-- and "until" compares every session with every login of everybody.
timeline as (

    select session_id, source_name, device_source, device_id, started_at as happened_at, 0 as is_login,
        cast(null as bigint) as login_number
    from sessions
    union all
    select null, source_name, null, device_id, slice_from, 1, login_number
    from login_slices

),

numbered_sessions as (

    select session_id, source_name, device_source, device_id, login_number
    from (
        select
            session_id,
            source_name,
            device_source,
            device_id,
            is_login,
            max(login_number) over (
                partition by source_name, device_id
                order by happened_at, is_login
                rows between unbounded preceding and current row
            ) as login_number
        from timeline
    ) as marked
    where is_login = 0 and login_number is not null

),

session_slices as (

    select
        numbered_sessions.session_id,
        numbered_sessions.device_source,
        numbered_sessions.device_id,
        slices.customer_id,
        slices.user_source,
        slices.user_id
    from numbered_sessions
    inner join login_slices as slices
        on numbered_sessions.source_name = slices.source_name
        and numbered_sessions.device_id = slices.device_id
        and numbered_sessions.login_number = slices.login_number

),

attributed as (

    select
        sessions.*,
        session_logins.customer_id as login_customer_id,
        session_logins.user_source as login_source,
        session_logins.user_id as login_key,
        before.customer_id as before_customer_id,
        before.user_source as before_source,
        before.user_id as before_key,
        upcoming.user_source as next_source,
        upcoming.user_id as next_key,
        case
            when upcoming.slice_from <= {{ dbt.dateadd('day', var('device_login_window_days'), 'sessions.ended_at') }}
            then upcoming.customer_id
        end as next_customer_id,
        device_map.customer_id as device_customer_id,
        coalesce(device_map.is_known, false) as device_is_known
    from sessions
    left join session_logins on sessions.session_id = session_logins.session_id
    left join session_slices as before
        on sessions.session_id = before.session_id
        and sessions.device_source = before.device_source
        and sessions.device_id = before.device_id
    -- The device's first login, and only when it lies after the session: nobody had logged in before.
    left join login_slices as upcoming
        on sessions.source_name = upcoming.source_name
        and sessions.device_id = upcoming.device_id
        and upcoming.login_number = 1
        and upcoming.slice_from > sessions.ended_at
    left join customer_map as device_map
        on sessions.device_source = device_map.source and sessions.device_id = device_map.record_key

),

final as (

    select
        attributed.session_id,
        coalesce(login_customer_id, before_customer_id, next_customer_id, device_customer_id) as customer_id,
        customers.account_id,
        case
            when login_customer_id is not null then login_source
            when before_customer_id is not null then before_source
            when next_customer_id is not null then next_source
            else device_source
        end as person_source,
        case
            when login_customer_id is not null then login_key
            when before_customer_id is not null then before_key
            when next_customer_id is not null then next_key
            else device_id
        end as person_record_key,
        md5(device_source || '|' || device_id) as device_id_hash,
        source_name as event_source,
        started_at,
        ended_at,
        {{ local_date('started_at') }} as started_on,
        events,
        cast(page_views as bigint) as page_views,
        engaged,
        purchases,
        entries.traffic_source as source,
        entries.traffic_medium as medium,
        entries.device_category,
        case
            when login_customer_id is not null then 'login'
            when before_customer_id is not null then 'slice_before'
            when next_customer_id is not null then 'slice_next'
            when device_is_known then 'device'
            else 'anonymous'
        end as attribution
    from attributed
    left join entries on attributed.session_id = entries.session_id
    left join customers
        on coalesce(login_customer_id, before_customer_id, next_customer_id, device_customer_id) = customers.customer_id

)

select * from final
