{#
  How a model becomes a table: one statement, then what its yml promises of it, before the transaction ends.

  A build's file is new and a stage that runs again replaces its tables, so nobody reads the table while it is made.
  The adapter's own way makes it under another name, renames, drops, and binds the query twice more to compare it with
  the contract. A data test for every key and every list of values would be a node of its own, 40 ms each whatever it
  finds: a model that breaks its promise fails by itself, and says which.
#}
{% materialization table, adapter="duckdb" %}
  {%- set target = this.incorporate(type='table') -%}
  {{ run_hooks(pre_hooks) }}
  {% call statement('main') -%}
    create or replace table {{ target }} as (
      {{ compiled_code }}
    )
  {%- endcall %}
  {%- if config.get('contract').enforced -%}
    {{ keep_contract(target) }}
  {%- endif -%}
  {{ keep_promises(target) }}
  {{ run_hooks(post_hooks) }}
  {{ adapter.commit() }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#
  Names, order and types of the columns, and the columns that are never null. Any other constraint is refused: it would
  be promised and not kept.
#}
{% macro keep_contract(relation) %}
  {%- set promised, required = [], [] -%}
  {%- for column in model['columns'].values() -%}
    {%- do promised.append(column['name'] ~ " " ~ (column['data_type'] | upper | replace(", ", ","))) -%}
    {%- for constraint in column['constraints'] -%}
      {%- if constraint['type'] != 'not_null' -%}
        {%- do exceptions.raise_compiler_error(model['name'] ~ "." ~ column['name'] ~ ": only not_null is enforced, not " ~ constraint['type'] ~ ".") -%}
      {%- endif -%}
      {%- do required.append("alter table " ~ relation ~ " alter " ~ column['name'] ~ " set not null") -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- if model['constraints'] -%}
    {%- do exceptions.raise_compiler_error(model['name'] ~ ": constraints of a whole table are not enforced.") -%}
  {%- endif -%}
  {%- set made = [] -%}
  {%- for row in run_query("describe " ~ relation).rows -%}
    {%- do made.append(row[0] ~ " " ~ row[1]) -%}
  {%- endfor -%}
  {%- if made != promised -%}
    {%- set missing, unpromised = promised | reject("in", made) | list, made | reject("in", promised) | list -%}
    {%- do exceptions.raise_compiler_error(
      model['name'] ~ ": the query does not make the table that its contract promises. Promised and not made: "
      ~ (missing | join(", ") or "nothing") ~ ". Made and not promised: " ~ (unpromised | join(", ") or "nothing")
      ~ "." ~ (" The columns are in another order: " ~ made | join(", ") ~ "." if not missing and not unpromised else "")) -%}
  {%- endif -%}
  {%- if required -%}
    {%- do run_query(required | join("; ")) -%}
  {%- endif -%}
{% endmacro %}

{#
  What `config.meta` of the model and of its columns promises: kizuna.key (one row per key; NULL counts as a value),
  kizuna.ascending (rows stand in the order of the key), kizuna.never_null (columns of a model without contract) and
  values (all that a column may hold, beside NULL). One query asks all of a table.

  Keys are counted by their hashes, which are numbers however many texts a key has. As many hashes as rows: no key is
  doubled. Fewer: the keys themselves are grouped, since two of them may share a hash. Where rows stand in the order of
  their key, each is compared with the one before, and no key needs to be counted.
#}
{% macro keep_promises(relation) %}
  {%- set promises, rules = config.get('meta', {}).get('kizuna', {}), [] -%}
  {%- set key = promises.get('key', []) | join(', ') -%}
  {%- set doubled = "keys (" ~ key ~ ") that stand in more than one row" -%}
  {%- if promises.get('ascending') -%}
    {%- do rules.append("select 'rows that do not come after the one before by (" ~ key ~ ")' as rule, count(*) as found from " ~ out_of_order(relation, promises['key'])) -%}
  {%- elif key -%}
    {%- do rules.append("select '" ~ doubled ~ "' as rule, count(*) - count(distinct hash(" ~ key ~ ")) as found from " ~ relation) -%}
  {%- endif -%}
  {%- for column in promises.get('never_null', []) -%}
    {%- do rules.append("select 'rows without " ~ column ~ "' as rule, count(*) as found from " ~ relation ~ " where " ~ column ~ " is null") -%}
  {%- endfor -%}
  {%- for column in model['columns'].values() if column.get('meta', {}).get('values') -%}
    {%- set values = column['meta']['values'] | map('replace', "'", "''") | join("', '") -%}
    {%- do rules.append("select 'rows whose " ~ column['name'] ~ " is none of its values' as rule, count(*) as found from " ~ relation ~ " where " ~ column['name'] ~ " not in ('" ~ values ~ "')") -%}
  {%- endfor -%}
  {%- if rules -%}
    {%- set broken = [] -%}
    {%- for row in run_query("select * from (" ~ rules | join(" union all ") ~ ") where found > 0").rows -%}
      {%- set found = row[1] if row[0] != doubled else doubled_keys(relation, key) -%}
      {%- if found -%}{%- do broken.append(found ~ " " ~ row[0]) -%}{%- endif -%}
    {%- endfor -%}
    {%- if broken -%}
      {%- do exceptions.raise_compiler_error(model['name'] ~ " does not keep its promises: " ~ broken | join("; ") ~ ".") -%}
    {%- endif -%}
  {%- endif -%}
{% endmacro %}

{#- Keys that stand in more than one row. -#}
{% macro doubled_keys(relation, key) %}
  {{ return(run_query("select count(*) from (select 1 from " ~ relation ~ " group by " ~ key ~ " having count(*) > 1)").rows[0][0] | int) }}
{% endmacro %}

{#- Rows whose key is not greater than that of the row before, and rows that lack a part of it. -#}
{% macro out_of_order(relation, key) -%}
  {%- set compared, later, same = [], [], [] -%}
  {%- for column in key -%}
    {%- do compared.append(column ~ ", lag(" ~ column ~ ") over () as before_" ~ column) -%}
    {%- do later.append((same + [column ~ " > before_" ~ column]) | join(" and ")) -%}
    {%- do same.append(column ~ " = before_" ~ column) -%}
  {%- endfor -%}
  (select {{ compared | join(", ") }}, row_number() over () as place from {{ relation }}) where (place > 1 and ({{ later | join(" or ") }}) is not true) or {{ key | join(" is null or ") }} is null
{%- endmacro %}
