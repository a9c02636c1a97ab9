{% set content = [
    'is_deleted', 'account_id', 'contact_id', 'name', 'stage_name', 'amount', 'currency_iso_code', 'close_date',
    'is_closed', 'is_won', 'created_date'
] %}

with source as (
    select * from {{ source('raw', 'salesforce__opportunity') }}
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
        id as opportunity_id,
        account_id,
        contact_id,

        -- opportunity
        name as opportunity_name,
        stage_name,

        -- money
        cast(amount as decimal(18, 2)) as amount,
        upper(coalesce(currency_iso_code, '{{ var("currency") }}')) as currency,

        -- flags
        coalesce(is_deleted, false) as is_deleted,
        is_closed,
        is_won,

        -- times
        close_date as close_on,
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
