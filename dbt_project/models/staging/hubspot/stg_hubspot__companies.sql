{% set content = [
    'name', 'domain', 'type', 'industry', 'region', 'country', 'merged_object_ids', 'created_at'
] %}

with source as (
    select * from {{ source('raw', 'hubspot__companies') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='modified_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        'hubspot' as source_name,
        id as account_key,
        merged_object_ids,
        {{ nothing_for(['master_account_key']) }},

        -- company
        name as account_name,
        type as account_type,
        industry,
        region,
        country,
        domain,

        -- flags
        false as is_deleted,

        -- times
        created_at,
        {{ local_date('created_at') }} as created_on,
        modified_at as updated_at,
        {{ as_of_note('created_at', 'modified_at') }} as as_of_note,

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
