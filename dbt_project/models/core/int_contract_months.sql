{%- set month_end = 'least(' ~ dbt.last_day('month_on', 'month') ~ ', ' ~ core_as_of() ~ ')' -%}
with

contracts as (

    select payer_type, payer_id, from_on as paid_from, until_on as ended_on, monthly_reporting as recurring
    from {{ ref('int_contract_spans') }}

),

months as (

    select
        contracts.*,
        {{ numbers_to(
            'greatest(' ~ core_months_between('paid_from', 'least(coalesce(ended_on, ' ~ core_as_of() ~ '), '
            ~ core_as_of() ~ ')') ~ ' + 1, 0)'
        ) }} as month_number
    from contracts

),

dated as (

    select
        months.*,
        cast({{ dbt.dateadd('month', 'month_number', core_month('paid_from')) }} as date) as month_on
    from months

),

final as (

    select
        payer_type,
        payer_id,
        month_on,
        cast(sum(recurring) as decimal(18, 2)) as mrr,
        count(*) as contracts
    from dated
    where
        paid_from <= {{ month_end }}
        and (ended_on is null or ended_on > {{ month_end }})
        -- A missing rate stays NULL, which the model's contract refuses.
        and recurring is distinct from 0
    group by payer_type, payer_id, month_on

)

select * from final
