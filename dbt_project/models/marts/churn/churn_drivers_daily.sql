with

drivers as (

    select * from {{ source('scores', 'churn_drivers_daily') }}

),

final as (

    select
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        cast(day as date) as day,
        cast(driver as varchar) as driver,
        {{ core_as_of() }} as as_of,
        cast(customers as bigint) as customers
    from drivers

)

select * from final
