{%- set groups = survivorship_groups() -%}
{%- set recency_key = epoch_seconds('recency_at', as_of_end()) -%}
with

source_records as (

    select * from {{ ref('source_records') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

prefecture_names as (

    select * from {{ ref('prefecture_names') }}

),

rules as (

    select * from {{ ref('survivorship_rules') }}

),

-- The first place in the list that fits a source is its place.
priorities as (

    select rules.attribute_group, sources.source, min(rules.priority) as priority
    from (select distinct source from source_records) as sources
    inner join rules
        on sources.source like replace(replace(rules.source_pattern, '_', '\_'), '*', '%') escape '\'
    group by rules.attribute_group, sources.source

),

-- Addresses and numbers that are evidence, as they were normalised: what is blocked or shared describes nobody.
contacts as (

    select customer_id, identifier_type, spelling, min(normalized_value) as contact
    from (
        select
            customer_id,
            identifier_type,
            normalized_value,
            -- A number is written with its country or without; the last nine digits are the same.
            case identifier_type
                when 'email' then normalized_value
                else right({{ digits_of('normalized_value') }}, 9)
            end as spelling
        from {{ source('identity', 'customer_identifiers') }}
        where identifier_type in ('email', 'phone')
    ) as used
    group by customer_id, identifier_type, spelling

),

records as (

    select
        map.customer_id,
        rec.source,
        rec.record_key,
        nullif(trim(rec.region), '') as stated_region,
        nullif(trim(rec.country), '') as country,
        nullif(trim(rec.postal_code), '') as postal_code,
        emails.contact as email,
        phones.contact as phone,
        nullif(trim(rec.first_name), '') as first_name,
        nullif(trim(rec.last_name), '') as last_name,
        cast(rec.birth_on as varchar) as birth_on,
        nullif(trim(rec.account_key), '') as account_id,
        cast(case when rec.opted_out then 'false' when not rec.opted_out then 'true' end as varchar) as email_consent,
        coalesce(rec.updated_at, rec.seen_at, rec.created_at) as recency_at
    from source_records as rec
    inner join customer_map as map
        on rec.source = map.source and rec.record_key = map.record_key
    left join contacts as emails
        on map.customer_id = emails.customer_id
        and emails.identifier_type = 'email'
        and lower(trim(rec.email)) = emails.spelling
    left join contacts as phones
        on map.customer_id = phones.customer_id
        and phones.identifier_type = 'phone'
        and right({{ digits_of('rec.phone') }}, 9) = phones.spelling

),

described as (

    select
        records.*,
        case
            when pref.region is not null and coalesce(lower(records.country), 'jp') in ('jp', 'jpn', 'japan', '日本')
            then pref.region
            when records.country is not null and lower(records.country) not in ('jp', 'jpn', 'japan', '日本')
            then records.country
            when pref.region is not null then pref.region
            when records.country is null then records.stated_region
        end as region,
        substr(replace(replace(records.postal_code, '-', ''), '〒', ''), 1, 3) as postal_prefix
    from records
    left join prefecture_names as pref
        on lower(records.stated_region) = pref.spelling

),

-- Within one list of statements the latest counts.
statements as (

    select
        map.customer_id,
        map.source,
        map.record_key,
        cast(case when listed.is_granted then 'true' else 'false' end as varchar) as email_consent,
        listed.stated_at as recency_at,
        row_number() over (
            partition by map.customer_id, listed.source_name
            order by listed.stated_at desc, listed.is_granted, listed.consent_id
        ) as statement_rank
    from {{ ref('canonical__consent') }} as listed
    inner join customer_map as map
        on listed.person_source = map.source and listed.person_record_key = map.record_key
    where listed.purpose = 'email' and listed.is_granted is not null

),

{% for row in groups -%}
{%- set name = row.group -%}
{%- set keys = {
    'completeness': '-filled',
    'opt_out': "case when email_consent = 'false' then 0 else 1 end",
    'source': 'priority',
    'recency': 'coalesce(' ~ recency_key ~ ', 9007199254740991)',
} -%}
-- {{ name }}: {{ row.attributes | join(', ') }}, by {{ row.by | join(', then ') }}
{{ name }}_claims as (

    select
        claims.*,
        priorities.priority,
        {% for attribute in row.weighed -%}
        {{ '+ ' if not loop.first }}case when {{ attribute }} is not null then {{ 2 ** loop.revindex0 }} else 0 end
        {% endfor -%}
        as filled,
        lower(concat_ws('|', {% for attribute in row.attributes -%}
            coalesce({{ attribute }}, ''){{ ', ' if not loop.last }}
        {%- endfor %})) as whole
    from (
        select customer_id, source, record_key, recency_at, {{ row.attributes | join(', ') }}
        from described
        {%- if name == 'consent' %}
        union all
        select customer_id, source, record_key, recency_at, email_consent
        from statements
        where statement_rank = 1
        {%- endif %}
    ) as claims
    inner join priorities
        on claims.source = priorities.source and priorities.attribute_group = '{{ name }}'
    where {{ row.attributes | join(' is not null or ') }} is not null

),

{{ name }}_ranked as (

    select
        keyed.*,
        row_number() over (
            partition by customer_id
            order by
                {% for criterion in row.by %}key_{{ loop.index }}, {% endfor %}
                recency_at desc nulls last, source, record_key
        ) as survivor_rank
    from (
        select
            {{ name }}_claims.*
            {%- for criterion in row.by %},
            cast({{ keys[criterion] }} as bigint) as key_{{ loop.index }}
            {%- endfor %}
        from {{ name }}_claims
    ) as keyed

),

{{ name }}_rivals as (

    select *
    from (
        select
            others.*,
            row_number() over (partition by others.customer_id order by others.survivor_rank) as rival_rank
        from {{ name }}_ranked as others
        inner join {{ name }}_ranked as winner
            on others.customer_id = winner.customer_id and winner.survivor_rank = 1
        where others.whole <> winner.whole
    ) as ordered
    where rival_rank = 1

),

{{ name }}_counts as (

    select
        customer_id
        {%- for attribute in row.attributes %},
        count({{ attribute }}) as {{ attribute }}_candidates,
        count(distinct lower({{ attribute }})) as {{ attribute }}_values
        {%- endfor %}
    from {{ name }}_claims
    group by customer_id

),

{{ name }}_decided as (

    select
        winner.*,
        case
            when rival.customer_id is null then 'agreement'
            {% for criterion in row.by -%}
            when winner.key_{{ loop.index }} <> rival.key_{{ loop.index }} then '{{ criterion }}'
            {% endfor -%}
            else 'order of keys'
        end as decided_by
        {%- for attribute in row.attributes %},
        counts.{{ attribute }}_candidates,
        counts.{{ attribute }}_values
        {%- endfor %}
    from {{ name }}_ranked as winner
    inner join {{ name }}_counts as counts on winner.customer_id = counts.customer_id
    left join {{ name }}_rivals as rival on winner.customer_id = rival.customer_id
    where winner.survivor_rank = 1

),

{% endfor -%}
unioned as (

    {% for row in groups -%}
    {% set group_loop = loop -%}
    {% for attribute in row.attributes -%}
    {{ 'union all' if not (group_loop.first and loop.first) }}
    select
        customer_id,
        '{{ row.group }}' as attribute_group,
        '{{ attribute }}' as attribute,
        {{ attribute }} as value,
        source,
        record_key,
        recency_at,
        case when {{ attribute }}_values = 1 then 'agreement' else decided_by end as decided_by,
        {{ attribute }}_candidates as candidates,
        {{ attribute }}_values as distinct_values
    from {{ row.group }}_decided
    -- What the winning record leaves open stays open: it is not filled in from another one.
    where {{ attribute }} is not null
    {% endfor %}
    {%- endfor %}

),

final as (

    select
        cast(customer_id as varchar) as customer_id,
        cast(attribute_group as varchar) as attribute_group,
        cast(attribute as varchar) as attribute,
        cast(value as varchar) as value,
        cast(source as varchar) as source,
        cast(record_key as varchar) as record_key,
        cast(recency_at as timestamp) as recency_at,
        cast(decided_by as varchar) as decided_by,
        cast(candidates as bigint) as candidates,
        cast(distinct_values as bigint) as distinct_values
    from unioned

)

select * from final
