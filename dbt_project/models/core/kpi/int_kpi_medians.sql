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

by_segment as (

    select 'overall' as segment_type, 'all' as segment, opened_on as day, first_response_minutes as minutes
    from interactions
    where first_response_minutes is not null
    union all
    select 'region', region, opened_on, first_response_minutes
    from interactions
    where first_response_minutes is not null

),

final as (

    select
        cast('first_response_median_minutes' as varchar) as kpi,
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        day,
        {{ core_median('minutes') }} as median_value,
        cast(count(*) as decimal(20, 2)) as denominator
    from by_segment
    group by segment_type, segment, day

)

select * from final
