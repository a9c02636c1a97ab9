{% set content = [
    'first_name', 'last_name', 'email', 'accepts_email_marketing', 'default_address_company',
    'default_address_city', 'default_address_province_code', 'default_address_zip', 'default_address_phone',
    'phone', 'accepts_sms_marketing', 'note', 'tags'
] %}

with source as (
    select * from {{ source('raw', 'shopify__customers') }}
),

-- The export has no times. Orders and spend grow, so the version with the most of them is the newest.
versions as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by
                total_orders desc nulls last,
                total_spent desc nulls last,
                {{ content_hash(content) }} desc,
                _file,
                _line,
                _batch
        ) as version_rank
    from source
),

renamed as (
    select
        -- keys
        customer_id,

        -- person
        first_name,
        last_name,
        email,
        phone,
        default_address_phone,
        default_address_company as company,
        default_address_city as city,
        default_address_province_code as region,
        default_address_zip as postal_code,
        note,
        tags as customer_tags,

        -- measures
        cast(total_spent as decimal(18, 2)) as total_spent,
        total_orders,

        -- flags
        lower(accepts_email_marketing) in ('yes', 'true') as accepts_email_marketing,
        lower(accepts_sms_marketing) in ('yes', 'true') as accepts_sms_marketing,

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
