{%- set contract_months = var('contract_months') | int -%}
{%- set month_end = 'least(' ~ dbt.last_day('month_on', 'month') ~ ', ' ~ core_as_of() ~ ')' -%}
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
        spans.from_on as paid_from,
        spans.until_on as ended_on,
        {{ core_reporting_money('spans.monthly_amount * rates.rate') }} as recurring
    from {{ ref('int_subscription_spans') }} as spans
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
        opportunities.close_on as paid_from,
        cast({{ dbt.dateadd('month', contract_months, 'opportunities.close_on') }} as date) as ended_on,
        {{ core_reporting_money('opportunities.amount * rates.rate / ' ~ [contract_months, 1] | max) }} as recurring
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

months as (

    select
        contracts.*,
        {{ numbers_to(
            'greatest(' ~ core_months_between('paid_from', 'least(coalesce(ended_on, ' ~ core_as_of() ~ '), '
            ~ core_as_of() ~ ')') ~ ' + 1, 0)'
        ) }} as month_number
    from contracts

),

dated as (

    select
        months.*,
        cast({{ dbt.dateadd('month', 'month_number', core_month('paid_from')) }} as date) as month_on
    from months

),

payers as (

    select
        dated.*,
        case
            when account_id is not null then 'account' when customer_id is not null then 'customer' else 'unnamed'
        end as payer_type,
        coalesce(account_id, customer_id, contract_id) as payer_id
    from dated

),

final as (

    select
        payer_type,
        payer_id,
        month_on,
        cast(sum(recurring) as decimal(18, 2)) as mrr,
        count(*) as contracts
    from payers
    where
        paid_from <= {{ month_end }}
        and (ended_on is null or ended_on > {{ month_end }})
        -- A missing rate stays NULL, which the model's contract refuses.
        and recurring is distinct from 0
    group by payer_type, payer_id, month_on

)

select * from final
