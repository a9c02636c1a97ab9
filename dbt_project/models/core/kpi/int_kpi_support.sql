with

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

contacts as (

    {{ kpi_contacts() }}

),

interactions as (

    select contacts.*, coalesce(customers.region, 'unknown') as region
    from contacts
    left join customers on contacts.customer_id = customers.customer_id

),

contributions as (

    {{ kpi_support_rows('interactions') }}

),

final as (

    {{ kpi_by_segment('contributions') }}

)

select * from final
