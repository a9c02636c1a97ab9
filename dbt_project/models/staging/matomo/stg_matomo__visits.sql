{% set content = [
    'visitor_id', 'user_id', 'first_action_at', 'device_type', 'country', 'region', 'referrer_type',
    'referrer_name', 'actions'
] %}

with source as (
    select * from {{ source('raw', 'matomo__visits') }}
),

-- A visit that was under way is exported again with more actions.
versions as (
    select
        *,
        {{ version_rank(key=['id_site', 'id_visit'], newest='last_action_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('first_action_at') }}
),

renamed as (
    select
        -- keys
        id_site as site_id,
        id_visit as visit_id,
        visitor_id,
        user_id,

        -- visit
        device_type,
        country,
        region,
        referrer_type,
        referrer_name,
        actions,

        -- times
        first_action_at,
        {{ local_date('first_action_at') }} as visited_on,
        last_action_at,
        {{ as_of_note('first_action_at', 'last_action_at') }} as as_of_note,

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
