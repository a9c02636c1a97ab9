with

order_items as (

    select * from {{ ref('stg_shopify__order_items') }}

),

final as (

    select
        'shopify:' || order_name as order_id,
        cast(line_number as bigint) as line_number,
        sku,
        item_name as name,
        cast(quantity as bigint) as quantity,
        upper(currency) as currency,
        cast(unit_price as decimal(18, 2)) as unit_price,
        cast(coalesce(discount_amount, 0) as decimal(18, 2)) as discount_amount
    from order_items

)

select * from final
