with

kinds as (

    select 'non_contractual' as kind, cast(null as varchar) as payer_id, * from {{ source('scores', 'churn_scores') }}
    union all by name
    select 'contractual' as kind, * exclude (payer_type, is_of_customer)
    from {{ source('scores', 'contract_scores') }}
    where is_of_customer and customer_id is not null

),

scores as (

    select
        *,
        [
            case when driver_1_effect > 0 then driver_1_code end,
            case when driver_2_effect > 0 then driver_2_code end,
            case when driver_3_effect > 0 then driver_3_code end
        ] as against
    from kinds

),

customers as (

    select * from {{ ref('dim_customers') }}

),

final as (

    select
        scores.customer_id,
        cast(scores.as_of as date) as as_of,
        cast(scores.kind as varchar) as kind,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        customers.display_label,
        customers.region,
        customers.account_id,
        cast(scores.payer_id as varchar) as payer_id,
        cast(scores.probability as double) as probability,
        cast(scores.p_alive as double) as p_alive,
        cast(scores.band as varchar) as band,
        cast(scores.reason as varchar) as reason,
        cast(scores.driver_1 as varchar) as driver_1,
        cast(scores.driver_1_code as varchar) as driver_1_code,
        cast(scores.driver_1_effect as double) as driver_1_effect,
        cast(scores.driver_2 as varchar) as driver_2,
        cast(scores.driver_2_code as varchar) as driver_2_code,
        cast(scores.driver_2_effect as double) as driver_2_effect,
        cast(scores.driver_3 as varchar) as driver_3,
        cast(scores.driver_3_code as varchar) as driver_3_code,
        cast(scores.driver_3_effect as double) as driver_3_effect,
        cast(scores.expected_value as decimal(18, 2)) as expected_value,
        cast(scores.value_at_risk as decimal(18, 2)) as value_at_risk,
        case
            when scores.probability is null then cast(null as varchar)
            when scores.band = 'low' then 'none'
            -- What is open comes first: nothing else helps while it lasts.
            when list_has_any(scores.against, ['urgent_open', 'open_interaction', 'stale_interaction'])
            then 'resolve_request'
            when list_contains(scores.against, 'payment_failed') then 'mend_payment'
            when
                list_has_any(
                    scores.against,
                    [
                        'urgent_lately', 'negative_csat', 'nps_detractor', 'frequent_contacts', 'abandoned_contact',
                        'negative_text', 'negative_tone', 'speaks_of_leaving'
                    ]
                )
            then 'call_back'
            when list_has_any(scores.against, ['late_delivery', 'refund']) then 'make_good_delivery'
            when scores.kind = 'contractual' then 'talk_of_contract'
            when scores.band = 'high' then 'win_back'
            else 'watch'
        end as recommended_action,
        cast(scores.model as varchar) as model
    from scores
    left join customers on scores.customer_id = customers.customer_id

)

select * from final
