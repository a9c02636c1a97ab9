{% set content = [
    'is_deleted', 'master_record_id', 'first_name', 'last_name', 'company', 'email', 'phone', 'mobile_phone',
    'state', 'postal_code', 'country', 'status', 'lead_source', 'has_opted_out_of_email', 'is_converted',
    'converted_contact_id', 'converted_account_id', 'created_date'
] %}

with source as (
    select * from {{ source('raw', 'salesforce__lead') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='system_modstamp', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_date') }}
),

renamed as (
    select
        -- keys
        'salesforce' as source_name,
        'salesforce_lead' as identity_namespace,
        id as contact_key,
        master_record_id as master_lead_id,
        converted_contact_id as crm_contact_id,
        converted_account_id as account_key,
        {{ nothing_for(['user_id', 'store_customer_id']) }},

        -- person
        'salesforce.lead' as person_source,
        id as person_record_key,
        case when is_deleted and master_record_id is null then 'deleted' end as not_customer_reason,
        first_name,
        last_name,
        company,
        email,
        phone,
        mobile_phone as other_phone,
        state as region,
        postal_code,
        country,
        status,
        lead_source,
        {{ nothing_for([
            'full_name', 'kana', 'birth_on', 'birth_text', 'house_number', 'street', 'address_line_2', 'city'
        ]) }},

        -- flags
        coalesce(is_deleted, false) as is_deleted,
        coalesce(is_converted, false) as is_converted,
        has_opted_out_of_email as has_opted_out,

        -- times
        created_date as created_at,
        {{ local_date('created_date') }} as created_on,
        system_modstamp as updated_at,
        {{ as_of_note('created_date', 'system_modstamp') }} as as_of_note,

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
