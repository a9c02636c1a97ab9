{% set content = [
    'external_id', 'name', 'email', 'phone', 'role', 'organization_id', 'tags', 'suspended', 'created_at'
] %}

with source as (
    select * from {{ source('raw', 'zendesk__users') }}
),

organizations as (
    select * from {{ ref('stg_zendesk__organizations') }}
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
        id as zendesk_user_id,
        versions.external_id,
        organization_id,
        -- Only an organization that was exported is an account: others would be a number without a name.
        case when organizations.account_key is not null then concat('zendesk:', organization_id) end as account_key,

        -- person
        name,
        email,
        phone,
        role,
        tags,

        -- flags
        coalesce(suspended, false) as is_suspended,

        -- times
        versions.created_at,
        {{ local_date('versions.created_at') }} as created_on,
        versions.updated_at,
        {{ as_of_note('versions.created_at', 'versions.updated_at') }} as as_of_note,

        -- lineage
        versions._source,
        versions._file,
        versions._line,
        versions._batch
    from versions
    left join organizations
        on versions.organization_id = organizations.account_key
    where version_rank = 1
),

final as (
    select * from renamed
)

select * from final
