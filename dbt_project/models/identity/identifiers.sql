with source_records as (
    select * from {{ ref('source_records') }}
),

salesforce_contacts as (
    select * from {{ ref('stg_salesforce__contact') }}
),

salesforce_cases as (
    select * from {{ ref('stg_salesforce__case') }}
),

shopify_customers as (
    select * from {{ ref('stg_shopify__customers') }}
),

shopify_orders as (
    select * from {{ ref('stg_shopify__orders') }}
),

zendesk_users as (
    select * from {{ ref('stg_zendesk__users') }}
),

delighted_responses as (
    select * from {{ ref('stg_delighted__responses') }}
),

canonical_contacts as (
    select * from {{ ref('canonical__contact') }}
),

canonical_mentions as (
    select * from {{ ref('int_canonical_mentions') }}
),

canonical_identifiers as (
    select * from {{ ref('canonical__identifier') }}
),

web_events as (
    select * from {{ ref('int_web_events') }}
),

own_ids as (
    {% for source, identifier_type in [
        ('salesforce.contact', 'salesforce_contact_id'),
        ('shopify.customer', 'shopify_customer_id'),
        ('zendesk.user', 'zendesk_user_id'),
        ('delighted.person', 'delighted_person_id'),
        ('amazon_connect.caller', 'phone'),
    ] -%}
    {{ 'union all' if not loop.first }}
    select
        {{ evidence('source', 'record_key', identifier_type, 'record_key', 'seen_at', 'updated_at') }}
    from source_records
    where source = '{{ source }}'
    {% endfor %}
    union all
    select
        {{ evidence('source', 'record_key', 'device_id', 'record_key', 'seen_at', 'updated_at') }}
    from source_records
    where entity = 'device'
    union all
    select
        {{ evidence('source', 'record_key', 'user_id', 'record_key', 'seen_at', 'updated_at') }}
    from source_records
    where entity = 'login'
),

salesforce as (
    {% for identifier_type, column in [
        ('email', 'email'),
        ('phone', 'phone'),
        ('phone', 'mobile_phone'),
        ('salesforce_contact_id', 'master_contact_id'),
    ] -%}
    {{ 'union all' if not loop.first }}
    select
        {{ evidence("'salesforce.contact'", 'contact_id', identifier_type, column, 'created_at', 'modified_at') }}
    from salesforce_contacts
    {% endfor %}
    {% for identifier_type, column in [('email', 'supplied_email'), ('phone', 'supplied_phone')] -%}
    union all
    select
        {{ evidence('person_source', 'person_record_key', identifier_type, column, 'created_at') }}
    from salesforce_cases
    where person_source = 'salesforce.case'
    {% endfor %}
),

-- The shipping phone is left out: it may be the phone of whoever receives a gift.
shopify as (
    {% for identifier_type, column in [
        ('email', 'email'),
        ('phone', 'phone'),
        ('phone', 'default_address_phone'),
    ] -%}
    {{ 'union all' if not loop.first }}
    select
        {{ evidence("'shopify.customer'", 'customer_id', identifier_type, column, 'null') }}
    from shopify_customers
    {% endfor %}
    {% if var('user_id_is') == 'shopify_customer_id' -%}
    union all
    select
        {{ evidence("'shopify.customer'", 'customer_id', 'user_id', 'customer_id', 'null') }}
    from shopify_customers
    {% endif %}
    {% for identifier_type, column in [('email', 'email'), ('phone', 'phone'), ('phone', 'billing_phone')] -%}
    union all
    select
        {{ evidence('person_source', 'person_record_key', identifier_type, column, 'ordered_at') }}
    from shopify_orders
    {% endfor %}
),

zendesk as (
    select
        {{ evidence("'zendesk.user'", 'zendesk_user_id', 'email', 'email', 'created_at', 'updated_at') }}
    from zendesk_users
    union all
    select
        {{ evidence("'zendesk.user'", 'zendesk_user_id', 'phone', 'phone', 'created_at', 'updated_at') }}
    from zendesk_users
),

delighted as (
    select
        {{ evidence('person_source', 'person_record_key', 'email', 'email', 'coalesce(responded_at, sent_at)') }}
    from delighted_responses
    union all
    select
        {{ evidence('person_source', 'person_record_key', 'phone', 'phone', 'coalesce(responded_at, sent_at)') }}
    from delighted_responses
),

-- A device carries every login seen on it; whether it is shared is for the resolver to say.
web as (
    select
        {{ evidence('device_source', 'device_id', 'user_id', 'user_id', 'occurred_at') }}
    from web_events
    {% if var('user_id_is') == 'email' -%}
    union all
    select
        {{ evidence('user_source', 'user_id', 'email', 'user_id', 'occurred_at') }}
    from web_events
    {% endif %}
),

-- What vendors and mapped files say that are not read by name above.
canonical as (
    select
        person_source as source,
        person_record_key as record_key,
        customer_key_type as identifier_type,
        customer_key_value as raw_value,
        mentioned_at as seen_at,
        mentioned_at as last_seen_at
    from canonical_mentions
    {% for identifier_type in ['email', 'phone'] -%}
    union all
    select
        {{ evidence('person_source', 'person_record_key', identifier_type, identifier_type, 'mentioned_at') }}
    from canonical_mentions
    {% endfor %}
    {% for identifier_type, column in [
        ('user_id', 'user_id'),
        ('shopify_customer_id', 'store_customer_id'),
        ('salesforce_contact_id', 'crm_contact_id'),
        ('phone', 'other_phone'),
    ] -%}
    union all
    select
        {{ evidence('person_source', 'person_record_key', identifier_type, column, 'created_at', 'updated_at') }}
    from canonical_contacts
    {% endfor %}
    union all
    select
        person_source as source,
        person_record_key as record_key,
        identifier_type,
        raw_value,
        seen_at,
        seen_at as last_seen_at
    from canonical_identifiers
),

unioned as (
    select * from own_ids
    {% for part in ['salesforce', 'shopify', 'zendesk', 'delighted', 'web', 'canonical'] -%}
    union all
    select * from {{ part }}
    {% endfor %}
),

-- Evidence counts for records that stand for a person; agents and deleted contacts do not.
final as (
    select
        unioned.source,
        unioned.record_key,
        unioned.identifier_type,
        unioned.raw_value,
        min(unioned.seen_at) as seen_at,
        max(coalesce(unioned.last_seen_at, unioned.seen_at)) as last_seen_at
    from unioned
    inner join source_records
        on
            unioned.source = source_records.source
            and unioned.record_key = source_records.record_key
    where
        unioned.raw_value is not null
        and trim(unioned.raw_value) <> ''
    group by
        unioned.source,
        unioned.record_key,
        unioned.identifier_type,
        unioned.raw_value
)

select * from final
