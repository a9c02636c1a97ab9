{%- set as_of = core_as_of() -%}
with

customers as (

    select * from {{ ref('dim_customers') }}

),

interactions as (

    select
        *,
        {{ days_between('opened_on', as_of) }} as days_ago
    from {{ ref('fct_interactions') }}
    where
        customer_id is not null
        and opened_on is not null
        and continues_interaction_id is null
        and direction = 'inbound'

),

responses as (

    select * from {{ ref('fct_survey_responses') }}
    where customer_id is not null and is_valid

),

activity as (

    select * from {{ ref('int_retention_people') }}

),

recent_days as (

    select
        customer_number,
        sum(orders) as orders_90d,
        sum(net) as net_reporting_90d,
        sum(case when active_on > {{ core_add_days(as_of, -30) }} then sessions else 0 end) as sessions_30d,
        sum(sessions) as sessions_90d
    from {{ ref('int_active_days') }}
    where active_on > {{ core_add_days(as_of, -90) }}
    group by customer_number

),

interaction_features as (

    select
        customer_id,
        count(*) as interactions,
        sum(case when is_open then 1 else 0 end) as open_interactions,
        sum(case when days_ago < 30 then 1 else 0 end) as interactions_30d,
        sum(case when days_ago < 90 then 1 else 0 end) as interactions_90d,
        sum(case when days_ago < 90 and is_abandoned then 1 else 0 end) as abandoned_90d,
        sum(case when days_ago < 90 then reopens else 0 end) as reopens_90d,
        sum(case when days_ago < 90 and csat_score <= 2 then 1 else 0 end) as negative_csat_90d,
        sum(case when csat_score is not null then 1 else 0 end) as csat_answers,
        sum(csat_score) as csat_sum,
        max(opened_on) as last_interaction_on
    from interactions
    group by customer_id

),

survey_features as (

    select
        customer_id,
        sum(case when kind = 'csat' then 1 else 0 end) as csat_answers,
        sum(case when kind = 'csat' then score end) as csat_sum,
        sum(
            case
                when kind = 'csat' and score <= 2 and {{ days_between('submitted_on', as_of) }} < 90 then 1
                else 0
            end
        ) as negative_csat_90d,
        max(submitted_on) as last_response_on
    from responses
    group by customer_id

),

latest_nps as (

    select customer_id, score as last_nps, submitted_on as last_nps_on
    from (
        select
            customer_id,
            score,
            submitted_on,
            row_number() over (partition by customer_id order by submitted_at desc, response_id desc) as answer_rank
        from responses
        where kind = 'nps'
    ) as ranked
    where answer_rank = 1

),

final as (

    select
        customers.customer_id,
        {{ as_of }} as as_of,
        customers.is_known,
        customers.region,
        customers.account_id,
        activity.first_order_on,
        activity.last_order_on,
        cast(coalesce(activity.orders, 0) as bigint) as orders,
        cast(coalesce(activity.order_days, 0) as bigint) as order_days,
        cast(coalesce(recent_days.orders_90d, 0) as bigint) as orders_90d,
        cast(coalesce(activity.refunded_orders, 0) as bigint) as refunded_orders,
        cast(coalesce(activity.gross, 0) as decimal(18, 2)) as gross_reporting,
        cast(coalesce(activity.gross - activity.net, 0) as decimal(18, 2)) as refunded_reporting,
        cast(coalesce(activity.net, 0) as decimal(18, 2)) as net_reporting,
        cast(coalesce(recent_days.net_reporting_90d, 0) as decimal(18, 2)) as net_reporting_90d,
        {{ days_between('activity.first_order_on', as_of) }} as tenure_days,
        {{ days_between('activity.last_order_on', as_of) }} as days_since_order,
        cast(coalesce(interaction_features.interactions, 0) as bigint) as interactions,
        cast(coalesce(interaction_features.open_interactions, 0) as bigint) as open_interactions,
        cast(coalesce(interaction_features.interactions_30d, 0) as bigint) as interactions_30d,
        cast(coalesce(interaction_features.interactions_90d, 0) as bigint) as interactions_90d,
        cast(coalesce(interaction_features.abandoned_90d, 0) as bigint) as abandoned_90d,
        cast(coalesce(interaction_features.reopens_90d, 0) as bigint) as reopens_90d,
        interaction_features.last_interaction_on,
        cast(
            coalesce(interaction_features.negative_csat_90d, 0)
            + coalesce(survey_features.negative_csat_90d, 0) as bigint
        ) as negative_csat_90d,
        cast(
            coalesce(interaction_features.csat_answers, 0) + coalesce(survey_features.csat_answers, 0) as bigint
        ) as csat_answers,
        cast(
            coalesce(interaction_features.csat_sum, 0) + coalesce(survey_features.csat_sum, 0) as bigint
        ) as csat_sum,
        latest_nps.last_nps,
        latest_nps.last_nps_on,
        survey_features.last_response_on,
        cast(coalesce(activity.sessions, 0) as bigint) as sessions,
        cast(coalesce(recent_days.sessions_30d, 0) as bigint) as sessions_30d,
        cast(coalesce(recent_days.sessions_90d, 0) as bigint) as sessions_90d,
        activity.last_session_on
    from customers
    left join activity on customers.customer_id = activity.customer_id
    left join recent_days on activity.customer_number = recent_days.customer_number
    left join interaction_features on customers.customer_id = interaction_features.customer_id
    left join survey_features on customers.customer_id = survey_features.customer_id
    left join latest_nps on customers.customer_id = latest_nps.customer_id

)

select * from final
