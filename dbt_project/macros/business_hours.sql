{#-
    Business time without a row per minute: a day knows the open seconds before it (dim_dates), so a moment is that sum
    and what of its own day has passed. The time between two moments is the difference. Hours are those of the wall
    clock, in whole seconds: on a day with a change of summer time the clock counts, not the sun.
-#}

{#- Open ranges by ISO weekday: [['1', [[32400, 64800]]], …]. -#}
{% macro business_hours() -%}
    {%- set hours = var('business_hours') -%}
    {{ return((fromjson(hours) if hours is string else hours).items() | list) }}
{%- endmacro %}

{#- Open seconds of a weekday. -#}
{% macro business_seconds_of_weekday(weekday) -%}
    case {{ weekday }}
        {%- for day, ranges in business_hours() %}
        when {{ day }} then 0{% for range in ranges %} + {{ range[1] - range[0] }}{% endfor %}
        {%- endfor %}
        else 0
    end
{%- endmacro %}

{#- Business seconds from the first day of dim_dates to a UTC timestamp; `day` is the alias of its row of dim_dates. -#}
{% macro business_seconds_at(ts, day) -%}
    {{ day }}.business_seconds_before + case when {{ day }}.is_closed_day then 0 else case {{ day }}.iso_weekday
        {%- for weekday, ranges in business_hours() if ranges %}
        when {{ weekday }} then 0
            {%- for range in ranges %}
            + least(greatest({{ local_second(ts) }} - {{ range[0] }}, 0), {{ range[1] - range[0] }})
            {%- endfor %}
        {%- endfor %}
        else 0
    end end
{%- endmacro %}

{#- Minutes between two numbers of business seconds, DECIMAL(18,2). -#}
{% macro business_minutes(from_seconds, to_seconds) -%}
    cast(round(({{ to_seconds }} - {{ from_seconds }}) / 60.0, 2) as decimal(18, 2))
{%- endmacro %}
