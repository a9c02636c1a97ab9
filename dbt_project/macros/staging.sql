{#-
    What every staging model does in the same way: one version per key, cut to the build's as_of.
    Exports restate records in files that arrive in any order; nothing here looks at arrival.
-#}

{#- First moment that the build must not see, UTC: local midnight after as_of. -#}
{% macro as_of_end() -%}
    cast('{{ var("as_of_end_utc") }}' as timestamp)
{%- endmacro %}

{#- True for what happened by as_of. A record without a time is kept; as_of_note says so. -#}
{% macro happened_by_as_of(event_at) -%}
    ({{ event_at }} is null or {{ event_at }} < {{ as_of_end() }})
{%- endmacro %}

{#- The timestamp where it lies within as_of, else NULL: it has not happened yet. -#}
{% macro until_as_of(ts) -%}
    case when {{ ts }} < {{ as_of_end() }} then {{ ts }} end
{%- endmacro %}

{#-
    1 for the version to keep: the newest one up to as_of; where all versions are younger than as_of, the oldest
    of those (the record existed, its state then is the best guess). Ties are settled by content; where even that is
    equal by file, line and batch, which only decides what the row is traced back to. So the order is total and the
    same whatever arrived first.
-#}
{% macro version_rank(key, newest, content, then_newest=none) -%}
    row_number() over (
        partition by {{ key | join(', ') }}
        order by
            case when {{ newest }} >= {{ as_of_end() }} then 1 else 0 end,
            case when {{ newest }} < {{ as_of_end() }} then {{ newest }} end desc nulls last,
            {{ newest }} asc nulls last,
            {% if then_newest -%}
            {{ then_newest }} desc nulls last,
            {% endif -%}
            {{ content_hash(content) }} desc,
            _file,
            _line,
            _batch
    )
{%- endmacro %}

{#- Why a row's time or state deserves care: NULL, no_event_time or state_after_as_of. -#}
{% macro as_of_note(event_at, newest) -%}
    case
        when {{ event_at }} is null then 'no_event_time'
        when {{ newest }} >= {{ as_of_end() }} then 'state_after_as_of'
    end
{%- endmacro %}

{#- Minutes of a duration written HH:MM:SS, DECIMAL(18,2); a negative one says nothing. -#}
{% macro clock_minutes(column) -%}
    cast(
        case when {{ column }} not like '-%' then
            round(
                cast({{ dbt.split_part(column, "':'", 1) }} as bigint) * 60
                + cast({{ dbt.split_part(column, "':'", 2) }} as bigint)
                + cast({{ dbt.split_part(column, "':'", 3) }} as bigint) / 60.0, 2
            )
        end as decimal(18, 2)
    )
{%- endmacro %}

{#-
    The answers of a survey tool as canonical survey responses: one row per score of a response that counts.
    `responses` is a staging model with response_key, person columns, survey, exclusion_reason and the scores by kind.
-#}
{% macro survey_answers(responses) -%}
with responses as (
    select * from {{ ref(responses) }}
    where exclusion_reason is null
),

{% set kinds = ['nps', 'csat', 'ces'] -%}
answers as (
    {% for kind in kinds -%}
    {{ 'union all' if not loop.first }}
    select
        -- keys
        source_name,
        identity_namespace,
        concat(response_key, ':{{ kind }}') as response_key,

        -- who answered
        person_source,
        person_record_key,
        customer_key,
        email,
        phone,

        -- answer
        '{{ kind }}' as survey_type,
        survey,
        {{ kind }}_score as score,
        -- What was written stands with one of the scores, so that it is not read twice.
        {% if loop.first -%}
        comment,
        {%- else -%}
        case when coalesce({{ kinds[:loop.index0] | join('_score, ') }}_score) is null then comment end as comment,
        {%- endif %}
        touchpoint,

        -- times
        sent_at,
        responded_at,
        responded_on,
        as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from responses
    where {{ kind }}_score is not null
    {% endfor %}
),

final as (
    select * from answers
)

select * from final
{%- endmacro %}
