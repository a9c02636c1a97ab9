with

features as (

    select * from {{ ref('customer_features') }}
    -- Anonymous visitors have no lifetime value unless an order says so.
    where is_known or orders > 0

),

scores as (

    select * from {{ source('scores', 'churn_scores') }}

),

-- What comes of articles has its own margin, the rest of net the company's rate.
valued as (

    select
        features.*,
        coalesce(customer_values.first_channel, 'none') as first_channel,
        coalesce(customer_values.net_of_articles, 0) as net_of_articles,
        coalesce(customer_values.margin_of_articles, 0) as margin_of_articles,
        cast(
            coalesce(customer_values.margin_of_articles, 0)
            + {{ core_reporting_money(
                '(features.net_reporting - coalesce(customer_values.net_of_articles, 0)) * cast('
                ~ var('margin_rate') ~ ' as decimal(9, 4))'
            ) }} as decimal(18, 2)
        ) as margin
    from features
    left join {{ ref('int_customer_value') }} as customer_values
        on features.customer_id = customer_values.customer_id

),

predicted as (

    select
        valued.*,
        scores.p_alive,
        scores.expected_purchases,
        cast(scores.discounted_value as decimal(18, 2)) as predicted,
        cast(scores.expected_value as decimal(18, 2)) as predicted_undiscounted,
        cast(scores.value_low as decimal(18, 2)) as predicted_low,
        cast(scores.value_high as decimal(18, 2)) as predicted_high,
        case when scores.expected_value is null then coalesce(scores.reason, 'not_known') end as reason,
        case
            when valued.net_reporting > 0 and valued.margin > 0
            then cast(
                round(cast(valued.margin as double) / cast(valued.net_reporting as double), 6) as decimal(9, 6)
            )
            else cast({{ var('margin_rate') }} as decimal(9, 6))
        end as own_margin_rate
    from valued
    left join scores on valued.customer_id = scores.customer_id

),

final as (

    select
        customer_id,
        cast('{{ var("currency") }}' as varchar) as currency,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        region,
        first_channel,
        first_order_on,
        last_order_on,
        orders,
        gross_reporting as gross,
        refunded_reporting as refunds,
        net_reporting as net,
        cast({{ var('margin_rate') }} as decimal(9, 4)) as margin_rate,
        cast(net_of_articles as decimal(18, 2)) as net_of_articles,
        cast(margin_of_articles as decimal(18, 2)) as margin_of_articles,
        margin,
        cast(p_alive as double) as p_alive,
        cast(expected_purchases as double) as expected_purchases,
        predicted as predicted_12m,
        predicted_undiscounted as predicted_12m_undiscounted,
        predicted_low,
        predicted_high,
        {{ core_reporting_money('predicted * own_margin_rate') }} as predicted_margin_12m,
        cast(reason as varchar) as prediction_reason,
        cast(net_reporting + coalesce(predicted, 0) as decimal(18, 2)) as ltv,
        cast(
            margin + coalesce({{ core_reporting_money('predicted * own_margin_rate') }}, 0) as decimal(18, 2)
        ) as ltv_margin,
        -- One customer: no period to wait for. The last day counts as far as its files have come.
        true as is_complete
    from predicted

)

select * from final
