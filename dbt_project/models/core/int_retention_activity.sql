with

order_days as (

    select
        customer_id,
        ordered_on as active_on,
        cast(sum(gross_reporting) as decimal(18, 2)) as gross,
        cast(sum(net_reporting) as decimal(18, 2)) as net
    from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null
    group by customer_id, ordered_on

),

session_days as (

    select distinct customer_id, started_on as active_on
    from {{ ref('fct_sessions') }}
    where customer_id is not null and started_on is not null

),

first_orders as (

    select customer_id, min(active_on) as first_on
    from order_days
    group by customer_id

),

first_sessions as (

    select customer_id, min(active_on) as first_on
    from session_days
    group by customer_id

),

-- The day on which a list of people first held the customer: a CRM, a shop account, a help desk's users.
sign_ups as (

    select map.customer_id, min({{ local_date('records.created_at') }}) as signed_up_on
    from {{ ref('source_records') }} as records
    inner join {{ source('identity', 'customer_map') }} as map
        on records.source = map.source and records.record_key = map.record_key
    where records.entity in ('contact', 'user', 'customer') and map.is_known and records.created_at is not null
    group by map.customer_id

),

-- A sign-up is no return by itself: what counts is an order or a session on that day or later.
after_sign_up as (

    select sign_ups.customer_id, sign_ups.signed_up_on, order_days.active_on
    from order_days
    inner join sign_ups
        on order_days.customer_id = sign_ups.customer_id and order_days.active_on >= sign_ups.signed_up_on
    union
    select sign_ups.customer_id, sign_ups.signed_up_on, session_days.active_on
    from session_days
    inner join sign_ups
        on session_days.customer_id = sign_ups.customer_id and session_days.active_on >= sign_ups.signed_up_on

),

final as (

    select
        'first_order' as cohort_by,
        order_days.customer_id,
        first_orders.first_on,
        order_days.active_on,
        order_days.gross,
        order_days.net
    from order_days
    inner join first_orders on order_days.customer_id = first_orders.customer_id
    union all
    select
        'first_session',
        session_days.customer_id,
        first_sessions.first_on,
        session_days.active_on,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2))
    from session_days
    inner join first_sessions on session_days.customer_id = first_sessions.customer_id
    union all
    select
        'sign_up',
        customer_id,
        signed_up_on,
        active_on,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2))
    from after_sign_up
    union all
    select
        'sign_up',
        sign_ups.customer_id,
        sign_ups.signed_up_on,
        cast(null as date),
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2))
    from sign_ups
    where sign_ups.customer_id not in (select customer_id from after_sign_up)

)

select * from final
