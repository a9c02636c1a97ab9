{{ config(meta={
    'description': 'Whoever a staged fact names is a source record, so no fact loses its customer on the way to core.',
    'dagster': {'ref': {'name': 'source_records'}}
}) }}
{#-
    Catches: an order, case, ticket, call, response or web event whose person no source record stands for.
    Does not catch: whoever stands in not_customers (deleted contacts, staff who file tickets).
-#}
{% set facts = [
    'stg_salesforce__case', 'stg_shopify__orders', 'stg_zendesk__tickets', 'stg_amazon_connect__contact_records',
    'stg_delighted__responses', 'canonical__contact', 'canonical__order', 'canonical__subscription',
    'canonical__interaction', 'canonical__call', 'canonical__message', 'canonical__survey_response',
    'canonical__order_step', 'canonical__campaign_touch', 'canonical__experiment_exposure', 'canonical__consent'
] %}

with named as (
    {% for fact in facts -%}
    {{ 'union all' if not loop.first }}
    select
        person_source,
        person_record_key,
        '{{ fact }}' as fact
    from {{ ref(fact) }}
    {% endfor -%}
    union all
    select
        device_source as person_source,
        device_id as person_record_key,
        'device' as fact
    from {{ ref('int_web_events') }}
    union all
    select
        user_source as person_source,
        user_id as person_record_key,
        'login' as fact
    from {{ ref('int_web_events') }}
)

select distinct
    named.fact,
    named.person_source,
    named.person_record_key
from named
left join {{ ref('source_records') }} as source_records
    on
        named.person_source = source_records.source
        and named.person_record_key = source_records.record_key
left join {{ ref('not_customers') }} as not_customers
    on
        named.person_source = not_customers.source
        and named.person_record_key = not_customers.record_key
where
    named.person_record_key is not null
    and source_records.source is null
    and not_customers.source is null
