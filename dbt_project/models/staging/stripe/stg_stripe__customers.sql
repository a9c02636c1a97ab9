{% set content = [
    'email', 'name', 'phone', 'description', 'created_at', 'delinquent', 'total_spend', 'payment_count'
] %}

with source as (
    select * from {{ source('raw', 'stripe__customers') }}
),

-- The export has no time of change; the more somebody has paid, the later it was written.
versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='created_at', content=content, then_newest='total_spend') }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

-- The name is one text whose order of given and family name is not known, so it is not taken apart.
renamed as (
    select
        -- keys
        'stripe' as source_name,
        'stripe_customer' as identity_namespace,
        id as contact_key,
        {{ nothing_for(['user_id', 'store_customer_id', 'crm_contact_id', 'account_key']) }},

        -- person
        'stripe.customer' as person_source,
        id as person_record_key,
        name,
        name as full_name,
        email,
        phone,
        description,
        {{ nothing_for([
            'not_customer_reason', 'first_name', 'last_name', 'kana', 'other_phone', 'birth_on', 'birth_text',
            'house_number', 'street', 'address_line_2', 'city', 'region', 'postal_code', 'country', 'has_opted_out'
        ]) }},

        -- flags
        coalesce(delinquent, false) as is_delinquent,

        -- times
        created_at,
        {{ local_date('created_at') }} as created_on,
        created_at as updated_at,
        {{ as_of_note('created_at', 'created_at') }} as as_of_note,

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
