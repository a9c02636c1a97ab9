{% set content = [
    '_namespace', 'customer_key', 'email', 'phone', 'user_id', 'device_id', 'experiment', 'variant'
] %}
{% set identity = ['_source', 'customer_key', 'email', 'phone', 'user_id', 'device_id', 'experiment', 'variant', 'exposed_at'] %}

with source as (
    select
        *,
        coalesce(exposure_key, {{ content_hash(identity) }}) as own_key
    from {{ source('raw', 'mapped__experiment_exposure') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['_source', 'own_key'], newest='exposed_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('exposed_at') }}
),

renamed as (
    select
        -- keys
        _source as source_name,
        _namespace as identity_namespace,
        own_key as exposure_key,

        -- who was shown it: the customer number, else the login, else the device, else an address
        concat('mapped.', _namespace, '.device') as device_source,
        concat('mapped.', _namespace, '.user') as user_source,
        case
            when customer_key is not null then concat('mapped.', _namespace)
            when user_id is not null then concat('mapped.', _namespace, '.user')
            when device_id is not null then concat('mapped.', _namespace, '.device')
            when coalesce(email, phone) is not null then concat('mapped.', _namespace, '.experiment_exposure')
        end as person_source,
        coalesce(
            customer_key,
            user_id,
            device_id,
            case when coalesce(email, phone) is not null then concat(_source, ':', own_key) end
        ) as person_record_key,
        customer_key,
        email,
        phone,
        user_id,
        device_id,

        -- exposure
        experiment,
        variant,

        -- times
        exposed_at,
        {{ local_date('exposed_at') }} as exposed_on,
        {{ as_of_note('exposed_at', 'exposed_at') }} as as_of_note,

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
