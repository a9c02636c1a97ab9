{{ config(meta={
    'description': 'No staged time lies after as_of, so nothing downstream can see the future.',
    'dagster': {'ref': {'name': 'stg_ga4__events'}}
}) }}
{#-
    Catches: a model that forgot the cut, for the record's own time and for later states such as cancelled or solved.
    Does not catch: a state without a time of its own that a younger version brought along (as_of_note names the row).
-#}
{% set times = [
    ('stg_salesforce__contact', 'created_at'),
    ('stg_salesforce__account', 'created_at'),
    ('stg_salesforce__opportunity', 'created_at'),
    ('stg_salesforce__case', 'created_at'),
    ('stg_salesforce__case', 'closed_at'),
    ('stg_shopify__orders', 'ordered_at'),
    ('stg_shopify__orders', 'paid_at'),
    ('stg_shopify__orders', 'cancelled_at'),
    ('stg_ga4__events', 'occurred_at'),
    ('stg_zendesk__tickets', 'created_at'),
    ('stg_zendesk__tickets', 'solved_at'),
    ('stg_zendesk__users', 'created_at'),
    ('stg_amazon_connect__contact_records', 'initiated_at'),
    ('stg_amazon_connect__contact_records', 'disconnected_at'),
    ('stg_delighted__responses', 'responded_at'),
    ('canonical__contact', 'created_at'),
    ('canonical__account', 'created_at'),
    ('canonical__opportunity', 'created_at'),
    ('canonical__order', 'ordered_at'),
    ('canonical__order', 'cancelled_at'),
    ('canonical__refund', 'refunded_at'),
    ('canonical__subscription', 'started_at'),
    ('canonical__subscription', 'cancelled_at'),
    ('canonical__subscription', 'ended_at'),
    ('canonical__interaction', 'opened_at'),
    ('canonical__interaction', 'first_response_at'),
    ('canonical__interaction', 'resolved_at'),
    ('canonical__call', 'started_at'),
    ('canonical__call', 'ended_at'),
    ('canonical__message', 'sent_at'),
    ('canonical__survey_response', 'responded_at'),
    ('canonical__order_step', 'stepped_at'),
    ('canonical__campaign_touch', 'touched_at'),
    ('canonical__experiment_exposure', 'exposed_at'),
    ('canonical__consent', 'stated_at'),
    ('canonical__web_event', 'occurred_at')
] %}

{% for model, column in times -%}
{{ 'union all' if not loop.first }}
select
    '{{ model }}.{{ column }}' as staged_time,
    count(*) as rows_after_as_of
from {{ ref(model) }}
where {{ column }} >= {{ as_of_end() }}
having count(*) > 0
{% endfor %}
