{#-
    The canonical layer: what identity and core read of every vendor that they do not know by name.

    A vendor joins by a contract, a staging model with the columns below, and one line in `canonical_sources`. Its rows
    are named `<source_name>:<key>`, those of mapping contracts `mapped.<source_name>:<key>`. A person is named by
    person_source `<vendor>.<kind>` and identity_namespace `<vendor>_<kind>`, so that a customer number is an identifier
    of type `<vendor>_<kind>_id`, the same whether the contact itself or something that mentions it is read.
-#}

{#- Which staging models feed an entity. -#}
{% macro canonical_sources(entity) -%}
    {{ return({
        'contact': [
            'stg_mapped__contact',
            'stg_stripe__customers',
            'stg_salesforce__lead',
            'stg_hubspot__contacts',
            'stg_hubspot__merged_contacts'
        ],
        'identifier': ['stg_salesforce__lead_merges', 'stg_hubspot__contact_identifiers'],
        'account': ['stg_hubspot__companies', 'stg_zendesk__organizations'],
        'opportunity': ['stg_hubspot__deals'],
        'order': ['stg_mapped__order', 'stg_stripe__payments'],
        'order_line': ['stg_mapped__order_line'],
        'order_step': ['stg_mapped__order_step'],
        'refund': ['stg_mapped__refund', 'stg_stripe__refunds'],
        'subscription': ['stg_mapped__subscription'],
        'subscription_term': ['stg_mapped__subscription_terms'],
        'interaction': [
            'stg_mapped__interaction',
            'stg_intercom__conversations',
            'stg_freshdesk__tickets',
            'stg_hubspot__tickets'
        ],
        'interaction_event': ['stg_zendesk__ticket_events', 'stg_salesforce__case_history', 'stg_intercom__events'],
        'call': ['stg_mapped__call'],
        'message': [
            'stg_mapped__message',
            'stg_zendesk__comments',
            'stg_intercom__messages',
            'stg_salesforce__case_comment',
            'stg_salesforce__task'
        ],
        'campaign_touch': [
            'stg_mapped__campaign_touch',
            'stg_salesforce__campaign_member',
            'stg_hubspot__email_events'
        ],
        'experiment_exposure': ['stg_mapped__experiment_exposure'],
        'consent': ['stg_mapped__consent'],
        'survey_response': [
            'stg_mapped__survey_response',
            'stg_qualtrics__answers',
            'stg_typeform__answers',
            'stg_medallia__answers'
        ],
        'web_event': ['stg_mapped__web_event', 'stg_snowplow__events', 'stg_matomo__events']
    }[entity]) }}
{%- endmacro %}

{#- Columns of an entity, text unless a type stands beside it; every staging model of the list has all of them. -#}
{% macro canonical_columns(entity) -%}
    {{ return({
        'contact': [
            'source_name', 'identity_namespace', 'contact_key', 'person_source', 'person_record_key',
            'not_customer_reason', 'user_id', 'store_customer_id', 'crm_contact_id', 'account_key', 'first_name',
            'last_name', 'full_name', 'kana', 'email', 'phone', 'other_phone', ('birth_on', 'date'), 'birth_text',
            'house_number', 'street', 'address_line_2', 'city', 'region', 'postal_code', 'country',
            ('has_opted_out', 'boolean'), ('created_at', 'timestamp'), ('created_on', 'date'),
            ('updated_at', 'timestamp'), 'as_of_note', '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'identifier': [
            'source_name', 'person_source', 'person_record_key', 'identifier_type', 'raw_value',
            ('seen_at', 'timestamp')
        ],
        'account': [
            'source_name', 'account_key', 'account_name', 'account_type', 'industry', 'region', 'country',
            ('is_deleted', 'boolean'), 'master_account_key', ('created_at', 'timestamp'),
            ('updated_at', 'timestamp'), 'as_of_note', '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'opportunity': [
            'source_name', 'opportunity_key', 'account_key', 'person_source', 'person_record_key',
            'opportunity_name', 'stage', 'currency', ('amount', 'decimal(18, 2)'), ('close_on', 'date'),
            ('is_closed', 'boolean'), ('is_won', 'boolean'), ('created_at', 'timestamp'),
            ('updated_at', 'timestamp'), 'as_of_note', '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'order': [
            'source_name', 'identity_namespace', 'order_key', 'account_key', 'person_source', 'person_record_key',
            'customer_key', 'email', 'phone', 'status', 'region', 'channel', ('quantity', 'bigint'), 'currency',
            ('gross_amount', 'decimal(18, 2)'), ('discount_amount', 'decimal(18, 2)'),
            ('refunded_amount', 'decimal(18, 2)'), ('is_test', 'boolean'), ('is_cancelled', 'boolean'),
            ('is_voided', 'boolean'), ('ordered_at', 'timestamp'), ('ordered_on', 'date'),
            ('cancelled_at', 'timestamp'), ('updated_at', 'timestamp'), 'as_of_note', '_source', '_file',
            ('_line', 'bigint'), '_batch'
        ],
        'refund': [
            'source_name', 'identity_namespace', 'refund_key', 'order_key', 'currency', ('amount', 'decimal(18, 2)'),
            ('refunded_at', 'timestamp'), ('refunded_on', 'date'), 'as_of_note', '_source', '_file',
            ('_line', 'bigint'), '_batch'
        ],
        'subscription': [
            'source_name', 'identity_namespace', 'subscription_key', 'account_key', 'person_source',
            'person_record_key', 'customer_key', 'email', 'phone', 'plan', 'status', 'currency',
            ('amount', 'decimal(18, 2)'), ('quantity', 'bigint'), 'billing_interval', ('interval_count', 'bigint'),
            ('started_at', 'timestamp'), ('started_on', 'date'), ('trial_ends_at', 'timestamp'),
            ('cancelled_at', 'timestamp'), ('ended_at', 'timestamp'), ('updated_at', 'timestamp'), 'as_of_note',
            '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'subscription_term': [
            'source_name', 'subscription_key', ('valid_from', 'timestamp'), 'currency', ('amount', 'decimal(18, 2)'),
            ('quantity', 'bigint'), 'billing_interval', ('interval_count', 'bigint')
        ],
        'interaction': [
            'source_name', 'identity_namespace', 'interaction_key', 'continues_key', 'direction', 'account_key',
            'person_source', 'person_record_key', 'customer_key', 'email', 'phone', 'status', 'channel', 'queue',
            'priority', 'agent', 'topic', ('csat_score', 'bigint'), ('reopens', 'bigint'), ('handoffs', 'bigint'),
            ('talk_seconds', 'bigint'), ('hold_seconds', 'bigint'), ('acw_seconds', 'bigint'),
            ('queue_seconds', 'bigint'), ('first_response_minutes', 'decimal(18, 2)'),
            ('first_response_business_minutes', 'decimal(18, 2)'), ('first_resolution_minutes', 'decimal(18, 2)'),
            ('resolution_minutes', 'decimal(18, 2)'), ('is_resolved', 'boolean'), ('is_abandoned', 'boolean'),
            ('opened_at', 'timestamp'), ('opened_on', 'date'), ('first_response_at', 'timestamp'),
            ('resolved_at', 'timestamp'), ('updated_at', 'timestamp'), 'as_of_note', '_source', '_file',
            ('_line', 'bigint'), '_batch'
        ],
        'interaction_event': [
            'source_name', 'event_key', 'interaction_key', 'event_kind', 'old_value', 'new_value', 'actor_key',
            ('happened_at', 'timestamp'), ('happened_on', 'date'), 'as_of_note', '_source', '_file',
            ('_line', 'bigint'), '_batch'
        ],
        'call': [
            'source_name', 'identity_namespace', 'call_key', 'continues_key', 'direction', 'account_key',
            'person_source', 'person_record_key', 'customer_key', 'email', 'phone', 'queue', 'agent', 'topic',
            ('queue_seconds', 'bigint'), ('talk_seconds', 'bigint'), ('hold_seconds', 'bigint'),
            ('acw_seconds', 'bigint'), ('is_abandoned', 'boolean'), ('started_at', 'timestamp'),
            ('started_on', 'date'), ('answered_at', 'timestamp'), ('ended_at', 'timestamp'),
            ('updated_at', 'timestamp'), 'as_of_note', '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'message': [
            'source_name', 'identity_namespace', 'message_key', 'interaction_key', 'person_source',
            'person_record_key', 'customer_key', 'email', 'phone', 'direction', 'author_kind', 'author_key', 'channel', 'subject',
            'body', ('sent_at', 'timestamp'), ('sent_on', 'date'), 'as_of_note', '_source', '_file',
            ('_line', 'bigint'), '_batch'
        ],
        'order_line': [
            'source_name', 'order_key', 'line_key', 'sku', 'item_name', ('quantity', 'bigint'),
            ('unit_price', 'decimal(18, 2)'), ('discount_amount', 'decimal(18, 2)'), '_source', '_file',
            ('_line', 'bigint'), '_batch'
        ],
        'order_step': [
            'source_name', 'identity_namespace', 'step_key', 'order_key', 'person_source', 'person_record_key',
            'customer_key', 'email', 'phone', 'step', 'place', ('stepped_at', 'timestamp'), ('stepped_on', 'date'),
            'as_of_note', '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'campaign_touch': [
            'source_name', 'identity_namespace', 'touch_key', 'person_source', 'person_record_key', 'customer_key',
            'email', 'phone', 'campaign_key', 'campaign', 'channel', 'touch_kind', ('touched_at', 'timestamp'),
            ('touched_on', 'date'), 'as_of_note', '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'experiment_exposure': [
            'source_name', 'identity_namespace', 'exposure_key', 'person_source', 'person_record_key',
            'customer_key', 'email', 'phone', 'device_source', 'user_source', 'device_id', 'user_id', 'experiment',
            'variant', ('exposed_at', 'timestamp'), ('exposed_on', 'date'), 'as_of_note', '_source', '_file',
            ('_line', 'bigint'), '_batch'
        ],
        'consent': [
            'source_name', 'identity_namespace', 'consent_key', 'person_source', 'person_record_key', 'customer_key',
            'email', 'phone', 'purpose', ('is_granted', 'boolean'), 'collected_through', ('stated_at', 'timestamp'),
            ('stated_on', 'date'), 'as_of_note', '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'survey_response': [
            'source_name', 'identity_namespace', 'response_key', 'person_source', 'person_record_key',
            'customer_key', 'email', 'phone', 'survey_type', 'survey', ('score', 'bigint'), 'comment', 'touchpoint',
            ('sent_at', 'timestamp'), ('responded_at', 'timestamp'), ('responded_on', 'date'), 'as_of_note',
            '_source', '_file', ('_line', 'bigint'), '_batch'
        ],
        'web_event': [
            'source_name', 'identity_namespace', 'event_key', 'device_source', 'user_source', 'device_id', 'user_id',
            'session_key', 'event_name', 'page', 'device_category', 'region', 'traffic_source', 'traffic_medium',
            'transaction_id', ('is_session_engaged', 'boolean'), ('occurred_at', 'timestamp'),
            ('occurred_on', 'date'), 'as_of_note', '_source', '_file', ('_line', 'bigint'), '_batch'
        ]
    }[entity]) }}
{%- endmacro %}

{#- Ids of an entity that are unique over all sources, and the key in the source that each is made of. -#}
{% macro canonical_ids(entity) -%}
    {{ return({
        'contact': {'contact_id': 'contact_key'},
        'account': {'account_id': 'account_key', 'master_account_id': 'master_account_key'},
        'opportunity': {'opportunity_id': 'opportunity_key'},
        'order': {'order_id': 'order_key'},
        'refund': {'refund_id': 'refund_key'},
        'subscription': {'subscription_id': 'subscription_key'},
        'subscription_term': {'subscription_id': 'subscription_key'},
        'interaction': {'interaction_id': 'interaction_key', 'continues_interaction_id': 'continues_key'},
        'interaction_event': {'event_id': 'event_key', 'interaction_id': 'interaction_key'},
        'call': {'call_id': 'call_key', 'continues_call_id': 'continues_key'},
        'message': {'message_id': 'message_key', 'interaction_id': 'interaction_key'},
        'order_line': {'order_id': 'order_key'},
        'order_step': {'step_id': 'step_key', 'order_id': 'order_key'},
        'campaign_touch': {'touch_id': 'touch_key'},
        'experiment_exposure': {'exposure_id': 'exposure_key'},
        'consent': {'consent_id': 'consent_key'},
        'survey_response': {'response_id': 'response_key'}
    }.get(entity, {})) }}
{%- endmacro %}

{#- One select per staging model of the entity, each column cast to its canonical type. -#}
{% macro canonical_union(entity) -%}
    {%- set sources = canonical_sources(entity) -%}
    {%- set text = dbt.type_string() -%}
    {%- for model in sources %}
{{ 'union all' if not loop.first }}
select
    {%- for id, key in canonical_ids(entity).items() %}
    cast({{ "'mapped.' || " if model.startswith('stg_mapped__') }}source_name || ':' || {{ key }} as {{ text }}) as {{ id }},
    {%- endfor %}
    {%- for column in canonical_columns(entity) %}
    {%- set name, type = (column, text) if column is string else column %}
    cast({{ name }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref(model) }}
    {%- endfor %}
    {%- if not sources %}
select
    {%- for id in canonical_ids(entity) %}
    cast(null as {{ text }}) as {{ id }},
    {%- endfor %}
    {%- for column in canonical_columns(entity) %}
    {%- set name, type = (column, text) if column is string else column %}
    cast(null as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
where 1 = 0
    {%- endif %}
{%- endmacro %}

{#- Canonical columns that a vendor has nothing for. Each is named, so that a misspelt column is an error. -#}
{% macro nothing_for(columns) -%}
    {%- for name in columns %}
        null as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#-
    person_source and person_record_key of a row that names its person by customer number, else by an address of its
    own: `people` is the source of the numbered person, `own` that of a record which only this row makes.
-#}
{% macro named_person(people, own, own_key, customer_key='customer_key', addresses=['email', 'phone']) -%}
        case
            when {{ customer_key }} is not null then {{ people }}
            when coalesce({{ addresses | join(', ') }}) is not null then {{ own }}
        end as person_source,
        case
            when {{ customer_key }} is not null then {{ customer_key }}
            when coalesce({{ addresses | join(', ') }}) is not null then {{ own_key }}
        end as person_record_key
{%- endmacro %}
