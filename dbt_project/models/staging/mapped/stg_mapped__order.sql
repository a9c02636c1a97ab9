{% set content = [
    '_namespace', 'customer_key', 'email', 'phone', 'account_key', 'ordered_at', 'status', 'currency',
    'gross_amount', 'quantity', 'discount_amount', 'cancelled_at', 'is_test', 'region', 'channel'
] %}

with source as (
    select * from {{ source('raw', 'mapped__order') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'order_key'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('ordered_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        order_key,
        account_key,

        -- who it is about
        case
            when customer_key is not null then concat('mapped.', _namespace)
            when coalesce(email, phone) is not null then concat('mapped.', _namespace, '.order')
        end as person_source,
        case
            when customer_key is not null then customer_key
            when coalesce(email, phone) is not null then concat(_source, ':', order_key)
        end as person_record_key,
        customer_key,
        email,
        phone,

        -- order
        status,
        region,
        channel,
        quantity,

        -- money
        upper(currency) as currency,
        cast(gross_amount as decimal(18, 2)) as gross_amount,
        cast(coalesce(discount_amount, 0) as decimal(18, 2)) as discount_amount,
        cast(0 as decimal(18, 2)) as refunded_amount,

        -- flags
        coalesce(is_test, false) as is_test,
        coalesce(cancelled_at < {{ as_of_end() }}, false) as is_cancelled,
        lower(coalesce(status, '')) = 'voided' as is_voided,

        -- times
        ordered_at,
        {{ local_date('ordered_at') }} as ordered_on,
        {{ until_as_of('cancelled_at') }} as cancelled_at,
        updated_at,
        {{ as_of_note('ordered_at', 'updated_at') }} as as_of_note,

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
