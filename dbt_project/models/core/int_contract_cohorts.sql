with

months as (

    select * from {{ ref('int_contract_months') }}

),

final as (

    select
        payer_id as customer_id,
        min(month_on) over (partition by payer_type, payer_id) as cohort,
        {{ core_months_between('min(month_on) over (partition by payer_type, payer_id)', 'month_on') }}
            as period_number,
        mrr as recurring
    from months
    -- Nobody can return who was never found.
    where payer_type <> 'unnamed'

)

select * from final
