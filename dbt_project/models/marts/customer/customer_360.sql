with

customers as (

    select * from {{ ref('dim_customers') }}

),

features as (

    select * from {{ ref('customer_features') }}

),

lifetime_values as (

    select * from {{ ref('ltv_by_customer') }}

),

churn as (

    select * from {{ ref('churn_risk') }} where kind = 'non_contractual'

),

contracts as (

    select * from {{ ref('churn_risk') }} where kind = 'contractual'

),

segments as (

    select * from {{ ref('customer_segments') }}

),

-- How the customer sounds lately; texts without a known word have no score.
texts as (

    select
        customer_id,
        count(*) as texts_90d,
        sum(cast(score as decimal(9, 4))) as score_sum,
        count(score) as scored,
        min(score) as worst
    from {{ source('scores', 'text_sentiment') }}
    where customer_id is not null and {{ days_between('written_on', core_as_of()) }} < 90
    group by customer_id

),

final as (

    select
        customers.customer_id,
        customers.display_label,
        customers.is_known,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        customers.first_seen_at,
        customers.last_seen_at,
        customers.email_consent,
        customers.region,
        customers.country,
        customers.age_band,
        customers.account_id,
        customers.sources,
        customers.records,
        segments.lifecycle_segment,
        segments.value_tier,
        segments.rfm_segment,
        segments.rfm_recency,
        segments.rfm_frequency,
        segments.rfm_money,
        segments.channel_preference,
        segments.device_mix,
        features.orders,
        features.first_order_on,
        features.last_order_on,
        features.days_since_order,
        features.gross_reporting as gross_revenue,
        features.refunded_reporting as refunds,
        features.net_reporting as net_revenue,
        lifetime_values.margin,
        lifetime_values.predicted_12m,
        lifetime_values.ltv,
        features.last_nps as nps,
        features.last_nps_on as nps_on,
        case
            when features.last_nps >= 9 then 'promoter'
            when features.last_nps >= 7 then 'passive'
            when features.last_nps >= 0 then 'detractor'
        end as nps_group,
        {{ core_ratio('features.csat_sum', 'features.csat_answers') }} as csat,
        features.csat_answers,
        features.interactions,
        features.open_interactions as open_tickets,
        features.interactions_30d,
        features.last_interaction_on,
        features.sessions_90d,
        features.last_session_on,
        churn.probability as churn_probability,
        coalesce(churn.band, 'not_scored') as churn_band,
        churn.driver_1 as churn_driver_1,
        churn.driver_2 as churn_driver_2,
        churn.driver_3 as churn_driver_3,
        churn.value_at_risk,
        contracts.probability as contract_churn_probability,
        contracts.band as contract_churn_band,
        coalesce(texts.texts_90d, 0) as texts_90d,
        {{ core_ratio('texts.score_sum', 'texts.scored') }} as sentiment_90d,
        texts.worst as worst_sentiment_90d
    from customers
    inner join features on customers.customer_id = features.customer_id
    inner join segments on customers.customer_id = segments.customer_id
    left join lifetime_values on customers.customer_id = lifetime_values.customer_id
    left join churn on customers.customer_id = churn.customer_id
    left join contracts on customers.customer_id = contracts.customer_id
    left join texts on customers.customer_id = texts.customer_id

)

select * from final
