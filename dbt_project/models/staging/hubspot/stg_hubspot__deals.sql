{% set content = [
    'name', 'stage', 'pipeline', 'amount', 'currency', 'is_closed', 'is_won', 'close_at', 'company_ids',
    'contact_ids', 'created_at'
] %}

with source as (
    select * from {{ source('raw', 'hubspot__deals') }}
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
        id as opportunity_key,
        case when nullif(trim(split_part(company_ids, ';', 1)), '') is not null then concat('hubspot:', nullif(trim(split_part(company_ids, ';', 1)), '')) end as account_key,

        -- who it is about: the first contact; the others stay listed
        case when nullif(trim(split_part(contact_ids, ';', 1)), '') is not null then 'hubspot.contact' end as person_source,
        nullif(trim(split_part(contact_ids, ';', 1)), '') as person_record_key,
        contact_ids,
        company_ids,

        -- deal
        name as opportunity_name,
        stage,
        pipeline,
        upper(coalesce(currency, '{{ var("currency") }}')) as currency,
        amount,

        -- flags
        coalesce(is_closed, false)
            or lower(coalesce(stage, '')) in ('closedwon', 'closed won', '成約', '受注')
            or lower(coalesce(stage, '')) in ('closedlost', 'closed lost', '失注') as is_closed,
        coalesce(is_won, lower(coalesce(stage, '')) in ('closedwon', 'closed won', '成約', '受注')) as is_won,

        -- times
        {{ local_date('close_at') }} as close_on,
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
