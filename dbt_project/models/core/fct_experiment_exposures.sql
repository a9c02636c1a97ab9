with

experiment_exposures as (

    select * from {{ ref('canonical__experiment_exposure') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

),

final as (

    select
        listed.exposure_id,
        map.customer_id,
        customers.account_id,
        listed.source_name as source,
        listed.experiment,
        listed.variant,
        listed.exposed_at,
        listed.exposed_on,
        row_number() over (
            partition by listed.source_name, listed.experiment, coalesce(map.customer_id, listed.exposure_id)
            order by listed.exposed_at, listed.exposure_id
        ) = 1 as is_first
    from experiment_exposures as listed
    left join customer_map as map
        on listed.person_source = map.source and listed.person_record_key = map.record_key
    left join customers
        on map.customer_id = customers.customer_id

)

select * from final
