with

people as (

    select people.customer_number, coalesce(customers.region, 'unknown') as region
    from {{ ref('int_retention_people') }} as people
    left join {{ ref('dim_customers') }} as customers on people.customer_id = customers.customer_id

),

sessions as (

    select people.region, days.active_on as started_on, sum(days.sessions) as sessions
    from {{ ref('int_active_days') }} as days
    inner join people on days.customer_number = people.customer_number
    where days.has_visited
    group by people.region, days.active_on
    union all
    select 'unknown', started_on, count(*)
    from {{ ref('fct_sessions') }}
    where customer_id is null
    group by started_on

),

contributions as (

    {{ kpi_session_rows('sessions') }}

),

final as (

    {{ kpi_by_segment('contributions') }}

)

select * from final
