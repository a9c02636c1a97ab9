{% set content = [
    '_namespace', 'customer_key', 'email', 'phone', 'opened_at', 'first_response_at', 'resolved_at', 'status',
    'channel', 'queue', 'priority', 'agent', 'topic', 'csat_score', 'reopens', 'talk_seconds', 'hold_seconds',
    'acw_seconds', 'abandoned'
] %}

with source as (
    select * from {{ source('raw', 'mapped__interaction') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'interaction_key'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('opened_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        interaction_key,
        'inbound' as direction,
        {{ nothing_for(['continues_key', 'account_key']) }},

        -- who it is about
        case
            when customer_key is not null then concat('mapped.', _namespace)
            when coalesce(email, phone) is not null then concat('mapped.', _namespace, '.interaction')
        end as person_source,
        case
            when customer_key is not null then customer_key
            when coalesce(email, phone) is not null then concat(_source, ':', interaction_key)
        end as person_record_key,
        customer_key,
        email,
        phone,

        -- interaction
        case when resolved_at >= {{ as_of_end() }} then null else status end as status,
        channel,
        queue,
        priority,
        agent,
        topic,

        -- measures
        case
            when updated_at >= {{ as_of_end() }} or resolved_at >= {{ as_of_end() }} then null
            else csat_score
        end as csat_score,
        reopens,
        talk_seconds,
        hold_seconds,
        acw_seconds,
        {{ nothing_for([
            'handoffs', 'queue_seconds', 'first_response_minutes', 'first_response_business_minutes',
            'first_resolution_minutes', 'resolution_minutes', 'is_resolved'
        ]) }},

        -- flags
        abandoned as is_abandoned,

        -- times
        opened_at,
        {{ local_date('opened_at') }} as opened_on,
        {{ until_as_of('first_response_at') }} as first_response_at,
        {{ until_as_of('resolved_at') }} as resolved_at,
        updated_at,
        {{ as_of_note('opened_at', 'updated_at') }} as as_of_note,

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
