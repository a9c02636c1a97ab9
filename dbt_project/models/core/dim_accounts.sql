with

salesforce_accounts as (

    select * from {{ ref('stg_salesforce__account') }}

),

opportunities as (

    select * from {{ ref('stg_salesforce__opportunity') }}

),

canonical_accounts as (

    select * from {{ ref('canonical__account') }}

),

canonical_opportunities as (

    select * from {{ ref('canonical__opportunity') }}

),

canonical_contacts as (

    select * from {{ ref('canonical__contact') }}

),

canonical_orders as (

    select * from {{ ref('canonical__order') }}

),

canonical_subscriptions as (

    select * from {{ ref('canonical__subscription') }}

),

canonical_interactions as (

    select * from {{ ref('canonical__interaction') }}

),

canonical_calls as (

    select * from {{ ref('canonical__call') }}

),

salesforce_contacts as (

    select * from {{ ref('stg_salesforce__contact') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

prefecture_names as (

    select * from {{ ref('prefecture_names') }}

),

-- Every account that a fact may name, so that no fact points at an account that is not here.
mentioned as (

    select account_id, 'salesforce' as source, 1 as source_rank from salesforce_accounts
    union all
    select account_id, 'salesforce', 1 from salesforce_contacts where account_id is not null
    union all
    select account_id, 'salesforce', 1 from {{ ref('stg_salesforce__case') }} where account_id is not null
    union all
    select account_id, 'salesforce', 1 from opportunities where account_id is not null
    union all
    select account_id, source_name, 2 from canonical_accounts
    {% for part, id in [
        ('contacts', 'contact_id'), ('orders', 'order_id'), ('subscriptions', 'subscription_id'),
        ('interactions', 'interaction_id'), ('calls', 'call_id'), ('opportunities', 'opportunity_id'),
    ] -%}
    union all
    select
        trim(account_key),
        case when {{ id }} like 'mapped.%' then 'mapped' else source_name end,
        3
    from {{ 'canonical_' ~ part }}
    where trim(account_key) <> ''
    {% endfor %}
),

accounts as (

    select account_id, source
    from (
        select
            account_id,
            source,
            row_number() over (partition by account_id order by source_rank, source) as place
        from mentioned
    ) as ranked
    where place = 1

),

described as (

    select
        account_id,
        account_name,
        account_type,
        industry,
        region,
        country,
        is_deleted,
        master_account_id,
        created_at
    from salesforce_accounts
    union all
    select
        account_id,
        account_name,
        account_type,
        industry,
        region,
        country,
        is_deleted,
        master_account_id,
        created_at
    from canonical_accounts

),

members as (

    select account_id, count(*) as customers
    from customers
    where account_id is not null
    group by account_id

),

pipelines as (

    select
        account_id,
        sum(case when not is_closed then 1 else 0 end) as open_opportunities,
        sum(case when is_won then 1 else 0 end) as won_opportunities
    from (
        select account_id, is_closed, is_won
        from opportunities
        where not coalesce(is_deleted, false)
        union all
        select account_key, is_closed, is_won from canonical_opportunities
    ) as listed
    where account_id is not null
    group by account_id

),

final as (

    select
        accounts.account_id,
        accounts.source,
        described.account_name as name,
        described.account_type,
        described.industry,
        case
            when pref.region is not null then pref.region
            when described.country is not null and lower(trim(described.country)) not in ('jp', 'jpn', 'japan', '日本')
            then described.country
            else 'unknown'
        end as region,
        described.country,
        coalesce(described.is_deleted, false) as is_deleted,
        described.master_account_id,
        coalesce(members.customers, 0) as customers,
        cast(coalesce(pipelines.open_opportunities, 0) as bigint) as open_opportunities,
        cast(coalesce(pipelines.won_opportunities, 0) as bigint) as won_opportunities,
        described.created_at
    from accounts
    left join described on accounts.account_id = described.account_id
    left join prefecture_names as pref on lower(trim(described.region)) = pref.spelling
    left join members on accounts.account_id = members.account_id
    left join pipelines on accounts.account_id = pipelines.account_id

)

select * from final
