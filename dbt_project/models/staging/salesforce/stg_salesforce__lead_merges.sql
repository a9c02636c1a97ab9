with leads as (
    select * from {{ ref('stg_salesforce__lead') }}
),

-- A merged lead is deleted and names the lead that it lives on in.
final as (
    select
        source_name,
        person_source,
        person_record_key,
        'salesforce_lead_id' as identifier_type,
        master_lead_id as raw_value,
        updated_at as seen_at
    from leads
    where master_lead_id is not null
)

select * from final
