{#-
    Every key of the raw relation that happened by as_of is staged exactly once: catches rows lost or doubled on the
    way, whatever the version rule does. It does not tell whether the right version was kept.
-#}
{% test keeps_every_raw_key(model, raw, raw_key, staged_key, event_at=none) %}

with raw_keys as (
    select distinct {% for column in raw_key %}{{ column }} as key_{{ loop.index }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ raw }}
    {% if event_at -%}
    where {{ happened_by_as_of(event_at) }}
    {% endif %}
),

staged_keys as (
    select
        {% for column in staged_key %}{{ column }} as key_{{ loop.index }}, {% endfor %}
        count(*) as rows_found
    from {{ model }}
    group by {{ staged_key | join(', ') }}
),

joined as (
    select
        {% for column in raw_key -%}
        coalesce(raw_keys.key_{{ loop.index }}, staged_keys.key_{{ loop.index }}) as key_{{ loop.index }},
        {% endfor -%}
        case when raw_keys.key_1 is null then 0 else 1 end as expected,
        coalesce(staged_keys.rows_found, 0) as rows_found
    from raw_keys
    full outer join staged_keys
        on {% for column in raw_key %}{{ 'and ' if not loop.first }}raw_keys.key_{{ loop.index }} = staged_keys.key_{{ loop.index }} {% endfor %}
)

select * from joined
where expected <> rows_found

{% endtest %}
