{% set identity = ['_source', 'device_id', 'session_key', 'event_name', 'occurred_at', 'page'] %}
{% set content = ['_namespace', 'user_id', 'device_category', 'region', 'source', 'medium'] %}

with source as (
    select
        *,
        coalesce(event_key, {{ content_hash(identity) }}) as own_event_key
    from {{ source('raw', 'mapped__web_event') }}
),

-- Of an event's repeats the one that knows the user counts.
versions as (
    select
        *,
        row_number() over (
            partition by _source, own_event_key
            order by user_id desc nulls last, {{ content_hash(identity + content) }} desc, _file, _line, _batch
        ) as version_rank
    from source
    where {{ happened_by_as_of('occurred_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        own_event_key as event_key,
        concat('mapped.', _namespace, '.device') as device_source,
        device_id,
        concat('mapped.', _namespace, '.user') as user_source,
        user_id,
        case
            when session_key is not null
                then {{ content_hash(['_source', 'device_id', 'session_key']) }}
        end as session_key,

        -- event
        event_name,
        page,
        device_category,
        region,
        source as traffic_source,
        medium as traffic_medium,
        {{ nothing_for(['transaction_id', 'is_session_engaged']) }},

        -- times
        occurred_at,
        {{ local_date('occurred_at') }} as occurred_on,
        case when occurred_at is null then 'no_event_time' end as as_of_note,

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
