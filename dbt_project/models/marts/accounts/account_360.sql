{%- set as_of = core_as_of() -%}
with

accounts as (

    select * from {{ ref('dim_accounts') }}

),

people as (

    select
        account_id,
        count(distinct customer_id) as people,
        count(distinct case when is_current then customer_id end) as people_now,
        count(
            distinct case when {{ days_between('last_on', as_of) }} < 90 then customer_id end
        ) as people_active_90d,
        min(first_on) as first_seen_on,
        max(last_on) as last_seen_on
    from {{ ref('int_account_people') }}
    group by account_id

),

orders as (

    select
        account_id,
        count(*) as orders,
        sum(net_reporting) as net_revenue,
        max(ordered_on) as last_order_on
    from {{ ref('fct_orders') }}
    where is_counted and account_id is not null
    group by account_id

),

contracts as (

    select payer_id as account_id, mrr, first_month, predicted_margin
    from {{ ref('ltv_by_contract') }}
    where payer_type = 'account'

),

-- Subscriptions, trials included, and won opportunities that are contracts (kpi.contract_months): these run to their term.
agreements as (

    select account_id, is_running, is_trial, cancelled_at is not null as is_cancelled, started_on, ended_on
    from {{ ref('fct_subscriptions') }}
    where account_id is not null
    union all
    select account_id, ended_on > {{ as_of }}, false, false, from_on, ended_on
    from {{ ref('int_contract_spans') }}
    where account_id is not null
        and contract_id not in (select subscription_id from {{ ref('fct_subscriptions') }})

),

subscriptions as (

    select
        account_id,
        count(*) as subscriptions,
        sum(case when is_running and not is_trial then 1 else 0 end) as running,
        sum(case when is_trial then 1 else 0 end) as trials,
        sum(case when is_running and is_cancelled then 1 else 0 end) as cancelling,
        min(started_on) as customer_since_on,
        max(ended_on) as last_ended_on
    from agreements
    group by account_id

),

interactions as (

    select
        account_id,
        sum(case when is_open then 1 else 0 end) as open_tickets,
        sum(case when {{ days_between('opened_on', as_of) }} < 90 then 1 else 0 end) as tickets_90d,
        sum(case when {{ days_between('opened_on', as_of) }} < 90 and is_resolved then 1 else 0 end) as resolved_90d
    from {{ ref('fct_interactions') }}
    where account_id is not null and direction = 'inbound' and continues_interaction_id is null
    group by account_id

),

-- One answer per person: the latest of the last year.
answers as (

    select account_id, score
    from (
        select
            account_id,
            score,
            row_number() over (
                partition by account_id, coalesce(customer_id, response_id)
                order by submitted_at desc, response_id desc
            ) as place
        from {{ ref('fct_survey_responses') }}
        where
            account_id is not null
            and kind = 'nps'
            and is_valid
            and {{ days_between('submitted_on', as_of) }} < 365
    ) as ranked
    where place = 1

),

loyalty as (

    select
        account_id,
        count(*) as nps_respondents,
        sum(case when score >= 9 then 1 when score <= 6 then -1 else 0 end) as votes
    from answers
    group by account_id

),

risks as (

    select
        customers.account_id,
        sum(case when scores.band = 'high' then 1 else 0 end) as people_at_high_risk
    from {{ source('scores', 'churn_scores') }} as scores
    inner join {{ ref('dim_customers') }} as customers on scores.customer_id = customers.customer_id
    where customers.account_id is not null
    group by customers.account_id

),

endings as (

    select payer_id as account_id, probability, band
    from {{ source('scores', 'contract_scores') }}
    where payer_type = 'account'

),

