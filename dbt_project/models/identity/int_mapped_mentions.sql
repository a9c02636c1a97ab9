with contacts as (
    select * from {{ ref('stg_mapped__contact') }}
),

orders as (
    select * from {{ ref('stg_mapped__order') }}
),

interactions as (
    select * from {{ ref('stg_mapped__interaction') }}
),

survey_responses as (
    select * from {{ ref('stg_mapped__survey_response') }}
),

{% set mentions = [
    ('orders', 'order', 'order_key', 'ordered_at', 'region', 'account_key'),
    ('interactions', 'interaction', 'interaction_key', 'opened_at', none, none),
    ('survey_responses', 'survey_response', 'response_key', 'responded_at', none, none),
] %}

unioned as (
    select
        person_source,
        person_record_key,
        identity_namespace,
        contact_key as customer_key,
        'contact' as mentioned_in,
        concat(source_name, ':', contact_key) as mention_key,
        created_at as mentioned_at,
        email,
        phone,
        region,
        account_key
    from contacts
    {% for relation, entity, key, happened_at, region, account_key in mentions -%}
    union all
    select
        person_source,
        person_record_key,
        identity_namespace,
        customer_key,
        '{{ entity }}' as mentioned_in,
        concat(source_name, ':', {{ key }}) as mention_key,
        {{ happened_at }} as mentioned_at,
        email,
        phone,
        {{ region or 'cast(null as ' ~ dbt.type_string() ~ ')' }} as region,
        {{ account_key or 'cast(null as ' ~ dbt.type_string() ~ ')' }} as account_key
    from {{ relation }}
    where person_source is not null
    {% endfor %}
),

final as (
    select * from unioned
)

select * from final
