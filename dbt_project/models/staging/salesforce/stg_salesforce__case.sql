{% set content = [
    'is_deleted', 'master_record_id', 'case_number', 'contact_id', 'account_id', 'supplied_email', 'supplied_phone',
    'type', 'status', 'reason', 'origin', 'subject', 'priority', 'is_closed', 'closed_date', 'is_escalated',
    'owner_id', 'created_date'
] %}

with source as (
    select * from {{ source('raw', 'salesforce__case') }}
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
        id as case_id,
        master_record_id as master_case_id,
        case_number,
        contact_id,
        account_id,
        owner_id,

        -- who asked
        case
            when contact_id is not null then 'salesforce.contact'
            when coalesce(supplied_email, supplied_phone) is not null then 'salesforce.case'
        end as person_source,
        case
            when contact_id is not null then contact_id
            when coalesce(supplied_email, supplied_phone) is not null then id
        end as person_record_key,
        supplied_email,
        supplied_phone,

        -- case
        type as case_type,
        case when closed_date >= {{ as_of_end() }} then null else status end as status,
        reason,
        origin,
        subject,
        priority,

        -- flags
        coalesce(is_deleted, false) as is_deleted,
        case when closed_date >= {{ as_of_end() }} then false else is_closed end as is_closed,
        is_escalated,

        -- times
        created_date as created_at,
        {{ local_date('created_date') }} as created_on,
        {{ until_as_of('closed_date') }} as closed_at,
        system_modstamp as modified_at,
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
