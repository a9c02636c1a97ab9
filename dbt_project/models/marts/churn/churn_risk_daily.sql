with

daily as (

    select * from {{ source('scores', 'churn_daily') }}

),

final as (

    select
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        cast(day as date) as day,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        cast(scored as bigint) as scored,
        cast(at_risk as bigint) as at_risk,
        cast(share as double) as share,
        cast(value_at_risk as decimal(18, 2)) as value_at_risk,
        cast(refit_at_risk as bigint) as refit_at_risk,
        cast(refit_value as decimal(18, 2)) as refit_value,
        cast(baseline as double) as baseline,
        cast(z as double) as z,
        cast(is_spike as boolean) as is_spike,
        cast(status as varchar) as status,
        cast(at_risk_baseline as double) as at_risk_baseline,
        cast(at_risk_z as double) as at_risk_z,
        cast(at_risk_status as varchar) as at_risk_status,
        cast(value_baseline as double) as value_baseline,
        cast(value_z as double) as value_z,
        cast(value_status as varchar) as value_status,
        cast(model as varchar) as model,
        -- As in kpi_daily: the sources of orders reach to the day, give or take one quiet day.
        day <= {{ core_add_days('coalesce(reach.complete_until, ' ~ core_as_of() ~ ')', 1) }} as is_complete
    from daily
    left join {{ ref('int_kpi_reach') }} as reach on reach.family = 'orders'

)

select * from final
