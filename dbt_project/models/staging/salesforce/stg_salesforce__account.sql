{% set content = [
    'is_deleted', 'master_record_id', 'name', 'type', 'industry', 'billing_state', 'billing_country', 'phone',
    'website', 'created_date'
] %}

with source as (
    select * from {{ source('raw', 'salesforce__account') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='system_modstamp', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_date') }}
),

renamed as (
    select
        -- keys
        id as account_id,
        master_record_id as master_account_id,

        -- account
        name as account_name,
        type as account_type,
        industry,
        billing_state as region,
        billing_country as country,
        phone,
        website,

        -- flags
        coalesce(is_deleted, false) as is_deleted,

        -- times
        created_date as created_at,
        {{ local_date('created_date') }} as created_on,
        system_modstamp as modified_at,
        {{ as_of_note('created_date', 'system_modstamp') }} as as_of_note,

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
