{% set content = [
    '_namespace', 'email', 'phone', 'user_id', 'store_customer_id', 'first_name', 'last_name', 'birth_on', 'region',
    'postal_code', 'country', 'account_key', 'opted_out', 'created_at', 'full_name', 'kana', 'birth_text',
    'house_number', 'street', 'address_line_2', 'city'
] %}

with source as (
    select * from {{ source('raw', 'mapped__contact') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'contact_key'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        contact_key,
        user_id,
        store_customer_id,
        account_key,
        {{ nothing_for(['crm_contact_id', 'not_customer_reason']) }},

        -- person
        concat('mapped.', _namespace) as person_source,
        contact_key as person_record_key,
        first_name,
        last_name,
        full_name,
        kana,
        email,
        phone,
        {{ nothing_for(['other_phone']) }},
        birth_on,
        birth_text,
        house_number,
        street,
        address_line_2,
        city,
        region,
        postal_code,
        country,

        -- flags
        opted_out as has_opted_out,

        -- times
        created_at,
        {{ local_date('created_at') }} as created_on,
        updated_at,
        {{ as_of_note('created_at', 'updated_at') }} as as_of_note,

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