joined as (

    select
        accounts.*,
        coalesce(people.people, 0) as people,
        coalesce(people.people_now, 0) as people_now,
        coalesce(people.people_active_90d, 0) as people_active_90d,
        people.first_seen_on,
        people.last_seen_on,
        coalesce(orders.orders, 0) as orders,
        coalesce(orders.net_revenue, 0) as net_revenue,
        orders.last_order_on,
        coalesce(contracts.mrr, 0) as mrr,
        contracts.first_month as first_paid_month,
        contracts.predicted_margin,
        coalesce(subscriptions.subscriptions, 0) as subscriptions,
        case
            when subscriptions.subscriptions is null then 'none'
            when subscriptions.running > 0 and subscriptions.cancelling = subscriptions.running then 'cancelling'
            when subscriptions.running > 0 then 'active'
            when subscriptions.trials > 0 then 'trial'
            else 'ended'
        end as contract_state,
        subscriptions.customer_since_on,
        case when subscriptions.running = 0 and subscriptions.trials = 0 then subscriptions.last_ended_on end
            as contract_ended_on,
        coalesce(interactions.open_tickets, 0) as open_tickets,
        coalesce(interactions.tickets_90d, 0) as tickets_90d,
        coalesce(interactions.resolved_90d, 0) as resolved_90d,
        coalesce(loyalty.nps_respondents, 0) as nps_respondents,
        loyalty.votes,
        coalesce(risks.people_at_high_risk, 0) as people_at_high_risk,
        endings.probability as contract_churn_probability,
        endings.band as contract_churn_band
    from accounts
    left join people on accounts.account_id = people.account_id
    left join orders on accounts.account_id = orders.account_id
    left join contracts on accounts.account_id = contracts.account_id
    left join subscriptions on accounts.account_id = subscriptions.account_id
    left join interactions on accounts.account_id = interactions.account_id
    left join loyalty on accounts.account_id = loyalty.account_id
    left join risks on accounts.account_id = risks.account_id
    left join endings on accounts.account_id = endings.account_id

),

-- Four questions, each of which costs a point; two points make an account critical.
judged as (

    select
        joined.*,
        contract_state in ('cancelling', 'ended') as is_leaving,
        coalesce(votes < 0, false) as is_unhappy,
        open_tickets >= 3 as is_burdened,
        coalesce({{ days_between('last_seen_on', as_of) }} >= 90, true) as is_silent
    from joined

),

final as (

    select
        account_id,
        source,
        {{ as_of }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        account_type,
        industry,
        region,
        country,
        is_deleted,
        master_account_id,
        cast(people as bigint) as people,
        cast(people_now as bigint) as people_now,
        cast(people_active_90d as bigint) as people_active_90d,
        first_seen_on,
        last_seen_on,
        cast(orders as bigint) as orders,
        cast(net_revenue as decimal(18, 2)) as net_revenue,
        last_order_on,
        contract_state,
        cast(subscriptions as bigint) as subscriptions,
        customer_since_on,
        contract_ended_on,
        first_paid_month,
        cast(mrr as decimal(18, 2)) as mrr,
        cast(12 * mrr as decimal(18, 2)) as arr,
        cast(predicted_margin as decimal(18, 2)) as predicted_margin,
        open_opportunities,
        won_opportunities,
        cast(open_tickets as bigint) as open_tickets,
        cast(tickets_90d as bigint) as tickets_90d,
        cast(resolved_90d as bigint) as resolved_90d,
        cast(nps_respondents as bigint) as nps_respondents,
        {{ core_ratio('100 * votes', 'nps_respondents') }} as nps,
        cast(people_at_high_risk as bigint) as people_at_high_risk,
        cast(contract_churn_probability as double) as contract_churn_probability,
        cast(contract_churn_band as varchar) as contract_churn_band,
        is_leaving,
        is_unhappy,
        is_burdened,
        is_silent,
        case
            when is_deleted then 'closed'
            when
                cast(is_leaving as integer) + cast(is_unhappy as integer) + cast(is_burdened as integer)
                + cast(is_silent as integer) >= 2
            then 'critical'
            when is_leaving or is_unhappy or is_burdened or is_silent then 'watch'
            else 'good'
        end as health,
        true as is_complete
    from judged

)

select * from final
