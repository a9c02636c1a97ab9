{% set content = [
    'initial_contact_id', 'channel', 'initiation_method', 'initiation_timestamp', 'connected_to_system_timestamp',
    'disconnect_timestamp', 'customer_endpoint', 'system_endpoint', 'queue_name', 'queue_enqueue_timestamp',
    'queue_dequeue_timestamp', 'queue_duration_seconds', 'agent_username', 'agent_connected_timestamp',
    'agent_interaction_seconds', 'after_contact_work_seconds', 'customer_hold_seconds', 'disconnect_reason',
    'attributes'
] %}

with source as (
    select * from {{ source('raw', 'amazon_connect__contact_records') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['contact_id'], newest='last_update_timestamp', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('initiation_timestamp') }}
),

renamed as (
    select
        -- keys
        contact_id,
        initial_contact_id,

        -- who called
        case when customer_endpoint is not null then 'amazon_connect.caller' end as person_source,
        customer_endpoint as person_record_key,
        customer_endpoint,
        system_endpoint,

        -- contact
        channel,
        initiation_method,
        queue_name,
        agent_username,
        disconnect_reason,
        attributes,

        -- measures
        queue_duration_seconds as queue_seconds,
        agent_interaction_seconds,
        after_contact_work_seconds,
        customer_hold_seconds as hold_seconds,

        -- times
        initiation_timestamp as initiated_at,
        {{ local_date('initiation_timestamp') }} as initiated_on,
        {{ until_as_of('connected_to_system_timestamp') }} as connected_to_system_at,
        {{ until_as_of('queue_enqueue_timestamp') }} as enqueued_at,
        {{ until_as_of('queue_dequeue_timestamp') }} as dequeued_at,
        {{ until_as_of('agent_connected_timestamp') }} as agent_connected_at,
        {{ until_as_of('disconnect_timestamp') }} as disconnected_at,
        last_update_timestamp as updated_at,
        {{ as_of_note('initiation_timestamp', 'last_update_timestamp') }} as as_of_note,

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
