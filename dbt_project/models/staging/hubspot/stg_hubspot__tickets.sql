{% set content = [
    'subject', 'status', 'pipeline', 'priority', 'category', 'channel', 'owner', 'contact_ids', 'company_ids',
    'first_reply_at', 'closed_at', 'created_at'
] %}

with source as (
    select * from {{ source('raw', 'hubspot__tickets') }}
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
        id as interaction_key,
        case when nullif(trim(split_part(company_ids, ';', 1)), '') is not null then concat('hubspot:', nullif(trim(split_part(company_ids, ';', 1)), '')) end as account_key,

        -- who asked: the first contact; the others stay listed
        case when nullif(trim(split_part(contact_ids, ';', 1)), '') is not null then 'hubspot.contact' end as person_source,
        nullif(trim(split_part(contact_ids, ';', 1)), '') as person_record_key,
        nullif(trim(split_part(contact_ids, ';', 1)), '') as customer_key,
        contact_ids,
        company_ids,
        {{ nothing_for(['email', 'phone', 'continues_key']) }},

        -- ticket
        'inbound' as direction,
        case when closed_at >= {{ as_of_end() }} then null else status end as status,
        pipeline,
        channel,
        priority,
        owner as agent,
        category as topic,
        subject,
        pipeline as queue,

        -- measures
        {{ nothing_for([
            'csat_score', 'reopens', 'handoffs', 'talk_seconds', 'hold_seconds', 'acw_seconds', 'queue_seconds',
            'first_response_minutes', 'first_response_business_minutes', 'first_resolution_minutes',
            'resolution_minutes', 'is_abandoned'
        ]) }},

        -- flags
        coalesce(closed_at < {{ as_of_end() }}, false) as is_resolved,

        -- times
        created_at as opened_at,
        {{ local_date('created_at') }} as opened_on,
        {{ until_as_of('first_reply_at') }} as first_response_at,
        {{ until_as_of('closed_at') }} as resolved_at,
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
