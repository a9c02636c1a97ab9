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

-- Orders and sessions in one pass, by the number of the customer.
days as (

    select
        customer_number,
        min(case when has_ordered then active_on end) as first_order_on,
        max(case when has_ordered then active_on end) as last_order_on,
        sum(orders) as orders,
        count(case when has_ordered then 1 end) as order_days,
        sum(case when days_ago < 90 then orders else 0 end) as orders_90d,
        sum(gross) as gross_reporting,
        sum(gross) - sum(net) as refunded_reporting,
        sum(net) as net_reporting,
        sum(case when days_ago < 90 then net else 0 end) as net_reporting_90d,
        sum(refunded_orders) as refunded_orders,
        sum(sessions) as sessions,
        sum(case when days_ago < 30 then sessions else 0 end) as sessions_30d,
        sum(case when days_ago < 90 then sessions else 0 end) as sessions_90d,
        max(case when has_visited then active_on end) as last_session_on
    from (
        select active_days.*, {{ days_between('active_on', as_of) }} as days_ago
        from {{ ref('int_active_days') }} as active_days
    ) as listed
    group by customer_number

),

activity as (

    select people.customer_id, days.*
    from days
    inner join {{ ref('int_retention_people') }} as people on days.customer_number = people.customer_number

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
        cast(coalesce(activity.orders_90d, 0) as bigint) as orders_90d,
        cast(coalesce(activity.refunded_orders, 0) as bigint) as refunded_orders,
        cast(coalesce(activity.gross_reporting, 0) as decimal(18, 2)) as gross_reporting,
        cast(coalesce(activity.refunded_reporting, 0) as decimal(18, 2)) as refunded_reporting,
        cast(coalesce(activity.net_reporting, 0) as decimal(18, 2)) as net_reporting,
        cast(coalesce(activity.net_reporting_90d, 0) as decimal(18, 2)) as net_reporting_90d,
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
        cast(coalesce(activity.sessions_30d, 0) as bigint) as sessions_30d,
        cast(coalesce(activity.sessions_90d, 0) as bigint) as sessions_90d,
        activity.last_session_on
    from customers
    left join activity on customers.customer_id = activity.customer_id
    left join interaction_features on customers.customer_id = interaction_features.customer_id
    left join survey_features on customers.customer_id = survey_features.customer_id
    left join latest_nps on customers.customer_id = latest_nps.customer_id

)

select * from final
