with

shopify as (

    select
        'shopify:' || order_name as order_id,
        cast(line_number as bigint) as line_number,
        sku,
        item_name as name,
        cast(quantity as bigint) as quantity,
        upper(currency) as currency,
        cast(unit_price as decimal(18, 2)) as unit_price,
        cast(coalesce(discount_amount, 0) as decimal(18, 2)) as discount_amount
    from {{ ref('stg_shopify__order_items') }}

),

order_lines as (

    select * from {{ ref('canonical__order_line') }}

),

canonical_orders as (

    select
        order_id,
        upper(currency) as currency
    from {{ ref('canonical__order') }}

),

-- Lines of orders that no file tells, or that are not made yet, wait in staging.
others as (

    select
        order_lines.order_id,
        row_number() over (partition by order_lines.order_id order by order_lines.line_key) as line_number,
        order_lines.sku,
        order_lines.item_name as name,
        order_lines.quantity,
        canonical_orders.currency,
        order_lines.unit_price,
        order_lines.discount_amount
    from order_lines
    inner join canonical_orders on order_lines.order_id = canonical_orders.order_id

),

final as (

    select * from shopify
    union all
    select * from others

)

select * from final
