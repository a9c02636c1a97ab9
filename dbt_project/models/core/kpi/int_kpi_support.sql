with

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

interactions as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_interactions') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.opened_on is not null and facts.continues_interaction_id is null and facts.direction = 'inbound'

),

contributions as (

    {{ kpi_support_rows('interactions') }}

),

final as (

    {{ kpi_by_segment('contributions') }}

)

select * from final
