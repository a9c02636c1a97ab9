{% set content = [
    'description', 'created_at', 'amount', 'amount_refunded', 'currency', 'converted_amount',
    'converted_amount_refunded', 'converted_currency', 'fee', 'mode', 'status', 'captured', 'customer_id',
    'customer_email', 'invoice_id', 'refunded_at', 'decline_reason'
] %}

with source as (
    select * from {{ source('raw', 'stripe__payments') }}
),

-- The export has no time of change. A payment is only ever captured and then given back, so of two versions with the
-- same times the one counts in which more of that has happened.
versions as (
    select
        *,
        {{ version_rank(
            key=['id'], newest='coalesce(refunded_at, created_at)', content=content,
            then_newest="case when status in ('paid', 'refunded', 'partially_refunded', 'disputed') then 1 + coalesce(amount_refunded, 0) else 0 end"
        ) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        'stripe' as source_name,
        'stripe_customer' as identity_namespace,
        id as order_key,
        invoice_id,
        {{ nothing_for(['account_key']) }},

        -- who paid
        {{ named_person("'stripe.customer'", "'stripe.payment'", 'id', 'customer_id', ['customer_email']) }},
        customer_id as customer_key,
        customer_email as email,
        {{ nothing_for(['phone']) }},

        -- payment
        case when refunded_at >= {{ as_of_end() }} then 'paid' else status end as status,
        description,
        decline_reason,
        {{ nothing_for(['region', 'channel', 'quantity']) }},

        -- money, in major units as the export writes it
        upper(currency) as currency,
        cast(amount as decimal(18, 2)) as gross_amount,
        cast(0 as decimal(18, 2)) as discount_amount,
        cast(
            case when refunded_at >= {{ as_of_end() }} then 0 else coalesce(amount_refunded, 0) end as decimal(18, 2)
        ) as refunded_amount,
        upper(converted_currency) as settlement_currency,
        cast(converted_amount as decimal(18, 2)) as settlement_amount,
        cast(fee as decimal(18, 2)) as fee_amount,

        -- flags
        coalesce(lower(mode) = 'test', false) as is_test,
        false as is_cancelled,
        -- No money moved: the attempt failed, or was authorised and never captured.
        not (
            status in ('paid', 'refunded', 'partially_refunded', 'disputed')
            and coalesce(captured, true)
        ) as is_voided,

        -- times
        created_at as ordered_at,
        {{ local_date('created_at') }} as ordered_on,
        {{ until_as_of('refunded_at') }} as refunded_at,
        {{ nothing_for(['cancelled_at']) }},
        coalesce(refunded_at, created_at) as updated_at,
        {{ as_of_note('created_at', 'coalesce(refunded_at, created_at)') }} as as_of_note,

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
