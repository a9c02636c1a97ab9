with

retention as (

    select * from {{ ref('int_retention') }}
    where segment_type = 'overall'

),

final as (

    select
        definition,
        cohort_by,
        grain,
        {{ core_month('cohort') }} as cohort_month,
        cohort,
        period_number,
        period,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        cohort_size,
        returned,
        lost,
        returned_unbounded,
        returned_change,
        {{ core_ratio('returned', 'cohort_size') }} as rate,
        {{ core_ratio('returned_unbounded', 'cohort_size') }} as rate_unbounded,
        gross,
        net,
        net_kept,
        {{ core_ratio('gross', 'first_gross') }} as revenue_retention_gross,
        {{ core_ratio('net', 'first_net') }} as revenue_retention,
        {{ core_ratio('net_kept', 'first_net') }} as gross_revenue_retention,
        is_complete
    from retention

)

select * from final
