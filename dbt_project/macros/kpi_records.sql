{#-
    What the daily KPIs rest on, record by record, and what becomes of it between two builds. docs/kpis.md (Point in
    time) says why; the steps stand here once, so that models and documentation cannot drift apart.
-#}

{#- Causes in the order in which they are applied. The last is what nothing accounts for: it should not occur. -#}
{% macro kpi_causes() -%}
    {{ return(['definition', 'late_file', 'refund', 'time', 'identity', 'segment', 'unexplained']) }}
{%- endmacro %}

{#- Rows (step, cause): step 0 is the world of the build before, step n the same after its n-th cause. -#}
{% macro kpi_steps() -%}
    select 0 as step, cast(null as varchar) as cause
    {%- for cause in kpi_causes() %}
    union all
    select {{ loop.index }}, cast('{{ cause }}' as varchar)
    {%- endfor %}
{%- endmacro %}

{#- First day that kpi_daily shows for an as_of. -#}
{% macro kpi_first_day(as_of) -%}
    {{ core_add_days(as_of, 1 - var('kpi_days', 182)) }}
{%- endmacro %}

{#-
    True for a record that a day of the window can depend on: orders 90 days back (who is active) and, however old, the
    first of a customer (who is new); answers 28 days back; contacts that were open in it.
-#}
{% macro kpi_record_matters(first_day) -%}
    case record_type
        when 'order' then is_first or day >= {{ core_add_days(first_day, -90) }}
        when 'response' then day >= {{ core_add_days(first_day, -28) }}
        when 'interaction' then day >= {{ first_day }} or is_open or until_on >= {{ first_day }}
        else day >= {{ first_day }}
    end
{%- endmacro %}

{#- Columns of a record that say what it adds to a KPI; all but whose it is and where. -#}
{% macro kpi_record_content() -%}
    {{ return([
        'counts', 'day', 'amount', 'kind', 'sub_kind', 'until_on', 'is_open', 'is_sla_met', 'is_abandoned', 'minutes',
        'moment', 'resolution_minutes', 'is_reopened', 'is_unanswered', 'is_fcr', 'is_fcr_proxy', 'handle_seconds',
        'acw_seconds'
    ]) }}
{%- endmacro %}

{#- Those of them that are judgements: the day decides them, or another contact of the customer. -#}
{% macro kpi_record_judgements() -%}
    {{ return(['is_sla_met', 'is_fcr', 'is_fcr_proxy']) }}
{%- endmacro %}

{#- Exact value of a KPI from its parts, DECIMAL(20,6) as the history keeps it; NULL without a denominator. -#}
{% macro kpi_value(aggregation, numerator, denominator, middle) -%}
    cast(
        case {{ aggregation }}
            when 'sum' then cast({{ numerator }} as decimal(20, 6))
            when 'ratio' then cast({{ core_ratio(numerator, denominator) }} as decimal(20, 6))
            when 'nps' then cast({{ core_ratio('100 * ' ~ numerator, denominator) }} as decimal(20, 6))
            when 'median' then cast({{ middle }} as decimal(20, 6))
        end as decimal(20, 6)
    )
{%- endmacro %}

{#-
    How much of a target a value reaches, 1 for all of it: value by target, where less is better target by value, and
    for NPS, which may be zero or negative, both counted from -100. NULL where that has no meaning.
-#}
{% macro kpi_attainment(value) -%}
    case
        when unit = 'nps' and target > -100 and wanted_direction = 'up'
        then ({{ value }} + 100) / (cast(target as double) + 100)
        when unit = 'nps' then null
        when wanted_direction = 'up' and target > 0 then {{ value }} / cast(target as double)
        when wanted_direction = 'down' and target > 0 and {{ value }} > 0 then cast(target as double) / {{ value }}
    end
{%- endmacro %}

{#- A text of the company's as an SQL literal. -#}
{% macro kpi_text(value) -%}
    cast('{{ value | replace("'", "''") }}' as varchar)
{%- endmacro %}
