with

orders as (

    select * from {{ ref('fct_fulfilment') }}

),

final as (

    select
        order_id,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        customer_id,
        source,
        place,
        placed_on,
        shipped_on,
        delivered_on,
        reviewed_on,
        returned_on,
        -- A step before the one it follows is a mistake of the source and gives no duration.
        case when shipped_on >= placed_on then {{ days_between('placed_on', 'shipped_on') }} end as days_to_ship,
        case when delivered_on >= shipped_on then {{ days_between('shipped_on', 'delivered_on') }} end
            as days_to_deliver,
        case when reviewed_on >= shipped_on then {{ days_between('shipped_on', 'reviewed_on') }} end
            as days_to_review,
        shipped_on is not null as is_shipped,
        coalesce(
            shipped_on >= placed_on and {{ days_between('placed_on', 'shipped_on') }} <= {{ var('ship_days') }}, false
        ) as is_shipped_in_time,
        shipped_on < placed_on or reviewed_on < shipped_on or delivered_on < shipped_on as has_time_conflict,
        -- An order that may still be sent in time is not judged for good.
        shipped_on is not null
        or coalesce({{ core_add_days('placed_on', var('ship_days')) }} < {{ core_as_of() }}, true) as is_complete
    from orders

)

select
    order_id, as_of, timezone, customer_id, source, place, placed_on, shipped_on, delivered_on, reviewed_on,
    returned_on, days_to_ship, days_to_deliver, days_to_review, is_shipped, is_shipped_in_time,
    coalesce(has_time_conflict, false) as has_time_conflict, is_complete
from final
