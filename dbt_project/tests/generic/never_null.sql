{#-
    One row per column that has a NULL, with how many; the test counts the rows concerned. One test for all columns of
    a model, because dbt's cost is per test, not per column.
-#}
{% test never_null(model, columns) %}

{{ config(fail_calc = "coalesce(sum(rows_without), 0)") }}

{% for column in columns %}
{{ 'union all' if not loop.first }}
select
    '{{ column }}' as column_name,
    count(*) as rows_without
from {{ model }}
where {{ column }} is null
having count(*) > 0
{% endfor %}

{% endtest %}
