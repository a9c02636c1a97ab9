with

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

people as (

    select people.customer_number, coalesce(customers.region, 'unknown') as region
    from {{ ref('int_retention_people') }} as people
    left join customers on people.customer_id = customers.customer_id

),

-- Days of numbered customers; only orders that name nobody are asked of the orders themselves.
order_days as (

    select
        days.customer_number as buyer, people.region, days.active_on as ordered_on, days.orders,
        days.gross as gross_reporting
    from {{ ref('int_active_days') }} as days
    inner join people on days.customer_number = people.customer_number
    where days.has_ordered
    union all
    select null, 'unknown', ordered_on, count(*), sum(gross_reporting)
    from {{ ref('fct_orders') }}
    where is_counted and customer_id is null
    group by ordered_on

),

refunds as (

    select facts.refunded_on, facts.amount_reporting, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_refunds') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.is_counted

),

contributions as (

    {{ kpi_order_rows('order_days', 'refunds') }}

),

final as (

    {{ kpi_by_segment('contributions') }}

)

select * from final
