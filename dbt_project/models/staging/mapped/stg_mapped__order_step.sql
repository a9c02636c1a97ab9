{% set content = ['_namespace', 'order_key', 'customer_key', 'email', 'phone', 'step', 'place'] %}
{% set identity = ['_source', 'order_key', 'customer_key', 'email', 'phone', 'step', 'place', 'stepped_at'] %}

with source as (
    select
        *,
        coalesce(step_key, {{ content_hash(identity) }}) as own_key
    from {{ source('raw', 'mapped__order_step') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'own_key'], newest='stepped_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('stepped_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        own_key as step_key,
        order_key,

        -- who it is about
{{ named_person(
            "concat('mapped.', _namespace)", "concat('mapped.', _namespace, '.order_step')", "concat(_source, ':', own_key)"
        ) }},
        customer_key,
        email,
        phone,

        -- step
        step,
        place,

        -- times
        stepped_at,
        {{ local_date('stepped_at') }} as stepped_on,
        {{ as_of_note('stepped_at', 'stepped_at') }} as as_of_note,

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
