{% set content = [
    '_namespace', 'customer_key', 'email', 'phone', 'purpose', 'granted', 'collected_through'
] %}
{% set identity = ['_source', 'customer_key', 'email', 'phone', 'purpose', 'granted', 'stated_at'] %}

with source as (
    select
        *,
        coalesce(consent_key, {{ content_hash(identity) }}) as own_key
    from {{ source('raw', 'mapped__consent') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'own_key'], newest='stated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('stated_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        own_key as consent_key,

        -- who it is about
{{ named_person(
            "concat('mapped.', _namespace)", "concat('mapped.', _namespace, '.consent')", "concat(_source, ':', own_key)"
        ) }},
        customer_key,
        email,
        phone,

        -- statement
        lower(trim(purpose)) as purpose,
        granted as is_granted,
        collected_through,

        -- times
        stated_at,
        {{ local_date('stated_at') }} as stated_on,
        {{ as_of_note('stated_at', 'stated_at') }} as as_of_note,

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
