{% set content = [
    '_namespace', 'order_key', 'amount', 'currency'
] %}

with source as (
    select * from {{ source('raw', 'mapped__refund') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'refund_key'], newest='refunded_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('refunded_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        refund_key,
        order_key,

        -- money
        upper(currency) as currency,
        cast(amount as decimal(18, 2)) as amount,

        -- times
        refunded_at,
        {{ local_date('refunded_at') }} as refunded_on,
        {{ as_of_note('refunded_at', 'refunded_at') }} as as_of_note,

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
