with salesforce_contacts as (
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

zendesk_tickets as (
    select * from {{ ref('stg_zendesk__tickets') }}
),

connect_contacts as (
    select * from {{ ref('stg_amazon_connect__contact_records') }}
),

delighted_responses as (
    select * from {{ ref('stg_delighted__responses') }}
),

web_events as (
    select * from {{ ref('int_web_events') }}
),

not_customers as (
    select * from {{ ref('not_customers') }}
),

canonical_contacts as (
    select * from {{ ref('canonical__contact') }}
),

canonical_mentions as (
    select * from {{ ref('int_canonical_mentions') }}
),

from_salesforce_contacts as (
    select
        {{ source_record(
            "'salesforce.contact'", 'contact_id', "'contact'", 'created_at',
            email='email', phone='coalesce(mobile_phone, phone)', first_name='first_name', last_name='last_name',
            birth_on='birth_on', region='region', postal_code='postal_code', country='country',
            created_at='created_at', updated_at='modified_at', opted_out='has_opted_out_of_email',
            account_key='account_id', street='street', city='city'
        ) }}
    from salesforce_contacts
),

-- Contacts that only cases name: known by their id alone.
from_salesforce_mentions as (
    select
        {{ source_record(
            "'salesforce.contact'", 'cases.contact_id', "'contact'", 'min(cases.created_at)',
            updated_at='max(cases.created_at)', account_key='max(cases.account_id)'
        ) }}
    from salesforce_cases as cases
    left join salesforce_contacts as contacts
        on cases.contact_id = contacts.contact_id
    where
        cases.contact_id is not null
        and contacts.contact_id is null
    group by cases.contact_id
),

-- Cases from the web form that no contact is tied to.
from_salesforce_cases as (
    select
        {{ source_record(
            'person_source', 'person_record_key', "'case'", 'created_at',
            email='supplied_email', phone='supplied_phone', created_at='created_at', updated_at='modified_at',
            account_key='account_id'
        ) }}
    from salesforce_cases
    where person_source = 'salesforce.case'
),

from_shopify_customers as (
    select
        {{ source_record(
            "'shopify.customer'", 'customer_id', "'customer'", 'null',
            email='email', phone='coalesce(phone, default_address_phone)', first_name='first_name',
            last_name='last_name', region='region', postal_code='postal_code',
            opted_out='not accepts_email_marketing', city='city'
        ) }}
    from shopify_customers
),

-- A guest has no customer row, so every order stands for its buyer. The name on the bill is one text whose order of
-- given and family name is not known, so it is not taken apart.
from_shopify_orders as (
    select
        {{ source_record(
            'person_source', 'person_record_key', "'order'", 'ordered_at',
            email='email', phone='coalesce(phone, billing_phone)', region='billing_region',
            postal_code='billing_postal_code', created_at='ordered_at', updated_at='ordered_at',
            opted_out='case when accepts_marketing then false end'
        ) }}
    from shopify_orders
),

from_zendesk_users as (
    select
        {{ source_record(
            "'zendesk.user'", 'zendesk_user_id', "'user'", 'created_at',
            email='email', phone='phone', created_at='created_at', updated_at='updated_at', account_key='account_key'
        ) }}
    from zendesk_users
),

-- Requesters that no users page holds: known by their id alone.
from_zendesk_requesters as (
    select
        {{ source_record(
            "'zendesk.user'", 'tickets.requester_id', "'user'", 'min(tickets.created_at)',
            updated_at='max(tickets.created_at)'
        ) }}
    from zendesk_tickets as tickets
    left join zendesk_users as users
        on tickets.requester_id = users.zendesk_user_id
    where
        tickets.requester_id is not null
        and users.zendesk_user_id is null
    group by tickets.requester_id
),

from_connect_callers as (
    select
        {{ source_record(
            'person_source', 'person_record_key', "'caller'", 'min(initiated_at)',
            phone='person_record_key', created_at='min(initiated_at)', updated_at='max(initiated_at)'
        ) }}
    from connect_contacts
    where person_source is not null
    group by person_source, person_record_key
),

delighted_ranked as (
    select
        *,
        coalesce(responded_at, sent_at) as answered_at,
        min(coalesce(responded_at, sent_at)) over (partition by person_source, person_record_key) as first_answered_at,
        row_number() over (
            partition by person_source, person_record_key
            order by coalesce(responded_at, sent_at) desc nulls last, response_id
        ) as person_rank
    from delighted_responses
    where person_source is not null
),

-- One record per person, as the latest response writes the address.
from_delighted_people as (
    select
        {{ source_record(
            'person_source', 'person_record_key',
            "case when person_source = 'delighted.person' then 'person' else 'response' end", 'first_answered_at',
            email='email', phone='phone', created_at='first_answered_at', updated_at='answered_at'
        ) }}
    from delighted_ranked
    where person_rank = 1
),

from_web_devices as (
    select
        {{ source_record(
            'device_source', 'device_id', "'device'", 'min(occurred_at)',
            created_at='min(occurred_at)', updated_at='max(occurred_at)'
        ) }}
    from web_events
    where device_id is not null
    group by device_source, device_id
),

from_web_users as (
    select
        {{ source_record(
            'user_source', 'user_id', "'login'", 'min(occurred_at)',
            email='user_id' if var('user_id_is') == 'email' else none,
            created_at='min(occurred_at)', updated_at='max(occurred_at)'
        ) }}
    from web_events
    where user_id is not null
    group by user_source, user_id
),

-- Sources that share a name space may both hold the contact: the one changed last describes it.
canonical_contacts_ranked as (
    select
        *,
        row_number() over (
            partition by person_source, person_record_key
            order by coalesce(updated_at, created_at) desc nulls last, source_name
        ) as contact_rank
    from canonical_contacts
),

canonical_mentions_ranked as (
    select
        *,
        min(mentioned_at) over (partition by person_source, person_record_key) as first_mentioned_at,
        max(mentioned_at) over (partition by person_source, person_record_key) as last_mentioned_at,
        row_number() over (
            partition by person_source, person_record_key
            order by
                case when mentioned_in = 'contact' then 0 else 1 end,
                mentioned_at desc nulls last,
                mentioned_in,
                mention_key
        ) as mention_rank
    from canonical_mentions
),

-- Everybody else whom a vendor or the company's own files name: from a contact where there is one, else from the
-- latest mention.
from_canonical as (
    select
        {{ source_record(
            'mentions.person_source', 'mentions.person_record_key',
            "case "
            "when mentions.person_source like '%.device' then 'device' "
            "when mentions.person_source like '%.user' and mentions.mentioned_in = 'experiment_exposure' then 'login' "
            "when mentions.person_source like '%.caller' then 'caller' "
            "when mentions.customer_key is not null then 'customer' else mentions.mentioned_in end",
            'mentions.first_mentioned_at',
            email='coalesce(contacts.email, mentions.email)', phone='coalesce(contacts.phone, mentions.phone)',
            first_name='contacts.first_name', last_name='contacts.last_name', birth_on='contacts.birth_on',
            region='coalesce(contacts.region, mentions.region)', postal_code='contacts.postal_code',
            country='contacts.country', created_at='coalesce(contacts.created_at, mentions.first_mentioned_at)',
            updated_at='coalesce(contacts.updated_at, mentions.last_mentioned_at)',
            opted_out='contacts.has_opted_out', account_key='coalesce(contacts.account_key, mentions.account_key)',
            full_name='contacts.full_name', kana='contacts.kana', birth_text='contacts.birth_text',
            house_number='contacts.house_number', street='contacts.street', address_line_2='contacts.address_line_2',
            city='contacts.city'
        ) }}
    from canonical_mentions_ranked as mentions
    left join canonical_contacts_ranked as contacts
        on
            mentions.person_source = contacts.person_source
            and mentions.person_record_key = contacts.person_record_key
            and contacts.contact_rank = 1
    where mentions.mention_rank = 1
),

read_by_name as (
    {% for part in [
        'from_salesforce_contacts', 'from_salesforce_mentions', 'from_salesforce_cases', 'from_shopify_customers',
        'from_shopify_orders', 'from_zendesk_users', 'from_zendesk_requesters', 'from_connect_callers',
        'from_delighted_people', 'from_web_devices', 'from_web_users',
    ] -%}
    {{ 'union all' if not loop.first }}
    select * from {{ part }}
    {% endfor %}
),

-- A comment or a campaign may name a contact that its vendor's own export describes better.
unioned as (
    select * from read_by_name
    union all
    select from_canonical.*
    from from_canonical
    left join read_by_name
        on
            from_canonical.source = read_by_name.source
            and from_canonical.record_key = read_by_name.record_key
    where read_by_name.source is null
),

final as (
    select unioned.*
    from unioned
    left join not_customers
        on
            unioned.source = not_customers.source
            and unioned.record_key = not_customers.record_key
    where not_customers.source is null
)

select * from final
