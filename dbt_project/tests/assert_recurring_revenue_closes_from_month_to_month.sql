{{ config(meta={'dagster': {'ref': {'name': 'mrr_movements'}}}) }}
-- Catches a month whose movements do not lead from its opening to its closing, a month that does not open with what
-- the one before closed with, a payer with two movements at once, and recurring revenue that is not that of the
-- contracts. Does not say whether an amount was right in the source.
with movements as (
    select * from {{ ref('mrr_movements') }}
),

months as (
    select
        month_on,
        sum(opening) as opening,
        sum(new + expansion + reactivated - contraction - churned) as moved,
        sum(closing) as closing
    from movements
    group by month_on
),

chained as (
    select months.*, lag(closing) over (order by month_on) as closing_before
    from months
),

contracts as (
    select month_on, sum(mrr) as mrr
    from {{ ref('int_contract_months') }}
    group by month_on
)

select month_on, 'a payer' as what
from movements
where
    closing <> opening + new + expansion + reactivated - contraction - churned
    or least(opening, new, expansion, contraction, churned, reactivated, closing) < 0
    or (
        case when new > 0 then 1 else 0 end
        + case when expansion > 0 then 1 else 0 end
        + case when contraction > 0 then 1 else 0 end
        + case when churned > 0 then 1 else 0 end
        + case when reactivated > 0 then 1 else 0 end
    ) > 1
union all
select month_on, 'a month'
from chained
where closing <> opening + moved or opening <> coalesce(closing_before, 0)
union all
select movements.month_on, 'contracts'
from months as movements
left join contracts on movements.month_on = contracts.month_on
where movements.closing <> coalesce(contracts.mrr, 0)
