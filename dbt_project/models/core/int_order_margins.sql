with

orders as (

    select order_id, ordered_on from {{ ref('fct_orders') }}

),

order_items as (

    select
        order_id,
        sku,
        cast(quantity * unit_price - discount_amount as decimal(18, 2)) as amount
    from {{ ref('fct_order_items') }}

),

margins as (

    select
        sku,
        valid_from,
        -- Never NULL: "or valid_until is null" in the join would compare every line with every rate.
        coalesce(
            lead(valid_from) over (partition by sku order by valid_from), cast('9999-12-31' as date)
        ) as valid_until,
        margin_rate
    from {{ ref('stg_reference__product_margins') }}

),

-- Lines of listed articles at their own rate of the day, the others at the company's.
priced as (

    select
        order_items.order_id,
        order_items.amount,
        margins.sku as listed_sku,
        coalesce(margins.margin_rate, cast({{ var('margin_rate') }} as decimal(9, 4))) as margin_rate
    from order_items
    inner join orders on order_items.order_id = orders.order_id
    left join margins
        on order_items.sku = margins.sku
        and orders.ordered_on >= margins.valid_from
        and orders.ordered_on < margins.valid_until

),

final as (

    select
        order_id,
        -- Tax, shipping and discounts on the whole order share the mean rate of the lines.
        cast(
            round(cast(sum(amount * margin_rate) as double) / cast(sum(amount) as double), 6) as decimal(9, 6)
        ) as margin_rate
    from priced
    group by order_id
    having count(listed_sku) > 0 and sum(amount) > 0

)

select * from final
