{% set content = [
    '_namespace', 'customer_key', 'email', 'phone', 'account_key', 'plan', 'status', 'currency', 'amount',
    'quantity', 'billing_interval', 'interval_count', 'started_at', 'trial_ends_at', 'cancelled_at', 'ended_at'
] %}

with source as (
    select * from {{ source('raw', 'mapped__subscription') }}
),

-- Exports that do not date every change: of two that say the same moment, whichever knows of an end is the later one.
versions as (
    select
        *,
        {{ version_rank(
            key=['_source', 'subscription_key'], newest='updated_at', content=content,
            then_newest='coalesce(ended_at, cancelled_at)'
        ) }} as version_rank
    from source
    where {{ happened_by_as_of('started_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        subscription_key,
        account_key,

        -- who it is about
{{ named_person(
            "concat('mapped.', _namespace)", "concat('mapped.', _namespace, '.subscription')", "concat(_source, ':', subscription_key)"
        ) }},
        customer_key,
        email,
        phone,

        -- contract
        plan,
        case when cancelled_at >= {{ as_of_end() }} or ended_at >= {{ as_of_end() }} then null else status end as status,
        coalesce(quantity, 1) as quantity,
        coalesce(billing_interval, 'month') as billing_interval,
        coalesce(interval_count, 1) as interval_count,

        -- money
        upper(currency) as currency,
        cast(amount as decimal(18, 2)) as amount,

        -- times
        started_at,
        {{ local_date('started_at') }} as started_on,
        trial_ends_at,
        {{ until_as_of('cancelled_at') }} as cancelled_at,
        {{ until_as_of('ended_at') }} as ended_at,
        updated_at,
        {{ as_of_note('started_at', 'updated_at') }} as as_of_note,

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
