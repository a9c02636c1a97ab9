{#- Periods of cohorts: days, weeks from Monday, calendar months and years. -#}

{#- First day of the period that a day lies in. -#}
{% macro retention_period(grain, day) -%}
    {%- if grain == 'day' -%}{{ day }}
    {%- else -%}cast(date_trunc('{{ grain }}', {{ day }}) as date)
    {%- endif -%}
{%- endmacro %}

{#- Periods from that of one day to that of another, BIGINT. -#}
{% macro retention_periods_between(grain, from_day, to_day) -%}
    {%- if grain == 'day' -%}{{ days_between(from_day, to_day) }}
    {%- elif grain == 'week' -%}
    cast(floor({{ days_between(core_week(from_day), core_week(to_day)) }} / 7) as bigint)
    {%- elif grain == 'month' -%}{{ core_months_between(from_day, to_day) }}
    {%- else -%}cast(extract(year from {{ to_day }}) - extract(year from {{ from_day }}) as bigint)
    {%- endif -%}
{%- endmacro %}

{#- First day of the period so many after that of `day`; `grain` is a column. -#}
{% macro retention_add_periods(grain, day, number) -%}
    cast(
        case {{ grain }}
            when 'day' then {{ dbt.dateadd('day', number, day) }}
            when 'week' then {{ dbt.dateadd('day', '7 * (' ~ number ~ ')', day) }}
            when 'month' then {{ dbt.dateadd('month', number, day) }}
            else {{ dbt.dateadd('month', '12 * (' ~ number ~ ')', day) }}
        end as date
    )
{%- endmacro %}
