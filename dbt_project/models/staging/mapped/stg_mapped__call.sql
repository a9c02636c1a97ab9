{% set content = [
    '_namespace', 'customer_key', 'email', 'phone', 'direction', 'queue', 'agent', 'topic', 'started_at',
    'answered_at', 'ended_at', 'queue_seconds', 'talk_seconds', 'hold_seconds', 'acw_seconds', 'abandoned'
] %}

with source as (
    select * from {{ source('raw', 'mapped__call') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'call_key'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('started_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        call_key,
        {{ nothing_for(['continues_key', 'account_key']) }},

        -- who called: the customer number, else the line itself
        case
            when customer_key is not null then concat('mapped.', _namespace)
            when phone is not null then concat('mapped.', _namespace, '.caller')
            when email is not null then concat('mapped.', _namespace, '.call')
        end as person_source,
        coalesce(customer_key, phone, case when email is not null then concat(_source, ':', call_key) end)
            as person_record_key,
        customer_key,
        email,
        phone,

        -- call
        coalesce(direction, 'inbound') as direction,
        queue,
        agent,
        topic,

        -- measures
        queue_seconds,
        talk_seconds,
        hold_seconds,
        acw_seconds,

        -- flags
        abandoned as is_abandoned,

        -- times
        started_at,
        {{ local_date('started_at') }} as started_on,
        {{ until_as_of('answered_at') }} as answered_at,
        {{ until_as_of('ended_at') }} as ended_at,
        updated_at,
        {{ as_of_note('started_at', 'updated_at') }} as as_of_note,

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
