{#- A contract is looked ahead for five years at most: nobody's retention curve says more. -#}
{%- set horizon = 60 -%}
with

movements as (

    select * from {{ ref('mrr_movements') }}

),

-- Payers at risk and those who stopped, over the last twelve whole months: the retention curve's step per month.
pace as (

    select
        sum(case when opening > 0 then 1 else 0 end) as at_risk,
        sum(case when movement = 'churned' then 1 else 0 end) as stopped
    from movements
    where is_complete and {{ core_months_between('month_on', core_as_of()) }} <= 12

),

curve as (

    select
        at_risk,
        stopped,
        case
            when stopped >= 5 then round(1 - cast(stopped as double) / cast(at_risk as double), 6)
        end as kept_per_month
    from pace

),

payers as (

    select
        payer_type,
        payer_id,
        min(month_on) as first_month,
        sum(case when closing > 0 then 1 else 0 end) as months_paid,
        sum(closing) as recurring_paid,
        sum(
            case when {{ core_months_between('month_on', core_as_of()) }} = 0 then closing else 0 end
        ) as mrr
    from movements
    group by payer_type, payer_id

),

expected as (

    select
        payers.*,
        curve.kept_per_month,
        case
            when payers.mrr > 0 and curve.kept_per_month > 0
            then cast(
                round(
                    curve.kept_per_month * (1 - power(curve.kept_per_month, {{ horizon }}))
                    / (1 - curve.kept_per_month),
                    2
                ) as decimal(9, 2)
            )
        end as remaining_months
    from payers
    cross join curve

),

final as (

    select
        cast(payer_type as varchar) as payer_type,
        cast(payer_id as varchar) as payer_id,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        first_month,
        cast(months_paid as bigint) as months_paid,
        cast(recurring_paid as decimal(18, 2)) as recurring_paid,
        cast(mrr as decimal(18, 2)) as mrr,
        cast({{ var('margin_rate') }} as decimal(9, 4)) as margin_rate,
        kept_per_month,
        remaining_months as expected_remaining_months,
        cast(
            {{ core_reporting_money('mrr * cast(' ~ var('margin_rate') ~ ' as decimal(9, 4)) * remaining_months') }}
            as decimal(18, 2)
        ) as predicted_margin,
        cast(
            case
                when mrr <= 0 then 'ended'
                when remaining_months is null then 'too_few_ended'
            end as varchar
        ) as prediction_reason,
        true as is_complete
    from expected

)

select * from final
