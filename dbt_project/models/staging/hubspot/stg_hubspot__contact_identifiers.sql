with contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
),

-- Of contacts that were merged only the survivor is exported; it names the others. A survivor that was merged again
-- later stands in an earlier export, so chains are followed from one to the next.
parts as (
    {% for kind, column in [
        ('hubspot_contact_id', 'merged_object_ids'),
        ('hubspot_contact_id', 'merged_vids'),
        ('email', 'additional_emails'),
    ] -%}
    {{ 'union all' if not loop.first }}
    select
        source_name,
        person_source,
        person_record_key,
        '{{ kind }}' as identifier_type,
        {{ split_to_rows(column, ';') }} as part,
        created_at as seen_at
    from contacts
    where {{ column }} is not null
    {% endfor %}
),

-- Older exports write merged contacts as number:milliseconds.
cleaned as (
    select distinct
        source_name,
        person_source,
        person_record_key,
        identifier_type,
        trim(case when identifier_type = 'email' then part else split_part(part, ':', 1) end) as raw_value,
        seen_at
    from parts
),

final as (
    select * from cleaned
    where raw_value <> '' and raw_value <> person_record_key
)

select * from final
