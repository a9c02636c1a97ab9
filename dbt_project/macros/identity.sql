{#-
    The columns of identity.source_records for one kind of record. Each argument is an SQL expression; what a kind
    does not know is a typed NULL, so that the parts of the union agree on every engine.
-#}
{% macro source_record(
    source, record_key, entity, seen_at,
    email=none, phone=none, first_name=none, last_name=none, birth_on=none, region=none, postal_code=none,
    country=none, created_at=none, updated_at=none, opted_out=none, account_key=none, full_name=none, kana=none,
    birth_text=none, house_number=none, street=none, address_line_2=none, city=none
) -%}
    {%- set text = dbt.type_string() -%}
    {%- set columns = [
        ('source', source, text), ('record_key', record_key, text), ('entity', entity, text),
        ('seen_at', seen_at, 'timestamp'), ('email', email, text), ('phone', phone, text),
        ('first_name', first_name, text), ('last_name', last_name, text), ('birth_on', birth_on, 'date'),
        ('region', region, text), ('postal_code', postal_code, text), ('country', country, text),
        ('created_at', created_at, 'timestamp'), ('updated_at', updated_at, 'timestamp'),
        ('opted_out', opted_out, 'boolean'), ('account_key', account_key, text), ('full_name', full_name, text),
        ('kana', kana, text), ('birth_text', birth_text, text), ('house_number', house_number, text),
        ('street', street, text), ('address_line_2', address_line_2, text), ('city', city, text)
    ] -%}
    {%- for name, expression, type in columns %}
        cast({{ expression if expression is not none else 'null' }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The columns of a piece of evidence: this record carries this identifier, as written. -#}
{% macro evidence(source, record_key, identifier_type, raw_value, seen_at, last_seen_at=none) -%}
        {{ source }} as source,
        {{ record_key }} as record_key,
        '{{ identifier_type }}' as identifier_type,
        cast({{ raw_value }} as {{ dbt.type_string() }}) as raw_value,
        cast({{ seen_at }} as timestamp) as seen_at,
        cast({{ last_seen_at if last_seen_at is not none else seen_at }} as timestamp) as last_seen_at
{%- endmacro %}
