with

subscriptions as (

    select * from {{ ref('canonical__subscription') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

judged as (

    select
        subscriptions.*,
        coalesce(ended_at, {{ as_of_end() }}) as runs_until,
        cast(amount * quantity as decimal(18, 2)) as period_amount,
        {{ months_per_unit('billing_interval') }} as months_per_unit
    from subscriptions

),

final as (

    select
        judged.subscription_id,
        map.customer_id,
        coalesce(judged.account_key, customers.account_id) as account_id,
        judged.source_name as source,
        judged.plan,
        lower(judged.status) as status,
        judged.started_at,
        judged.started_on,
        judged.trial_ends_at,
        judged.cancelled_at,
        judged.ended_at,
        {{ local_date('judged.ended_at') }} as ended_on,
        judged.ended_at is null as is_running,
        coalesce(judged.trial_ends_at >= {{ as_of_end() }}, false) and judged.ended_at is null as is_trial,
        judged.currency,
        judged.period_amount,
        judged.billing_interval,
        judged.interval_count,
        cast(
            round(judged.period_amount / (judged.months_per_unit * judged.interval_count), 2) as decimal(18, 2)
        ) as monthly_amount,
        rates.rate as exchange_rate,
        {{ core_reporting_money(
            core_product('judged.period_amount', 'rates.rate') ~ ' / (judged.months_per_unit * judged.interval_count)'
        ) }} as monthly_reporting
    from judged
    left join customer_map as map
        on judged.person_source = map.source and judged.person_record_key = map.record_key
    left join customers
        on map.customer_id = customers.customer_id
    left join exchange_rates as rates
        on judged.currency = rates.currency
        and rates.valid_from <= {{ core_as_of() }}
        and (rates.valid_until is null or rates.valid_until > {{ core_as_of() }})

)

select * from final
