with

salesforce_accounts as (

    select * from {{ ref('stg_salesforce__account') }}

),

opportunities as (

    select * from {{ ref('stg_salesforce__opportunity') }}

),

mapped_contacts as (

    select * from {{ ref('stg_mapped__contact') }}

),

mapped_orders as (

    select * from {{ ref('stg_mapped__order') }}

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

    select account_id, 1 as is_salesforce from salesforce_accounts
    union all
    select account_id, 1 from salesforce_contacts where account_id is not null
    union all
    select account_id, 1 from {{ ref('stg_salesforce__case') }} where account_id is not null
    union all
    select trim(account_key), 0 from mapped_contacts where trim(account_key) <> ''
    union all
    select trim(account_key), 0 from mapped_orders where trim(account_key) <> ''

),

accounts as (

    select account_id, max(is_salesforce) as is_salesforce
    from mentioned
    group by account_id

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
    from opportunities
    where account_id is not null and not coalesce(is_deleted, false)
    group by account_id

),

final as (

    select
        accounts.account_id,
        case accounts.is_salesforce when 1 then 'salesforce' else 'mapped' end as source,
        sf.account_name as name,
        sf.account_type,
        sf.industry,
        case
            when pref.region is not null then pref.region
            when sf.country is not null and lower(trim(sf.country)) not in ('jp', 'jpn', 'japan', '日本')
            then sf.country
            else 'unknown'
        end as region,
        sf.country,
        coalesce(sf.is_deleted, false) as is_deleted,
        sf.master_account_id,
        coalesce(members.customers, 0) as customers,
        cast(coalesce(pipelines.open_opportunities, 0) as bigint) as open_opportunities,
        cast(coalesce(pipelines.won_opportunities, 0) as bigint) as won_opportunities,
        sf.created_at
    from accounts
    left join salesforce_accounts as sf on accounts.account_id = sf.account_id
    left join prefecture_names as pref on lower(trim(sf.region)) = pref.spelling
    left join members on accounts.account_id = members.account_id
    left join pipelines on accounts.account_id = pipelines.account_id

)

select * from final
