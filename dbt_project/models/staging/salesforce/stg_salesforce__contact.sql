{% set content = [
    'is_deleted', 'master_record_id', 'account_id', 'first_name', 'last_name', 'title', 'lead_source', 'email',
    'phone', 'mobile_phone', 'mailing_postal_code', 'mailing_state', 'mailing_street', 'mailing_city', 'mailing_country', 'birthdate',
    'has_opted_out_of_email', 'do_not_call', 'email_bounced_date', 'created_date', 'last_modified_date'
] %}

with source as (
    select * from {{ source('raw', 'salesforce__contact') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='coalesce(system_modstamp, last_modified_date)', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_date') }}
),

renamed as (
    select
        -- keys
        id as contact_id,
        master_record_id as master_contact_id,
        account_id,

        -- person
        first_name,
        last_name,
        title,
        email,
        phone,
        mobile_phone,
        mailing_postal_code as postal_code,
        mailing_state as region,
        mailing_street as street,
        mailing_city as city,
        mailing_country as country,
        birthdate as birth_on,
        lead_source,

        -- flags
        coalesce(is_deleted, false) as is_deleted,
        has_opted_out_of_email,
        do_not_call,

        -- times
        {{ until_as_of('email_bounced_date') }} as email_bounced_at,
        created_date as created_at,
        {{ local_date('created_date') }} as created_on,
        coalesce(system_modstamp, last_modified_date) as modified_at,
        {{ as_of_note('created_date', 'coalesce(system_modstamp, last_modified_date)') }} as as_of_note,

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
