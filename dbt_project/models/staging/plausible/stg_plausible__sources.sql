with source as (
    select * from {{ source('raw', 'plausible__sources') }}
),

-- Exports overlap and carry no time of change. A day that was exported before it ended has the smaller total.
versions as (
    select
        *,
        row_number() over (
            partition by day, traffic_source, referrer, utm_source, utm_medium, utm_campaign, utm_content, utm_term
            order by
                visitors desc,
                {{ content_hash(['visitors', 'visits', 'pageviews', 'bounces', 'visit_seconds']) }} desc,
                _file,
                _line,
                _batch
        ) as version_rank
    from source
    where day <= {{ core_as_of() }}
),

renamed as (
    select
        -- keys
        day,
        traffic_source,
        referrer,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,

        -- totals: nobody can be told apart in them
        visitors,
        visits,
        pageviews,
        bounces,
        visit_seconds,

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
