{% set order_fields = [
    'id', 'email', 'financial_status', 'paid_at', 'fulfillment_status', 'fulfilled_at', 'accepts_marketing',
    'currency', 'subtotal', 'shipping', 'taxes', 'total', 'discount_code', 'discount_amount', 'created_at',
    'billing_name', 'billing_phone', 'billing_zip', 'billing_province_name', 'shipping_name', 'shipping_zip',
    'shipping_phone', 'shipping_province_name', 'cancelled_at', 'refunded_amount', 'tags', 'source', 'phone'
] %}
{% set line_fields = [
    'lineitem_quantity', 'lineitem_name', 'lineitem_price', 'lineitem_sku', 'lineitem_discount'
] %}
{% set payment_states = [
    'pending', 'authorized', 'partially_paid', 'paid', 'partially_refunded', 'refunded', 'voided', 'expired'
] %}
{% set test_tags = ['test', 'test order', 'test-order', 'test_order', 'テスト'] %}

with source as (
    select * from {{ source('raw', 'shopify__orders') }}
),

-- How far in time a file reaches: a file that tells of the time after as_of was exported after it.
lines as (
    select
        *,
        max(greatest(created_at, paid_at, fulfilled_at, cancelled_at)) over (partition by _file, _batch)
            as file_reaches_to,
        {{ content_hash(line_fields) }} as line_hash
    from source
),

-- The order's fields stand on its first line only. Within one file all lines of an order share them.
orders_in_file as (
    select
        _source,
        _file,
        _batch,
        name,
        {% for field in order_fields -%}
        max({{ field }}) as {{ field }},
        {% endfor -%}
        max(file_reaches_to) as file_reaches_to,
        count(*) as line_count,
        min(line_hash) as lowest_line_hash,
        max(line_hash) as highest_line_hash,
        min(_line) as _line
    from lines
    group by _source, _file, _batch, name
),

-- Without its first line an order has no amount; assert_every_order_has_its_first_line names those.
with_first_line as (
    select
        *,
        case lower(financial_status)
            {% for state in payment_states -%}
            when '{{ state }}' then {{ loop.index }}
            {% endfor -%}
            else 0
        end as payment_progress
    from orders_in_file
    where
        total is not null
        and currency is not null
),

-- A later export restates whole orders but carries no change time. States that only grow tell which version is the
-- newer one; then the file that reaches further; then content. A file from after as_of counts only without another.
versions as (
    select
        *,
        row_number() over (
            partition by name
            order by
                case when file_reaches_to >= {{ as_of_end() }} then 1 else 0 end,
                case when file_reaches_to >= {{ as_of_end() }} then file_reaches_to end asc nulls last,
                coalesce(refunded_amount, 0) desc,
                cancelled_at desc nulls last,
                fulfilled_at desc nulls last,
                paid_at desc nulls last,
                payment_progress desc,
                file_reaches_to desc nulls last,
                {{ content_hash(order_fields + ['line_count', 'lowest_line_hash', 'highest_line_hash']) }} desc,
                _file,
                _batch
        ) as version_rank
    from with_first_line
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        name as order_name,
        id as shopify_order_id,

        -- who bought
        'shopify.order' as person_source,
        name as person_record_key,
        email,
        phone,
        billing_phone,
        shipping_phone,
        billing_name,
        billing_zip as billing_postal_code,
        billing_province_name as billing_region,
        shipping_name,
        shipping_zip as shipping_postal_code,
        shipping_province_name as shipping_region,

        -- order
        lower(financial_status) as financial_status,
        lower(fulfillment_status) as fulfillment_status,
        discount_code,
        tags as order_tags,
        source as sales_channel,

        -- money
        upper(currency) as currency,
        cast(subtotal as decimal(18, 2)) as subtotal_amount,
        cast(shipping as decimal(18, 2)) as shipping_amount,
        cast(taxes as decimal(18, 2)) as tax_amount,
        cast(total as decimal(18, 2)) as total_amount,
        cast(coalesce(discount_amount, 0) as decimal(18, 2)) as discount_amount,
        cast(coalesce(refunded_amount, 0) as decimal(18, 2)) as refunded_amount,
        line_count,

        -- flags
        false as refund_date_known,
        lower(accepts_marketing) in ('yes', 'true') as accepts_marketing,
        {% for tag in test_tags -%}
        {{ 'or ' if not loop.first }}',' || lower(replace(coalesce(tags, ''), ', ', ',')) || ',' like '%,{{ tag }},%'
        {% endfor -%}
        as is_test,
        coalesce(cancelled_at < {{ as_of_end() }}, false) as is_cancelled,
        coalesce(lower(financial_status) = 'voided', false) as is_voided,

        -- times
        created_at as ordered_at,
        {{ local_date('created_at') }} as ordered_on,
        {{ until_as_of('paid_at') }} as paid_at,
        {{ until_as_of('fulfilled_at') }} as fulfilled_at,
        {{ until_as_of('cancelled_at') }} as cancelled_at,
        {{ as_of_note('created_at', 'file_reaches_to') }} as as_of_note,

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
