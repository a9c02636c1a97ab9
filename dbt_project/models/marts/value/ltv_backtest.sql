with

backtest as (

    select * from {{ source('scores', 'ltv_backtest') }}

),

final as (

    select
        cast(repeat_purchases as varchar) as repeat_purchases,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        cast(calibration_ends_on as date) as calibration_ends_on,
        cast(holdout_weeks as bigint) as holdout_weeks,
        cast(customers as bigint) as customers,
        cast(predicted_purchases as double) as predicted_purchases,
        cast(actual_purchases as bigint) as actual_purchases,
        cast(naive_purchases as double) as naive_purchases,
        cast(predicted_value as decimal(18, 2)) as predicted_value,
        cast(actual_value as decimal(18, 2)) as actual_value,
        cast(inside_interval as bigint) as inside_interval,
        {{ core_ratio('predicted_purchases - actual_purchases', 'actual_purchases') }} as error,
        true as is_complete
    from backtest

)

select * from final
