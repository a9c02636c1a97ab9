{% set content = [
    'parent_id', 'is_published', 'is_deleted', 'comment_body', 'created_by_id', 'created_date'
] %}

with source as (
    select * from {{ source('raw', 'salesforce__case_comment') }}
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
        'salesforce' as source_name,
        'salesforce_contact' as identity_namespace,
        id as message_key,
        parent_id as interaction_key,
        created_by_id as author_id,

        -- who it is about: whoever the case is about
        {{ nothing_for(['person_source', 'person_record_key', 'customer_key', 'email', 'phone']) }},

        -- comment
        case when is_published then 'outbound' else 'internal' end as direction,
        'agent' as author_kind,
        created_by_id as author_key,
        'case' as channel,
        comment_body as body,
        {{ nothing_for(['subject']) }},

        -- flags
        coalesce(is_published, false) as is_published,

        -- times
        created_date as sent_at,
        {{ local_date('created_date') }} as sent_on,
        system_modstamp as updated_at,
        {{ as_of_note('created_date', 'system_modstamp') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    where version_rank = 1
        and not coalesce(is_deleted, false)
),

final as (
    select * from renamed
)

select * from final
