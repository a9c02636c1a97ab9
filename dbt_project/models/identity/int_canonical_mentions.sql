with {% set mentions = [
    ('contact', 'contact_id', 'created_at', 'region', 'account_key', 'contact_key'),
    ('order', 'order_id', 'ordered_at', 'region', 'account_key', 'customer_key'),
    ('subscription', 'subscription_id', 'started_at', none, 'account_key', 'customer_key'),
    ('interaction', 'interaction_id', 'opened_at', none, 'account_key', 'customer_key'),
    ('call', 'call_id', 'started_at', none, 'account_key', 'customer_key'),
    ('message', 'message_id', 'sent_at', none, none, 'customer_key'),
    ('survey_response', 'response_id', 'responded_at', none, none, 'customer_key'),
    ('order_step', 'step_id', 'stepped_at', none, none, 'customer_key'),
    ('campaign_touch', 'touch_id', 'touched_at', none, none, 'customer_key'),
    ('experiment_exposure', 'exposure_id', 'exposed_at', none, none, 'customer_key'),
    ('consent', 'consent_id', 'stated_at', none, none, 'customer_key'),
] -%}
{% set text = dbt.type_string() -%}
unioned as (
    {% for entity, id, happened_at, region, account_key, customer_key in mentions -%}
    {{ 'union all' if not loop.first }}
    select
        person_source,
        person_record_key,
        identity_namespace,
        {{ customer_key }} as customer_key,
        '{{ entity }}' as mentioned_in,
        {{ id }} as mention_key,
        {{ happened_at }} as mentioned_at,
        email,
        phone,
        {{ region or 'cast(null as ' ~ text ~ ')' }} as region,
        {{ account_key or 'cast(null as ' ~ text ~ ')' }} as account_key
    from {{ ref('canonical__' ~ entity) }}
    where person_source is not null and person_record_key is not null
    {% endfor %}
),

-- A vendor's own number is an identifier of its own kind; those of the company's files carry their name space.
final as (
    select
        *,
        case
            when person_source like 'mapped.%' then 'customer_key'
            else concat(identity_namespace, '_id')
        end as customer_key_type,
        case
            when customer_key is null then null
            when person_source like 'mapped.%' then concat(identity_namespace, ':', customer_key)
            else customer_key
        end as customer_key_value
    from unioned
)

select * from final
