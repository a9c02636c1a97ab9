with contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

parts as (
    {% for kind, column in [
        ('hubspot_contact_id', 'merged_object_ids'),
        ('hubspot_contact_id', 'merged_vids'),
        ('email', 'additional_emails'),
    ] -%}
    {{ 'union all' if not loop.first }}
    select
        contact_key,
        '{{ kind }}' as identifier_type,
        {{ split_to_rows(column, ';') }} as part,
        created_at
    from contacts
    where {{ column }} is not null
    {% endfor %}
),

-- Older exports write merged contacts as number:milliseconds.
cleaned as (
    select
        contact_key,
        identifier_type,
        trim(case when identifier_type = 'email' then part else split_part(part, ':', 1) end) as part,
        created_at
    from parts
),

-- Of contacts that were merged only the survivor is exported; it names the others. Each of them carries the survivor's
-- id, as a merged Salesforce contact does, so that retired ids are told apart from those in use. A survivor that was
-- merged again later stands in an earlier export, so chains are followed from one to the next.
final as (
    select distinct
        'hubspot' as source_name,
        'hubspot.contact' as person_source,
        case when identifier_type = 'email' then contact_key else part end as person_record_key,
        identifier_type,
        case when identifier_type = 'email' then part else contact_key end as raw_value,
        created_at as seen_at
    from cleaned
    where part <> '' and part <> contact_key
)

select * from final
