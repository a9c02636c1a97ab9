with payments as (
    select * from {{ ref('stg_stripe__payments') }}
),

-- Payments name one date for all that was given back. Without a date the amount stays with the payment alone.
renamed as (
    select
        -- keys
        source_name,
        identity_namespace,
        concat(order_key, ':refund') as refund_key,
        order_key,

        -- money
        currency,
        refunded_amount as amount,

        -- times
        refunded_at,
        {{ local_date('refunded_at') }} as refunded_on,
        as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from payments
    where
        refunded_amount > 0
        and refunded_at is not null
),

final as (
    select * from renamed
)

select * from final
