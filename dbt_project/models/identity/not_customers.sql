with salesforce_contacts as (
    select * from {{ ref('stg_salesforce__contact') }}
),

zendesk_users as (
    select * from {{ ref('stg_zendesk__users') }}
),

canonical_contacts as (
    select * from {{ ref('canonical__contact') }}
),

final as (
    select
        'salesforce.contact' as source,
        contact_id as record_key,
        'deleted' as reason
    from salesforce_contacts
    where
        is_deleted
        and master_contact_id is null
    union all
    select
        'zendesk.user' as source,
        zendesk_user_id as record_key,
        'staff' as reason
    from zendesk_users
    where role <> 'end-user'
    union all
    select distinct
        person_source as source,
        person_record_key as record_key,
        not_customer_reason as reason
    from canonical_contacts
    where not_customer_reason is not null
)

select * from final
