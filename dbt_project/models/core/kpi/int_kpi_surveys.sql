with

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

responses as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_survey_responses') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.is_valid

),

contributions as (

    {{ kpi_survey_rows('responses') }}

),

final as (

    {{ kpi_by_segment('contributions') }}

)

select * from final
