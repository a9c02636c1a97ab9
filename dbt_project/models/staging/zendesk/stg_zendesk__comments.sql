{% set content = ['ticket_id', 'type', 'author_id', 'public', 'body', 'via_channel', 'created_at'] %}

with source as (
    select * from {{ source('raw', 'zendesk__comments') }}
),

tickets as (
    select * from {{ ref('stg_zendesk__tickets') }}
),

users as (
    select * from {{ ref('stg_zendesk__users') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='created_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

-- Whoever asked wrote as a customer; of others the role decides, and who is unknown is taken for staff.
written as (
    select
        versions.*,
        coalesce(
            versions.author_id = tickets.requester_id or users.role = 'end-user', false
        ) as is_by_customer
    from versions
    left join tickets
        on versions.ticket_id = tickets.ticket_id
    left join users
        on versions.author_id = users.zendesk_user_id
    where version_rank = 1
),

renamed as (
    select
        -- keys
        'zendesk' as source_name,
        'zendesk_user' as identity_namespace,
        id as message_key,
        ticket_id as interaction_key,

        -- who wrote, where it was the customer
        case when is_by_customer then 'zendesk.user' end as person_source,
        case when is_by_customer then author_id end as person_record_key,
        case when is_by_customer then author_id end as customer_key,
        {{ nothing_for(['email', 'phone', 'subject']) }},

        -- message
        case
            when not public then 'internal'
            when is_by_customer then 'inbound'
            else 'outbound'
        end as direction,
        case
            when is_by_customer then 'customer'
            when author_id like '-%' then 'system'
            else 'agent'
        end as author_kind,
        case when not is_by_customer then author_id end as author_key,
        via_channel as channel,
        body,

        -- times
        created_at as sent_at,
        {{ local_date('created_at') }} as sent_on,
        {{ as_of_note('created_at', 'created_at') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from written
),

final as (
    select * from renamed
)

select * from final
