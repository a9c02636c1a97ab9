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

{#- Where the CTE lives of int_retention keeps the last day that counts as a return, by way to come. -#}
{% macro retention_last_on(cohort_by) -%}
    {{ {
        'first_order': 'last_order_on', 'first_session': 'last_session_on', 'sign_up': 'last_after_sign_up',
    }[cohort_by] }}
{%- endmacro %}

{#-
    Customers by definition (its place in `definitions`), cohort, period of the last return and combination of segments,
    from the CTE lives of int_retention. `ways`: key and column of the first day. What is constant stays out of GROUP BY.
-#}
{% macro retention_lasting(ways, definitions) -%}
    {% for cohort_by, grain in definitions if cohort_by in dict(ways) -%}
    {%- set first_on = dict(ways)[cohort_by] -%}
    {{ 'union all ' if not loop.first }}select
        {{ definitions.index((cohort_by, grain)) }} as definition_number, cohort, last_period_number, combination, customers
    from (
        select
            {{ first_on ~ ('_' ~ grain if grain != 'day' else '') }} as cohort,
            {{ retention_periods_between(grain, first_on, retention_last_on(cohort_by)) }} as last_period_number,
            {{ 'combination' if grain in ['month', 'year'] else '0 as combination' }},
            count(*) as customers
        from lives
        where {{ first_on }} is not null
        group by 1, 2, 3
    ) as lasting_{{ loop.index }}
    {% endfor %}
{%- endmacro %}

{#-
    Customers who returned and what they brought, by definition, cohort, period and combination, from the CTEs near and
    lived_weeks, lived_months and lived_years of int_retention. Grouped by the days themselves, and numbered when few rows
    are left.
-#}
{% macro retention_returning(ways, definitions) -%}
    {% for cohort_by, grain in definitions if cohort_by in dict(ways) -%}
    {%- set first_on = dict(ways)[cohort_by] -%}
    {{ 'union all ' if not loop.first }}select
        {{ definitions.index((cohort_by, grain)) }} as definition_number,
        cohort,
        {{ retention_periods_between(grain, 'cohort', 'period_on') }} as period_number,
        combination, returned, gross, net, net_kept
    from (
        select
            {{ first_on ~ ('_' ~ grain if grain != 'day' else '') }} as cohort,
            {{ 'active_on' if grain == 'day' else grain ~ '_on' }} as period_on,
            {{ 'combination' if grain in ['month', 'year'] else '0 as combination' }},
            count(*) as returned,
            {%- if cohort_by == 'first_order' %}
            sum(gross) as gross, sum(net) as net, sum(net_kept) as net_kept
            {%- else %}
            cast(null as decimal(18, 2)) as gross, cast(null as decimal(18, 2)) as net,
            cast(null as decimal(18, 2)) as net_kept
            {%- endif %}
        from {{ 'lived_days' if cohort_by == 'first_order' and grain == 'day' else 'near' if grain == 'day' else 'lived_' ~ grain ~ 's' }}
        where
            {% if cohort_by == 'sign_up' -%}
            {{ 'active_on' if grain == 'day' else 'last_on' }} >= signed_up_on
            {%- else -%}
            {%- set kind = 'order' if cohort_by == 'first_order' else 'session' -%}
            {{ {'order': 'has_ordered', 'session': 'has_visited'}[kind] if grain in ['day', 'week'] else 'last_' ~ kind ~ '_on is not null' }}
            {%- endif %}
            {% if grain in ['day', 'week'] -%}
            and {{ 'active_on' if grain == 'day' else 'week_on' }} < {{ first_on }}_{{ grain }}s_until
            {%- endif %}
        group by 1, 2, 3
    ) as returning_{{ loop.index }}
    {% endfor %}
{%- endmacro %}
