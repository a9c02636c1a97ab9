with

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

sessions as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_sessions') }} as facts
    left join customers on facts.customer_id = customers.customer_id

),

contributions as (

    {{ kpi_session_rows('sessions') }}

),

final as (

    {{ kpi_by_segment('contributions') }}

)

select * from final
