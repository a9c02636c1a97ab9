with

campaign_touchs as (

    select * from {{ ref('canonical__campaign_touch') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

),

final as (

    select
        listed.touch_id,
        map.customer_id,
        customers.account_id,
        listed.source_name as source,
        listed.campaign_key,
        listed.campaign,
        lower(listed.channel) as channel,
        listed.touch_kind,
        listed.touched_at,
        listed.touched_on
    from campaign_touchs as listed
    left join customer_map as map
        on listed.person_source = map.source and listed.person_record_key = map.record_key
    left join customers
        on map.customer_id = customers.customer_id

)

select * from final
