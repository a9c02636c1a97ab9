with

steps as (

    select * from {{ ref('canonical__order_step') }}

),

shopify as (

    select
        'shopify:' || order_name as order_id,
        'shopify' as source,
        person_source,
        person_record_key,
        cast(null as {{ dbt.type_string() }}) as place,
        ordered_on as placed_on,
        {{ local_date('fulfilled_at') }} as shipped_on,
        cast(null as date) as delivered_on,
        cast(null as date) as reviewed_on,
        cast(null as date) as returned_on
    from {{ ref('stg_shopify__orders') }}
    where not is_cancelled and not is_test

),

-- The first step of each kind; person and place as the order's first step names them.
mapped as (

    select
        order_id,
        min(source_name) as source,
        max(case when place_of_step = 1 then person_source end) as person_source,
        max(case when place_of_step = 1 then person_record_key end) as person_record_key,
        max(case when place_of_step = 1 then place end) as place,
        min(case when step = 'placed' then stepped_on end) as placed_on,
        min(case when step = 'shipped' then stepped_on end) as shipped_on,
        min(case when step = 'delivered' then stepped_on end) as delivered_on,
        min(case when step = 'reviewed' then stepped_on end) as reviewed_on,
        min(case when step = 'returned' then stepped_on end) as returned_on
    from (
        select steps.*, row_number() over (partition by order_id order by stepped_at, step_id) as place_of_step
        from steps
    ) as numbered
    group by order_id

),

united as (

    select * from shopify
    union all
    select * from mapped

),

-- The account that the order names, else that of the person.
final as (

    select
        united.order_id,
        cast(united.source as varchar) as source,
        map.customer_id,
        coalesce(orders.account_id, customers.account_id) as account_id,
        united.place,
        united.placed_on,
        united.shipped_on,
        united.delivered_on,
        united.reviewed_on,
        united.returned_on
    from united
    left join {{ source('identity', 'customer_map') }} as map
        on united.person_source = map.source and united.person_record_key = map.record_key
    left join {{ ref('dim_customers') }} as customers on map.customer_id = customers.customer_id
    left join {{ ref('fct_orders') }} as orders on united.order_id = orders.order_id

)

select * from final
