{#-
    The only places where engines differ. Models call these and stay plain ANSI SQL otherwise
    (no QUALIFY, no lambdas, no EXCLUDE), so that the same files run on DuckDB and on Spark.
-#}

{#- Calendar date in the company's zone of a UTC timestamp. -#}
{% macro local_date(ts) -%}
    {{ return(adapter.dispatch('local_date', 'kizuna')(ts)) }}
{%- endmacro %}

{% macro default__local_date(ts) -%}
    cast(cast({{ ts }} as timestamp) at time zone 'UTC' at time zone '{{ var("timezone") }}' as date)
{%- endmacro %}

{% macro spark__local_date(ts) -%}
    cast(from_utc_timestamp({{ ts }}, '{{ var("timezone") }}') as date)
{%- endmacro %}


{#- Second of the local day (0 to 86399) by the wall clock of the company's zone, of a UTC timestamp. -#}
{% macro local_second(ts) -%}
    {{ return(adapter.dispatch('local_second', 'kizuna')(ts)) }}
{%- endmacro %}

{% macro default__local_second(ts) -%}
    cast(floor(epoch(cast(cast({{ ts }} as timestamp) at time zone 'UTC' at time zone '{{ var("timezone") }}' as time))) as bigint)
{%- endmacro %}

{% macro spark__local_second(ts) -%}
    cast(unix_timestamp(from_utc_timestamp({{ ts }}, '{{ var("timezone") }}'))
        - unix_timestamp(date_trunc('day', from_utc_timestamp({{ ts }}, '{{ var("timezone") }}'))) as bigint)
{%- endmacro %}


{#- UTC timestamp at which a local calendar date begins. -#}
{% macro local_midnight_utc(day) -%}
    {{ return(adapter.dispatch('local_midnight_utc', 'kizuna')(day)) }}
{%- endmacro %}

{% macro default__local_midnight_utc(day) -%}
    (cast({{ day }} as timestamp) at time zone '{{ var("timezone") }}' at time zone 'UTC')
{%- endmacro %}

{% macro spark__local_midnight_utc(day) -%}
    to_utc_timestamp(cast({{ day }} as timestamp), '{{ var("timezone") }}')
{%- endmacro %}


{#- The digits of a text, full-width ones too, and nothing else. -#}
{% macro digits_of(text) -%}
    {{ return(adapter.dispatch('digits_of', 'kizuna')(text)) }}
{%- endmacro %}

{% macro default__digits_of(text) -%}
    regexp_replace(translate({{ text }}, '０１２３４５６７８９', '0123456789'), '[^0-9]', '', 'g')
{%- endmacro %}

{% macro spark__digits_of(text) -%}
    regexp_replace(translate({{ text }}, '０１２３４５６７８９', '0123456789'), '[^0-9]', '')
{%- endmacro %}

{#- Whole seconds from one timestamp to another, BIGINT, negative when they are in the wrong order. -#}
{% macro epoch_seconds(from_ts, to_ts) -%}
    {{ return(adapter.dispatch('epoch_seconds', 'kizuna')(from_ts, to_ts)) }}
{%- endmacro %}

{% macro default__epoch_seconds(from_ts, to_ts) -%}
    cast(floor((epoch_us({{ to_ts }}) - epoch_us({{ from_ts }})) / 1000000) as bigint)
{%- endmacro %}

{% macro spark__epoch_seconds(from_ts, to_ts) -%}
    cast(floor((unix_micros({{ to_ts }}) - unix_micros({{ from_ts }})) / 1000000) as bigint)
{%- endmacro %}


{#- Minutes from one timestamp to another, DECIMAL(18,2), by whole seconds. -#}
{% macro epoch_minutes(from_ts, to_ts) -%}
    cast(round({{ epoch_seconds(from_ts, to_ts) }} / 60.0, 2) as decimal(18, 2))
{%- endmacro %}


{#- Days from one date to another, BIGINT. -#}
{% macro days_between(from_day, to_day) -%}
    {{ return(adapter.dispatch('days_between', 'kizuna')(from_day, to_day)) }}
{%- endmacro %}

{% macro default__days_between(from_day, to_day) -%}
    cast(date_diff('day', cast({{ from_day }} as date), cast({{ to_day }} as date)) as bigint)
{%- endmacro %}

{% macro spark__days_between(from_day, to_day) -%}
    cast(datediff(cast({{ to_day }} as date), cast({{ from_day }} as date)) as bigint)
{%- endmacro %}


{#-
    MD5 in hex over the text of the columns, NULL told apart from the empty string. Both engines write text,
    integers, decimals, booleans, dates and timestamps alike, so the hash is the same on either.
-#}
{% macro content_hash(columns) -%}
    md5(concat_ws(chr(31)
        {%- for column in columns -%}
        , coalesce(cast({{ column }} as {{ dbt.type_string() }}), chr(30))
        {%- endfor -%}))
{%- endmacro %}


{#- Text at a path such as `$.contacts[0].id` of a JSON column; NULL where there is nothing. -#}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text', 'kizuna')(column, path)) }}
{%- endmacro %}

{% macro default__json_text(column, path) -%}
    json_extract_string({{ column }}, '{{ path }}')
{%- endmacro %}

{% macro spark__json_text(column, path) -%}
    get_json_object({{ column }}, '{{ path }}')
{%- endmacro %}


{#- One row per element of the JSON array at a path, as JSON; stands in a select list. -#}
{% macro json_each(column, path) -%}
    {{ return(adapter.dispatch('json_each', 'kizuna')(column, path)) }}
{%- endmacro %}

{% macro default__json_each(column, path) -%}
    unnest(json_extract({{ column }}, '{{ path }}[*]'))
{%- endmacro %}

{% macro spark__json_each(column, path) -%}
    explode(from_json(get_json_object({{ column }}, '{{ path }}'), 'array<string>'))
{%- endmacro %}


{#- One row per key of a JSON object; stands in a select list. -#}
{% macro json_each_key(column) -%}
    {{ return(adapter.dispatch('json_each_key', 'kizuna')(column)) }}
{%- endmacro %}

{% macro default__json_each_key(column) -%}
    unnest(json_keys({{ column }}))
{%- endmacro %}

{% macro spark__json_each_key(column) -%}
    explode(json_object_keys({{ column }}))
{%- endmacro %}


{#- Text that a JSON object holds under the key in another column. -#}
{% macro json_value(column, key) -%}
    {{ return(adapter.dispatch('json_value', 'kizuna')(column, key)) }}
{%- endmacro %}

{% macro default__json_value(column, key) -%}
    json_extract_string({{ column }}, concat('$."', replace({{ key }}, '"', '""'), '"'))
{%- endmacro %}

{% macro spark__json_value(column, key) -%}
    element_at(from_json({{ column }}, 'map<string,string>'), {{ key }})
{%- endmacro %}


{#- UTC timestamp of seconds since the epoch, given as a number or text; NULL where it is no number. -#}
{% macro from_epoch(seconds) -%}
    {{ return(adapter.dispatch('from_epoch', 'kizuna')(seconds)) }}
{%- endmacro %}

{% macro default__from_epoch(seconds) -%}
    make_timestamp(try_cast({{ seconds }} as bigint) * 1000000)
{%- endmacro %}

{% macro spark__from_epoch(seconds) -%}
    timestamp_seconds(cast({{ seconds }} as bigint))
{%- endmacro %}


{#- One row per part of a text with separators; stands alone in a select list. -#}
{% macro split_to_rows(text, separator) -%}
    {{ return(adapter.dispatch('split_to_rows', 'kizuna')(text, separator)) }}
{%- endmacro %}

{% macro default__split_to_rows(text, separator) -%}
    unnest(string_split({{ text }}, '{{ separator }}'))
{%- endmacro %}

{% macro spark__split_to_rows(text, separator) -%}
    explode(split({{ text }}, '{{ separator }}'))
{%- endmacro %}


{#- Rows 0, 1, … up to one less than a number; stands alone in a select list. -#}
{% macro numbers_to(count) -%}
    {{ return(adapter.dispatch('numbers_to', 'kizuna')(count)) }}
{%- endmacro %}

{% macro default__numbers_to(count) -%}
    unnest(range(cast({{ count }} as bigint)))
{%- endmacro %}

{% macro spark__numbers_to(count) -%}
    explode(sequence(0, {{ count }} - 1))
{%- endmacro %}


{#- Elements of a JSON list, and the text under a key of the element at a place (from 0). -#}
{% macro json_list_length(list) -%}
    {{ return(adapter.dispatch('json_list_length', 'kizuna')(list)) }}
{%- endmacro %}

{% macro default__json_list_length(list) -%}
    json_array_length({{ list }})
{%- endmacro %}

{% macro json_list_text(list, place, key) -%}
    {{ return(adapter.dispatch('json_list_text', 'kizuna')(list, place, key)) }}
{%- endmacro %}

{% macro default__json_list_text(list, place, key) -%}
    json_extract_string({{ list }}, concat('$[', {{ place }}, '].{{ key }}'))
{%- endmacro %}

{% macro spark__json_list_text(list, place, key) -%}
    get_json_object({{ list }}, concat('$[', {{ place }}, '].{{ key }}'))
{%- endmacro %}
