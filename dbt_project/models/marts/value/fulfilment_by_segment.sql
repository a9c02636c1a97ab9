with

orders as (

    select * from {{ ref('order_fulfilment') }}

),

segmented as (

    select 'overall' as segment_type, 'all' as segment, orders.* from orders
    union all
    select 'source', source, orders.* from orders
    union all
    select 'place', place, orders.* from orders where place is not null
    union all
    select 'customer', customer_id, orders.* from orders where customer_id is not null

),

final as (

    select
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        count(*) as orders,
        cast(sum(case when is_shipped then 1 else 0 end) as bigint) as shipped,
        cast(sum(case when is_shipped then 0 else 1 end) as bigint) as not_shipped,
        cast(sum(case when is_shipped_in_time then 1 else 0 end) as bigint) as shipped_in_time,
        round(
            cast(sum(case when is_shipped_in_time then 1 else 0 end) as double) / cast(count(*) as double), 12
        ) as share_in_time,
        count(days_to_ship) as with_days_to_ship,
        {{ core_ratio('sum(days_to_ship)', 'count(days_to_ship)') }} as days_to_ship_avg,
        count(days_to_review) as with_days_to_review,
        {{ core_ratio('sum(days_to_review)', 'count(days_to_review)') }} as days_to_review_avg,
        min(case when is_complete then 1 else 0 end) = 1 as is_complete
    from segmented
    group by segment_type, segment

)

select * from final
