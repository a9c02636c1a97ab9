{% set content = [
    'is_deleted', 'campaign_id', 'lead_id', 'contact_id', 'status', 'has_responded', 'first_responded_date',
    'created_date'
] %}

with source as (
    select * from {{ source('raw', 'salesforce__campaign_member') }}
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
        case when contact_id is null then 'salesforce_lead' else 'salesforce_contact' end as identity_namespace,
        id as touch_key,
        campaign_id as campaign_key,

        -- who was targeted: a converted lead stands beside the contact that it became
        case
            when contact_id is not null then 'salesforce.contact'
            when lead_id is not null then 'salesforce.lead'
        end as person_source,
        coalesce(contact_id, lead_id) as person_record_key,
        coalesce(contact_id, lead_id) as customer_key,
        {{ nothing_for(['email', 'phone', 'campaign', 'channel']) }},

        -- touch
        case
            when has_responded and first_responded_date <= {{ core_as_of() }} then 'responded'
            when lower(status) = 'sent' then 'sent'
            else 'targeted'
        end as touch_kind,
        status as member_status,

        -- times: the export has only the day of a response
        case
            when has_responded and first_responded_date <= {{ core_as_of() }} and first_responded_date > {{ local_date('created_date') }}
                then {{ local_midnight_utc('first_responded_date') }}
            else created_date
        end as touched_at,
        case
            when has_responded and first_responded_date <= {{ core_as_of() }} and first_responded_date > {{ local_date('created_date') }}
                then first_responded_date
            else {{ local_date('created_date') }}
        end as touched_on,
        system_modstamp as updated_at,
        {{ as_of_note('created_date', 'system_modstamp') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    where version_rank = 1
        and not coalesce(is_deleted, false)
),

final as (
    select * from renamed
)

select * from final
