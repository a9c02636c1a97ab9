with

months as (

    select * from {{ ref('int_contract_months') }}

),

payers as (

    select payer_type, payer_id, min(month_on) as first_month
    from months
    group by payer_type, payer_id

),

grid as (

    select
        payers.payer_type,
        payers.payer_id,
        payers.first_month,
        {{ numbers_to(core_months_between('first_month', core_as_of()) ~ ' + 1') }} as month_number
    from payers

),

filled as (

    select
        grid.payer_type,
        grid.payer_id,
        grid.first_month,
        cast({{ dbt.dateadd('month', 'grid.month_number', 'grid.first_month') }} as date) as month_on,
        coalesce(months.mrr, 0) as closing
    from grid
    left join months
        on grid.payer_type = months.payer_type
        and grid.payer_id = months.payer_id
        and cast({{ dbt.dateadd('month', 'grid.month_number', 'grid.first_month') }} as date) = months.month_on

),

moved as (

    select
        filled.*,
        coalesce(
            lag(closing) over (partition by payer_type, payer_id order by month_on), 0
        ) as opening
    from filled

),

final as (

    select
        cast(payer_type as varchar) as payer_type,
        cast(payer_id as varchar) as payer_id,
        month_on,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        cast(opening as decimal(18, 2)) as opening,
        cast(case when month_on = first_month then closing else 0 end as decimal(18, 2)) as new,
        cast(case when opening > 0 and closing > opening then closing - opening else 0 end as decimal(18, 2))
            as expansion,
        cast(case when closing > 0 and closing < opening then opening - closing else 0 end as decimal(18, 2))
            as contraction,
        cast(case when closing <= 0 and opening > 0 then opening - closing else 0 end as decimal(18, 2)) as churned,
        cast(
            case when opening <= 0 and closing > 0 and month_on > first_month then closing - opening else 0 end
            as decimal(18, 2)
        ) as reactivated,
        cast(closing as decimal(18, 2)) as closing,
        cast(
            case
                when month_on = first_month then 'new'
                when opening <= 0 and closing > 0 then 'reactivated'
                when closing <= 0 and opening > 0 then 'churned'
                when closing > opening then 'expansion'
                when closing < opening then 'contraction'
                else 'unchanged'
            end as varchar
        ) as movement,
        {{ core_months_between('first_month', 'month_on') }} as months_since_first,
        cast({{ dbt.last_day('month_on', 'month') }} as date) <= {{ core_as_of() }} as is_complete
    from moved
    where opening <> 0 or closing <> 0

)

select * from final
