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
