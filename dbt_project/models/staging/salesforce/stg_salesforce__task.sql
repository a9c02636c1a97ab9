{% set content = [
    'who_id', 'what_id', 'account_id', 'subject', 'description', 'status', 'priority', 'type', 'task_subtype',
    'activity_date', 'is_closed', 'is_deleted', 'completed_at', 'call_type', 'call_duration_seconds', 'owner_id',
    'created_date'
] %}

with source as (
    select * from {{ source('raw', 'salesforce__task') }}
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
        case when who_id like '00Q%' then 'salesforce_lead' else 'salesforce_contact' end as identity_namespace,
        id as message_key,
        case when what_id like '500%' then what_id end as interaction_key,
        what_id,
        account_id,
        owner_id,

        -- who it is about: ids of leads begin with 00Q, of contacts with 003
        case
            when who_id like '00Q%' then 'salesforce.lead'
            when who_id is not null then 'salesforce.contact'
        end as person_source,
        who_id as person_record_key,
        who_id as customer_key,
        {{ nothing_for(['email', 'phone']) }},

        -- task: what is not done yet is the company's own plan
        case
            when not coalesce(is_closed, false) or completed_at >= {{ as_of_end() }} then 'internal'
            when lower(call_type) = 'inbound' then 'inbound'
            when lower(coalesce(task_subtype, type)) in ('call', 'email', 'listemail') then 'outbound'
            when lower(type) in ('call', 'email') then 'outbound'
            else 'internal'
        end as direction,
        case when lower(call_type) = 'inbound' then 'customer' else 'agent' end as author_kind,
        case when lower(call_type) = 'inbound' then null else owner_id end as author_key,
        lower(coalesce(task_subtype, type)) as channel,
        case when completed_at >= {{ as_of_end() }} then null else status end as status,
        priority,
        subject,
        description as body,
        call_duration_seconds,

        -- times
        activity_date as due_on,
        coalesce({{ until_as_of('completed_at') }}, created_date) as sent_at,
        {{ local_date("coalesce(" ~ until_as_of('completed_at') ~ ", created_date)") }} as sent_on,
        created_date as created_at,
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
