{% set content = [
    '_namespace', 'customer_key', 'email', 'phone', 'campaign_key', 'campaign', 'channel', 'touch_kind'
] %}
{% set identity = ['_source', 'customer_key', 'email', 'phone', 'campaign_key', 'campaign', 'touch_kind', 'touched_at'] %}

with source as (
    select
        *,
        coalesce(touch_key, {{ content_hash(identity) }}) as own_key
    from {{ source('raw', 'mapped__campaign_touch') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'own_key'], newest='touched_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('touched_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        own_key as touch_key,

        -- who it is about
{{ named_person(
            "concat('mapped.', _namespace)", "concat('mapped.', _namespace, '.campaign_touch')", "concat(_source, ':', own_key)"
        ) }},
        customer_key,
        email,
        phone,

        -- touch
        campaign_key,
        campaign,
        channel,
        touch_kind,

        -- times
        touched_at,
        {{ local_date('touched_at') }} as touched_on,
        {{ as_of_note('touched_at', 'touched_at') }} as as_of_note,

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
