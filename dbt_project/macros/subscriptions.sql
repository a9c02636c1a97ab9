{#- Months in a unit of a billing period: a month is a twelfth of a year, a week 7 of 365 days, whatever the calendar. -#}
{% macro months_per_unit(interval) -%}
    case {{ interval }}
            when 'year' then 12
            when 'month' then 1
            when 'week' then 84.0 / 365
            when 'day' then 12.0 / 365
        end
{%- endmacro %}
