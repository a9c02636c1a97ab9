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

cut as (

    select
        date_on,
        {{ core_week('date_on') }} as week_on,
        {{ core_month('date_on') }} as month_on,
        cast(extract(year from date_on) as integer) as calendar_year,
        cast(1 + {{ days_between(core_week('date_on'), 'date_on') }} as integer) as iso_weekday,
        {%- set closed = var('closed_days') -%}
        {%- set closed = fromjson(closed) if closed is string else closed %}
        {{ "date_on in (cast('" ~ closed | join("' as date), cast('") ~ "' as date))" if closed else 'false' }} as is_closed_day
    from dates

),

opened as (

    select
        cut.*,
        cast(case when is_closed_day then 0 else {{ business_seconds_of_weekday('iso_weekday') }} end as bigint)
            as business_seconds
    from cut

),

final as (

    select
        date_on,
        week_on,
        month_on,
        calendar_year,
        iso_weekday,
        is_closed_day,
        business_seconds,
        -- Two moments lie as many business seconds apart as their days do, less what of each day has not passed.
        cast(sum(business_seconds) over (order by date_on rows unbounded preceding) - business_seconds as bigint)
            as business_seconds_before
    from opened

)

select * from final
