with

consents as (

    select * from {{ ref('canonical__consent') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

),

final as (

    select
        listed.consent_id,
        map.customer_id,
        customers.account_id,
        listed.source_name as source,
        listed.purpose,
        listed.is_granted,
        listed.collected_through,
        listed.stated_at,
        listed.stated_on,
        row_number() over (
            partition by coalesce(map.customer_id, listed.consent_id), listed.purpose
            order by listed.stated_at desc, listed.is_granted, listed.consent_id
        ) = 1 as is_latest
    from consents as listed
    left join customer_map as map
        on listed.person_source = map.source and listed.person_record_key = map.record_key
    left join customers
        on map.customer_id = customers.customer_id

)

select * from final
