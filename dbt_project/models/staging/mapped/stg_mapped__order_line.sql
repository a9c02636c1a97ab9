{% set content = ['_namespace', 'order_key', 'sku', 'name', 'quantity', 'unit_price', 'discount_amount'] %}
{% set identity = ['_source', 'order_key', 'sku', 'name', 'quantity', 'unit_price', 'discount_amount'] %}

with source as (
    select * from {{ source('raw', 'mapped__order_line') }}
),

-- Two bags of the same rice on one order are two lines, in whichever file they come again.
numbered as (
    select
        *,
        {{ content_hash(identity) }} as said,
        row_number() over (
            partition by _batch, {{ identity | join(', ') }}
            order by _line
        ) as repetition
    from source
),

keyed as (
    select
        *,
        coalesce(line_key, concat(said, ':', repetition)) as own_key
    from numbered
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'order_key', 'own_key'], newest='updated_at', content=content) }} as version_rank
    from keyed
),

renamed as (
    select
        -- keys
        _source as source_name,
        order_key,
        own_key as line_key,

        -- item
        sku,
        name as item_name,
        coalesce(quantity, 1) as quantity,

        -- money, in the currency of the order
        cast(unit_price as decimal(18, 2)) as unit_price,
        cast(coalesce(discount_amount, 0) as decimal(18, 2)) as discount_amount,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    where version_rank = 1
),

final as (
    select * from renamed
)

select * from final
