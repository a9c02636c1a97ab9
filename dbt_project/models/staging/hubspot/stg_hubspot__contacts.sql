{% set content = [
    'first_name', 'last_name', 'email', 'additional_emails', 'phone', 'mobile_phone', 'lifecycle_stage',
    'lead_status', 'region', 'postal_code', 'country', 'opted_out', 'salesforce_contact_id', 'company_ids',
    'merged_object_ids', 'merged_vids', 'created_at'
] %}

with source as (
    select * from {{ source('raw', 'hubspot__contacts') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='modified_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        'hubspot' as source_name,
        'hubspot_contact' as identity_namespace,
        id as contact_key,
        case when nullif(trim(split_part(company_ids, ';', 1)), '') is not null then concat('hubspot:', nullif(trim(split_part(company_ids, ';', 1)), '')) end as account_key,
        salesforce_contact_id as crm_contact_id,
        company_ids,
        merged_object_ids,
        merged_vids,
        {{ nothing_for(['user_id', 'store_customer_id']) }},

        -- person
        'hubspot.contact' as person_source,
        id as person_record_key,
        first_name,
        last_name,
        email,
        additional_emails,
        phone,
        mobile_phone as other_phone,
        region,
        postal_code,
        country,
        lifecycle_stage,
        lead_status,
        {{ nothing_for([
            'full_name', 'kana', 'birth_on', 'birth_text', 'house_number', 'street', 'address_line_2', 'city',
            'not_customer_reason'
        ]) }},

        -- flags
        opted_out as has_opted_out,

        -- times
        created_at,
        {{ local_date('created_at') }} as created_on,
        modified_at as updated_at,
        {{ as_of_note('created_at', 'modified_at') }} as as_of_note,

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
