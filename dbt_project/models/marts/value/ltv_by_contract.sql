{#- A contract is looked ahead for five years at most: nobody's retention curve says more. -#}
{%- set horizon = 60 -%}
{#- Months of a run that have a rate of their own; all later ones share one. -#}
{%- set early = 12 -%}
{#- What is known of all payers weighs as much as so many payer-months of a kind of payer, and these of one tenure. -#}
{%- set prior = 24 -%}
with

movements as (

    select * from {{ ref('mrr_movements') }}

),

-- How long a payer has run without a break: who comes back begins anew.
runs as (

    select
        movements.*,
        {{ core_months_between('month_on', core_as_of()) }} as months_ago,
        -- 1 for the newest month that is over.
        {{ core_months_between('month_on', core_add_days(core_as_of(), 1)) }} as whole_months_ago,
        max(case when movement in ('new', 'reactivated') then month_on end) over (
            partition by payer_type, payer_id
            order by month_on
            rows between unbounded preceding and current row
        ) as run_from
    from movements

),

-- Payers at risk and those who stopped, over the last twelve whole months.
risks as (

    select
        payer_type,
        tenure,
        count(*) as at_risk,
        sum(stops) as stopped
    from (
        select
            payer_type,
            least({{ core_months_between('run_from', 'month_on') }}, {{ early + 1 }}) as tenure,
            case when movement = 'churned' then 1 else 0 end as stops
        from runs
        where opening > 0 and whole_months_ago between 1 and 12
    ) as listed
    group by payer_type, tenure

),

pace as (

    select
        sum(stopped) as stopped,
        cast(sum(stopped) as double) / nullif(sum(at_risk), 0) as share
    from risks

),

payers as (

    select
        payer_type,
        payer_id,
        min(month_on) as first_month,
        sum(case when closing > 0 then 1 else 0 end) as months_paid,
        sum(closing) as recurring_paid,
        sum(case when months_ago = 0 then closing else 0 end) as mrr,
        max(
            case when months_ago = 0 and closing > 0 then {{ core_months_between('run_from', core_as_of()) }} end
        ) as tenure
    from runs
    group by payer_type, payer_id

),

tenures as (

    select distinct payer_type, least(tenure, {{ early }}) as tenure
    from payers
    where tenure is not null

),

kinds as (

    select
        tenures.payer_type,
        max(
            (coalesce(of_kind.stopped, 0) + {{ prior }} * pace.share) / (coalesce(of_kind.at_risk, 0) + {{ prior }})
        ) as share
    from tenures
    cross join pace
    left join (
        select payer_type, sum(at_risk) as at_risk, sum(stopped) as stopped from risks group by payer_type
    ) as of_kind on tenures.payer_type = of_kind.payer_type
    where pace.stopped >= 5
    group by tenures.payer_type

),

ahead as (

    select payer_type, share, {{ numbers_to(early + horizon + 1) }} as tenure
    from kinds

),

-- Share kept through each month of a run; logarithms as exact numbers, so that no order of rows moves a digit.
curve as (

    select
        ahead.payer_type,
        ahead.tenure,
        case
            when ahead.tenure = 0 then 1
            else greatest(
                1 - (coalesce(risks.stopped, 0) + {{ prior }} * ahead.share)
                / (coalesce(risks.at_risk, 0) + {{ prior }}), 0.000001
            )
        end as kept
    from ahead
    left join risks
        on ahead.payer_type = risks.payer_type and least(ahead.tenure, {{ early + 1 }}) = risks.tenure

),

survival as (

    select
        curve.*,
        sum(cast(round(ln(kept), 12) as decimal(20, 12))) over (
            partition by payer_type order by tenure rows between unbounded preceding and current row
        ) as log_kept
    from curve

),

outlook as (

    select
        tenures.payer_type,
        tenures.tenure,
        max(case when later.tenure = tenures.tenure + 1 then round(later.kept, 6) end) as kept_next_month,
        cast(
            sum(cast(round(exp(cast(later.log_kept - now.log_kept as double)), 8) as decimal(12, 8))) as decimal(9, 2)
        ) as remaining_months
    from tenures
    inner join survival as now on tenures.payer_type = now.payer_type and tenures.tenure = now.tenure
    inner join survival as later
        on tenures.payer_type = later.payer_type
        and later.tenure between tenures.tenure + 1 and tenures.tenure + {{ horizon }}
    group by tenures.payer_type, tenures.tenure

),

expected as (

    select
        payers.*,
        case when pace.stopped >= 5 then round(1 - pace.share, 6) end as kept_per_month,
        outlook.kept_next_month,
        outlook.remaining_months
    from payers
    cross join pace
    left join outlook
        on payers.payer_type = outlook.payer_type
        and payers.tenure is not null
        and least(payers.tenure, {{ early }}) = outlook.tenure

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
        cast(tenure as bigint) as tenure_months,
        kept_next_month,
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
