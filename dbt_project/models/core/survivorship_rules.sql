with

-- macros/survivorship.sql with what the company's own file says laid over it.
listed as (

    {% for row in survivorship_groups() -%}
    {% set group_loop = loop -%}
    {% for place in row.sources -%}
    {% set place_loop = loop -%}
    {% for pattern in place -%}
    {{ 'union all' if not (group_loop.first and place_loop.first and loop.first) }}
    select
        '{{ row.group }}' as attribute_group,
        '{{ row.attributes | join(", ") }}' as attributes,
        '{{ row.by | join(", ") }}' as decided_by_order,
        {{ place_loop.index }} as priority,
        '{{ pattern }}' as source_pattern,
        {{ 'true' if place_loop.index <= row.company_sources else 'false' }} as is_company_rule
    {% endfor %}
    {%- endfor %}
    {%- endfor %}

),

final as (

    select
        cast(attribute_group as varchar) as attribute_group,
        cast(attributes as varchar) as attributes,
        cast(decided_by_order as varchar) as decided_by_order,
        cast(priority as integer) as priority,
        cast(source_pattern as varchar) as source_pattern,
        is_company_rule
    from listed

)

select * from final
