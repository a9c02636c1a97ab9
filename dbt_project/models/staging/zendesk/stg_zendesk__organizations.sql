{% set content = ['name', 'external_id', 'domain_names', 'tags', 'created_at'] %}

with source as (
    select * from {{ source('raw', 'zendesk__organizations') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='updated_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        'zendesk' as source_name,
        id as account_key,
        external_id,
        {{ nothing_for(['master_account_key']) }},

        -- company
        name as account_name,
        domain_names,
        {{ nothing_for(['account_type', 'industry', 'region', 'country']) }},

        -- flags
        false as is_deleted,

        -- times
        created_at,
        {{ local_date('created_at') }} as created_on,
        updated_at,
        {{ as_of_note('created_at', 'updated_at') }} as as_of_note,

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
