with

first_orders as (

    select customer_id, min(ordered_on) as first_order_on
    from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null
    group by customer_id

),

first_sessions as (

    select customer_id, min(started_on) as first_session_on
    from {{ ref('fct_sessions') }}
    where customer_id is not null and started_on is not null
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

listed as (

    select
        customer_id, first_order_on, cast(null as date) as first_session_on, cast(null as date) as signed_up_on
    from first_orders
    union all
    select customer_id, null, first_session_on, null from first_sessions
    union all
    select customer_id, null, null, signed_up_on from sign_ups

),

together as (

    select
        customer_id,
        max(first_order_on) as first_order_on,
        max(first_session_on) as first_session_on,
        max(signed_up_on) as signed_up_on
    from listed
    group by customer_id

),

final as (

    select
        customer_id,
        cast(row_number() over (order by customer_id) as integer) as customer_number,
        first_order_on,
        first_session_on,
        signed_up_on
    from together

)

select * from final
