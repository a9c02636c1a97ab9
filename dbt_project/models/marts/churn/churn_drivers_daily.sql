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
        cast(customers as bigint) as customers,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(day as date) <= {{ core_add_days('coalesce(reach.complete_until, ' ~ core_as_of() ~ ')', 1) }} as is_complete
    from drivers
    left join {{ ref('int_kpi_reach') }} as reach on reach.family = 'orders'

)

select * from final
