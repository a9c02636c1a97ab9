with

orders as (

    select
        customer_id,
        ordered_on as active_on,
        cast(sum(gross_reporting) as decimal(18, 2)) as gross,
        cast(sum(net_reporting) as decimal(18, 2)) as net
    from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null
    group by customer_id, ordered_on

),

sessions as (

    select distinct customer_id, started_on as active_on
    from {{ ref('fct_sessions') }}
    where customer_id is not null and started_on is not null

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

either as (

    select customer_id, active_on from orders
    union
    select customer_id, active_on from sessions

),

-- A sign-up is no return by itself: what counts is an order or a session on that day or later.
after_sign_up as (

    select sign_ups.customer_id, sign_ups.signed_up_on, either.active_on
    from sign_ups
    left join either
        on sign_ups.customer_id = either.customer_id and sign_ups.signed_up_on <= either.active_on

),

final as (

    select
        'first_order' as cohort_by,
        customer_id,
        min(active_on) over (partition by customer_id) as first_on,
        active_on,
        gross,
        net
    from orders
    union all
    select
        'first_session',
        customer_id,
        min(active_on) over (partition by customer_id),
        active_on,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2))
    from sessions
    union all
    select
        'sign_up',
        customer_id,
        signed_up_on,
        active_on,
        cast(null as decimal(18, 2)),
        cast(null as decimal(18, 2))
    from after_sign_up

)

select * from final
