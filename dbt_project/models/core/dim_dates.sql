with

digits as (

    select cast(digit as bigint) as digit
    from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as listed (digit)

),

days_back as (

    select
        ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit
        + 10000 * ten_thousands.digit as days
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
    -- 20,000 days reach behind 1990, before which no gate lets an event pass without a word.
    cross join (select digit from digits where digit <= 1) as ten_thousands

),

dates as (

    select {{ core_add_days(core_as_of(), '-days') }} as date_on
    from days_back

),

final as (

    select
        date_on,
        {{ core_week('date_on') }} as week_on,
        {{ core_month('date_on') }} as month_on,
        cast(extract(year from date_on) as integer) as calendar_year,
        cast(1 + {{ days_between(core_week('date_on'), 'date_on') }} as integer) as iso_weekday
    from dates

)

select * from final
