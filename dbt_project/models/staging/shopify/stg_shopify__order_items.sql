with source as (
    select * from {{ source('raw', 'shopify__orders') }}
),

orders as (
    select * from {{ ref('stg_shopify__orders') }}
),

-- Lines come from the file whose version of the order was chosen, so that amounts and lines agree.
lines as (
    select
        source.*,
        orders.currency as order_currency,
        orders.ordered_on,
        row_number() over (partition by source.name order by source._line) as line_number
    from source
    inner join orders
        on source.name = orders.order_name
        and source._file = orders._file
        and source._batch = orders._batch
),

final as (
    select
        -- keys
        name as order_name,
        line_number,

        -- item
        lineitem_sku as sku,
        lineitem_name as item_name,
        lineitem_quantity as quantity,

        -- money
        cast(lineitem_price as decimal(18, 2)) as unit_price,
        cast(coalesce(lineitem_discount, 0) as decimal(18, 2)) as discount_amount,
        order_currency as currency,

        -- times
        ordered_on,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from lines
)

select * from final
