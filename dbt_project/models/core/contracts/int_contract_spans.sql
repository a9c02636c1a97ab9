{%- set contract_months = var('contract_months') | int -%}
with

exchange_rates as (

    select currency, rate
    from {{ ref('int_exchange_rates') }}
    where valid_from <= {{ core_as_of() }} and (valid_until is null or valid_until > {{ core_as_of() }})

),

-- A subscription is one contract for every span of days with one price.
subscriptions as (

    select
        spans.subscription_id as contract_id,
        spans.customer_id,
        spans.account_id,
        subscriptions.plan,
        spans.from_on,
        spans.until_on,
        {{ local_date('subscriptions.cancelled_at') }} as cancelled_on,
        subscriptions.ended_on,
        cast(
            ({{ months_per_unit('subscriptions.billing_interval') }}) * subscriptions.interval_count as double
        ) as term_months,
        {{ core_reporting_money(core_product('spans.monthly_amount', 'rates.rate')) }} as monthly_reporting
    from {{ ref('int_subscription_spans') }} as spans
    inner join {{ ref('fct_subscriptions') }} as subscriptions
        on spans.subscription_id = subscriptions.subscription_id
    left join exchange_rates as rates on spans.currency = rates.currency

),

opportunities as (

    select
        'salesforce:' || opportunity_id as contract_id,
        account_id,
        'salesforce.contact' as person_source,
        contact_id as person_record_key,
        close_on,
        amount,
        upper(currency) as currency
    from {{ ref('stg_salesforce__opportunity') }}
    where is_won and not coalesce(is_deleted, false)
    union all
    select
        opportunity_id, nullif(trim(account_key), ''), person_source, person_record_key, close_on, amount, upper(currency)
    from {{ ref('canonical__opportunity') }}
    where is_won

),

-- A won opportunity is a contract of so many months from its closing day on; with none, opportunities are no contracts.
won as (

    select
        opportunities.contract_id,
        map.customer_id,
        opportunities.account_id,
        cast(null as {{ dbt.type_string() }}) as plan,
        opportunities.close_on as from_on,
        cast({{ dbt.dateadd('month', contract_months, 'opportunities.close_on') }} as date) as until_on,
        cast(null as date) as cancelled_on,
        cast({{ dbt.dateadd('month', contract_months, 'opportunities.close_on') }} as date) as ended_on,
        cast({{ contract_months }} as double) as term_months,
        {{ core_reporting_money(core_product('opportunities.amount', 'rates.rate') ~ ' / ' ~ [contract_months, 1] | max) }}
            as monthly_reporting
    from opportunities
    left join exchange_rates as rates on opportunities.currency = rates.currency
    left join {{ source('identity', 'customer_map') }} as map
        on opportunities.person_source = map.source and opportunities.person_record_key = map.record_key
    where
        {{ contract_months }} > 0
        and opportunities.amount > 0
        and opportunities.close_on <= {{ core_as_of() }}

),

contracts as (

    select * from subscriptions
    union all
    select * from won

),

final as (

    select
        case
            when account_id is not null then 'account' when customer_id is not null then 'customer' else 'unnamed'
        end as payer_type,
        coalesce(account_id, customer_id, contract_id) as payer_id,
        contracts.*
    from contracts

)

select * from final
