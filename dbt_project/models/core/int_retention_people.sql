with

-- First and last days, and all that the days add up to, in one pass.
lives as (

    select
        customer_number,
        min(case when has_ordered then active_on end) as first_order_on,
        max(case when has_ordered then active_on end) as last_order_on,
        min(case when has_visited then active_on end) as first_session_on,
        max(case when has_visited then active_on end) as last_session_on,
        cast(sum(orders) as bigint) as orders,
        count(case when has_ordered then 1 end) as order_days,
        cast(sum(refunded_orders) as bigint) as refunded_orders,
        cast(sum(sessions) as bigint) as sessions,
        cast(coalesce(sum(gross), 0) as decimal(18, 2)) as gross,
        cast(coalesce(sum(net), 0) as decimal(18, 2)) as net
    from {{ ref('int_active_days') }}
    group by customer_number

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

final as (

    select
        numbers.customer_id,
        numbers.customer_number,
        lives.first_order_on,
        lives.first_session_on,
        sign_ups.signed_up_on,
        lives.last_order_on,
        lives.last_session_on,
        coalesce(lives.orders, 0) as orders,
        coalesce(lives.order_days, 0) as order_days,
        coalesce(lives.refunded_orders, 0) as refunded_orders,
        coalesce(lives.sessions, 0) as sessions,
        coalesce(lives.gross, 0) as gross,
        coalesce(lives.net, 0) as net
    from {{ ref('int_customer_numbers') }} as numbers
    left join lives on numbers.customer_number = lives.customer_number
    left join sign_ups on numbers.customer_id = sign_ups.customer_id
    where lives.customer_number is not null or sign_ups.signed_up_on is not null

)

select * from final
