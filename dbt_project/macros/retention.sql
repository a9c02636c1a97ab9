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

{#-
    Customers by way to come (`ways`: key, column of the first day), grain, cohort, first day of the period and
    combination of segments, from the CTEs days, weeks, months, years and lives of int_retention.
-#}
{% macro retention_returned_on(ways, limits) -%}
    {% for grain, rows, on in [
        ('day', 'days', 'active_on'), ('week', 'weeks', 'week_on'), ('month', 'months', 'month_on'),
        ('year', 'years', 'year_on'),
    ] -%}
    {% set outer_loop = loop -%}
    {% for cohort_by, first_on in ways -%}
    {{ 'union all ' if not (loop.first and outer_loop.first) }}select
        '{{ cohort_by }}' as cohort_by,
        '{{ grain }}' as grain,
        {{ retention_period(grain, ('seen.' if grain == 'day' else 'lives.') ~ first_on) }} as cohort,
        seen.{{ on }} as period_on,
        {{ 'lives.combination' if grain in ['month', 'year'] else '0' }} as combination,
        count(*) as returned,
        {% if cohort_by == 'first_order' -%}
        sum(seen.gross) as gross,
        sum(seen.net) as net,
        sum(least(greatest(seen.net, 0), lives.first_{{ grain }})) as net_kept
        {%- else -%}
        cast(null as decimal(18, 2)) as gross, cast(null as decimal(18, 2)) as net, cast(null as decimal(18, 2)) as net_kept
        {%- endif %}
    from {{ rows }} as seen
    {% if grain != 'day' or cohort_by == 'first_order' -%}
    inner join lives on seen.customer_number = lives.customer_number
    {% endif -%}
    where
        {% if cohort_by == 'first_order' -%}
        {{ 'seen.has_ordered' if grain in ['day', 'week'] else 'seen.last_order_on is not null' }}
        {%- elif cohort_by == 'first_session' -%}
        {{ 'seen.has_visited' if grain in ['day', 'week'] else 'seen.last_session_on is not null' }}
        {%- else -%}
        seen.{{ 'active_on' if grain == 'day' else 'last_on' }} >= {{ 'seen' if grain == 'day' else 'lives' }}.signed_up_on
        {%- endif %}
        {% if grain == 'day' -%}
        and seen.active_on <= {{ core_add_days('seen.' ~ first_on, limits['day']) }}
        {%- elif grain == 'week' -%}
        and seen.week_on < lives.{{ first_on }}_weeks_until
        {%- endif %}
    group by 1, 2, 3, 4, 5
    {% endfor -%}
    {% endfor %}
{%- endmacro %}
