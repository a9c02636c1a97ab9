{% set content = [
    'created_at', 'state', 'priority', 'title', 'source_type', 'delivered_as', 'author_type', 'author_id',
    'author_email', 'author_name', 'subject', 'body', 'contacts', 'assignee_id', 'team_id', 'rating',
    'rating_remark', 'rated_at', 'sla_status', 'first_contact_reply_at', 'first_admin_reply_at', 'first_close_at',
    'last_close_at', 'office_reply_seconds', 'office_close_seconds', 'reopens', 'assignments', 'tags',
    'conversation_parts'
] %}

with source as (
    select * from {{ source('raw', 'intercom__conversations') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

-- Newer versions of the API list conversations too in which the customer never wrote, such as a campaign's message.
-- They are no contact with support: direction says outbound, and the marts count what is inbound.
told as (
    select
        *,
        coalesce(author_type in ('user', 'lead', 'contact', 'visitor'), false) as is_begun_by_customer,
        coalesce(
            case when author_type in ('user', 'lead', 'contact', 'visitor') then author_id end,
            {{ json_text('contacts', '$.contacts[0].id') }},
            {{ json_text('contacts', '$[0].id') }}
        ) as contact_id,
        {{ until_as_of('first_contact_reply_at') }} as contact_replied_at,
        {{ until_as_of('last_close_at') }} as closed_at,
        coalesce(updated_at >= {{ as_of_end() }}, false) as is_state_after_as_of
    from versions
    where version_rank = 1
),

renamed as (
    select
        -- keys
        'intercom' as source_name,
        'intercom_contact' as identity_namespace,
        id as interaction_key,
        {{ nothing_for(['continues_key', 'account_key']) }},

        -- who wrote
        case when contact_id is not null then 'intercom.contact' end as person_source,
        contact_id as person_record_key,
        contact_id as customer_key,
        case when is_begun_by_customer then author_email end as email,
        {{ nothing_for(['phone']) }},

        -- conversation
        case when is_begun_by_customer or contact_replied_at is not null then 'inbound' else 'outbound' end as direction,
        delivered_as,
        case
            when is_state_after_as_of and closed_at is null and state = 'closed' then 'open'
            else state
        end as status,
        case lower(source_type)
            when 'conversation' then 'chat'
            when 'facebook' then 'social'
            when 'twitter' then 'social'
            when 'instagram' then 'social'
            when 'phone_call' then 'phone'
            else lower(source_type)
        end as channel,
        team_id as queue,
        case lower(priority) when 'priority' then 'high' when 'not_priority' then 'normal' else priority end as priority,
        assignee_id as agent,
        title as topic,
        sla_status,
        tags,

        -- measures
        case when not is_state_after_as_of or rated_at < {{ as_of_end() }} then rating end as csat_score,
        reopens,
        case when assignments > 1 then assignments - 1 else 0 end as handoffs,
        cast(
            case when first_admin_reply_at < {{ as_of_end() }} then round(office_reply_seconds / 60.0, 2) end
            as decimal(18, 2)
        ) as first_response_business_minutes,
        {{ nothing_for([
            'talk_seconds', 'hold_seconds', 'acw_seconds', 'queue_seconds', 'first_response_minutes',
            'first_resolution_minutes', 'resolution_minutes', 'is_abandoned'
        ]) }},
        -- A conversation that was opened again is not resolved by the close before.
        closed_at is not null and (is_state_after_as_of or state = 'closed') as is_resolved,

        -- times: where the company wrote first, the contact begins with the customer's reply
        case
            when is_begun_by_customer then created_at
            else coalesce(contact_replied_at, created_at)
        end as opened_at,
        {{ local_date('case when is_begun_by_customer then created_at else coalesce(contact_replied_at, created_at) end') }} as opened_on,
        case
            when is_begun_by_customer or first_admin_reply_at >= contact_replied_at
            then {{ until_as_of('first_admin_reply_at') }}
        end as first_response_at,
        case when is_state_after_as_of or state = 'closed' then closed_at end as resolved_at,
        created_at,
        updated_at,
        {{ as_of_note('created_at', 'updated_at') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from told
),

final as (
    select * from renamed
)

select * from final
