{{ config(meta={
    'description': 'Every raw line of the chosen version of an order is staged, and no order is missing.',
    'dagster': {'ref': {'name': 'stg_shopify__order_items'}}
}) }}
{#-
    Catches: a line of the chosen file version that the join to its order dropped or doubled; an order that has a
    first line somewhere, happened by as_of, and was not staged.
    Does not catch: a wrong choice of version; an order whose first line was rejected before staging
    (assert_every_order_has_its_first_line).
-#}
with raw_lines as (
    select * from {{ source('raw', 'shopify__orders') }}
),

orders as (
    select * from {{ ref('stg_shopify__orders') }}
),

items as (
    select
        order_name,
        count(*) as staged_lines
    from {{ ref('stg_shopify__order_items') }}
    group by order_name
),

raw_versions as (
    select
        name,
        _file,
        _batch,
        max(total) as total,
        max(currency) as currency,
        max(created_at) as created_at,
        count(*) as raw_lines
    from raw_lines
    group by name, _file, _batch
),

raw_orders as (
    select distinct name
    from raw_versions
    where
        total is not null
        and currency is not null
        and {{ happened_by_as_of('created_at') }}
),

lines_that_differ as (
    select
        orders.order_name,
        coalesce(raw_versions.raw_lines, 0) as expected_lines,
        coalesce(items.staged_lines, 0) as staged_lines
    from orders
    left join raw_versions
        on
            orders.order_name = raw_versions.name
            and orders._file = raw_versions._file
            and orders._batch = raw_versions._batch
    left join items
        on orders.order_name = items.order_name
    where
        coalesce(items.staged_lines, 0) <> coalesce(raw_versions.raw_lines, 0)
        or coalesce(items.staged_lines, 0) <> orders.line_count
),

orders_that_are_missing as (
    select
        raw_orders.name as order_name,
        1 as expected_lines,
        0 as staged_lines
    from raw_orders
    left join orders
        on raw_orders.name = orders.order_name
    where orders.order_name is null
)

select * from lines_that_differ
union all
select * from orders_that_are_missing
