with

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

orders as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_orders') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.is_counted

),

refunds as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_refunds') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.is_counted

),

contributions as (

    {{ kpi_order_rows('orders', 'refunds') }}

),

final as (

    {{ kpi_by_segment('contributions') }}

)

select * from final
