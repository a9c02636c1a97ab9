with

features as (

    select * from {{ ref('customer_features') }}
    -- Anonymous visitors have no lifetime value unless an order says so.
    where is_known or orders > 0

),

scores as (

    select * from {{ source('scores', 'churn_scores') }}

),

final as (

    select
        features.customer_id,
        cast('{{ var("currency") }}' as varchar) as currency,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        features.region,
        features.first_order_on,
        features.last_order_on,
        features.orders,
        features.gross_reporting as gross,
        features.refunded_reporting as refunds,
        features.net_reporting as net,
        cast({{ var('margin_rate') }} as decimal(9, 4)) as margin_rate,
        {{ core_reporting_money('features.net_reporting * cast(' ~ var('margin_rate') ~ ' as decimal(9, 4))') }}
            as margin,
        cast(scores.p_alive as double) as p_alive,
        cast(scores.expected_purchases as double) as expected_purchases,
        cast(scores.expected_value as decimal(18, 2)) as predicted_12m,
        cast(features.net_reporting + coalesce(scores.expected_value, 0) as decimal(18, 2)) as ltv
    from features
    left join scores on features.customer_id = scores.customer_id

)

select * from final
