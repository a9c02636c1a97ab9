with

final as (

    select
        customer_id,
        cast(row_number() over (order by customer_id) as integer) as customer_number
    from {{ ref('dim_customers') }}

)

select * from final
