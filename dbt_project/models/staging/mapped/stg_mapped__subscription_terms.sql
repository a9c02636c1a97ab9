{% set content = ['currency', 'amount', 'quantity', 'billing_interval', 'interval_count'] %}

with source as (
    select * from {{ source('raw', 'mapped__subscription') }}
),

-- Deliveries that say the same moment differently: one of them, the same one in every build.
stated as (
    select
        *,
        coalesce(updated_at, started_at) as valid_from,
        row_number() over (
            partition by _source, subscription_key, coalesce(updated_at, started_at)
            order by {{ content_hash(content) }} desc, _file, _line, _batch
        ) as version_rank
    from source
    where {{ happened_by_as_of('started_at') }} and coalesce(updated_at, started_at) < {{ as_of_end() }}
),

final as (
    select
        _source as source_name,
        subscription_key,
        valid_from,
        upper(currency) as currency,
        cast(amount as decimal(18, 2)) as amount,
        coalesce(quantity, 1) as quantity,
        coalesce(billing_interval, 'month') as billing_interval,
        coalesce(interval_count, 1) as interval_count
    from stated
    where version_rank = 1
)

select * from final
