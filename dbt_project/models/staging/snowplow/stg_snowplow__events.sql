with source as (
    select
        *,
        coalesce(true_tstamp, derived_tstamp, collector_tstamp) as happened_at
    from {{ source('raw', 'snowplow__events') }}
),

-- Delivered at least once: an event is itself by id and fingerprint, since some browsers reuse ids. The copy that the
-- collector saw first counts.
versions as (
    select
        *,
        row_number() over (
            partition by event_id, event_fingerprint
            order by
                collector_tstamp,
                {{ content_hash(['user_id', 'domain_userid', 'domain_sessionid', 'page_url', 'tr_orderid']) }} desc,
                _file,
                _line,
                _batch
        ) as version_rank
    from source
    where {{ happened_by_as_of('happened_at') }}
),

renamed as (
    select
        -- keys
        'snowplow' as source_name,
        'snowplow' as identity_namespace,
        case
            when event_fingerprint is null then event_id
            else concat(event_id, ':', event_fingerprint)
        end as event_key,
        'snowplow.device' as device_source,
        coalesce(domain_userid, network_userid) as device_id,
        'snowplow.user' as user_source,
        user_id,
        -- One session over two cookies is two: sessions belong to a device.
        case
            when domain_sessionid is not null
                then {{ content_hash(['coalesce(domain_userid, network_userid)', 'domain_sessionid']) }}
        end as session_key,

        -- event
        case event
            when 'transaction' then 'purchase'
            when 'struct' then coalesce(se_action, 'struct')
            else coalesce(event_name, event)
        end as event_name,
        event as event_type,
        se_category as event_category,
        page_url as page,
        page_title,
        tr_orderid as transaction_id,

        -- context
        app_id,
        platform,
        lower(dvce_type) as device_category,
        geo_country as country,
        geo_region_name as region,
        coalesce(mkt_source, refr_source) as traffic_source,
        coalesce(mkt_medium, refr_medium) as traffic_medium,
        mkt_campaign as traffic_campaign,
        {{ nothing_for(['is_session_engaged']) }},

        -- times
        happened_at as occurred_at,
        {{ local_date('happened_at') }} as occurred_on,
        case when happened_at is null then 'no_event_time' end as as_of_note,

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
