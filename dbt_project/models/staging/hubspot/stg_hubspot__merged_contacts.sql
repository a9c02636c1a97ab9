with contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

identifiers as (
    select * from {{ ref('stg_hubspot__contact_identifiers') }}
    where identifier_type = 'hubspot_contact_id'
),

-- Contacts that only their survivors name: known by their number, which tickets and deals of earlier days may carry.
final as (
    select
        -- keys
        'hubspot' as source_name,
        'hubspot_contact' as identity_namespace,
        identifiers.person_record_key as contact_key,
        min(identifiers.raw_value) as survivor_key,

        -- person
        'hubspot.contact' as person_source,
        identifiers.person_record_key,
        {{ nothing_for([
            'not_customer_reason', 'user_id', 'store_customer_id', 'crm_contact_id', 'account_key', 'first_name',
            'last_name', 'full_name', 'kana', 'email', 'phone', 'other_phone', 'birth_on', 'birth_text',
            'house_number', 'street', 'address_line_2', 'city', 'region', 'postal_code', 'country',
            'has_opted_out', 'created_at', 'created_on', 'updated_at'
        ]) }},
        'no_event_time' as as_of_note,

        -- lineage: of the survivor
        min(survivors._source) as _source,
        min(survivors._file) as _file,
        min(survivors._line) as _line,
        min(survivors._batch) as _batch
    from identifiers
    inner join contacts as survivors
        on identifiers.raw_value = survivors.contact_key
    left join contacts
        on identifiers.person_record_key = contacts.contact_key
    where contacts.contact_key is null
    group by identifiers.person_record_key
)

select * from final
