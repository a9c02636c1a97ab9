{% set identity = [
    'event_date', 'stream_id', 'user_pseudo_id', 'ga_session_id', 'event_name', 'event_timestamp', 'event_params'
] %}

with source as (
    select * from {{ source('raw', 'ga4__events') }}
),

-- Daily tables are restated for days and files overlap: an event is itself by date, stream, device, session, name,
-- time and parameters. Of its repeats the one that knows the user counts.
versions as (
    select
        *,
        {{ content_hash(identity) }} as event_key,
        row_number() over (
            partition by {{ identity | join(', ') }}
            order by
                user_id desc nulls last,
                {{ content_hash(['session_engaged', 'engagement_time_msec', 'page_location', 'transaction_id',
                                 'purchase_revenue', 'traffic_source', 'traffic_medium', 'geo_region']) }} desc,
                _file,
                _line,
                _batch
        ) as version_rank
    from source
    where {{ happened_by_as_of('event_timestamp') }}
),

renamed as (
    select
        -- keys
        event_key,
        user_pseudo_id as device_id,
        user_id,
        case
            when user_pseudo_id is not null and ga_session_id is not null
                then {{ content_hash(['user_pseudo_id', 'ga_session_id']) }}
        end as session_key,
        ga_session_id,
        ga_session_number,

        -- event
        event_name,
        page_location,
        page_title,
        page_referrer,
        transaction_id,
        cast(purchase_revenue as decimal(18, 2)) as purchase_revenue,
        engagement_time_msec,

        -- context
        device_category,
        operating_system,
        geo_country as country,
        geo_region as region,
        traffic_source,
        traffic_medium,
        traffic_campaign,
        stream_id,
        platform,

        -- flags
        coalesce(session_engaged in ('1', 'true'), false) as is_session_engaged,

        -- times
        event_timestamp as occurred_at,
        {{ local_date('event_timestamp') }} as occurred_on,
        event_date as export_on,
        case when event_timestamp is null then 'no_event_time' end as as_of_note,

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
