with

years as (

    select
        customer_number,
        cast(extract(year from active_on) as bigint) as calendar_year,
        cast(sum(gross) as decimal(18, 2)) as gross,
        cast(sum(net) as decimal(18, 2)) as net,
        count(*) as order_days
    from {{ ref('int_active_days') }}
    where has_ordered
    group by customer_number, cast(extract(year from active_on) as bigint)

),

-- A row for each year from the first one on, with or without an order.
grid as (

    select
        people.customer_id,
        people.customer_number,
        people.first_year,
        customer_values.first_channel,
        {{ numbers_to('cast(extract(year from ' ~ core_as_of() ~ ') as bigint) - first_year + 1') }} as year_number
    from (
        select customer_id, customer_number, cast(extract(year from first_order_on) as bigint) as first_year
        from {{ ref('int_retention_people') }}
        where first_order_on is not null
    ) as people
    left join {{ ref('int_customer_value') }} as customer_values
        on people.customer_id = customer_values.customer_id

),

filled as (

    select
        grid.*,
        grid.first_year + grid.year_number as calendar_year,
        coalesce(years.order_days, 0) as order_days,
        coalesce(years.gross, 0) as gross,
        coalesce(years.net, 0) as net,
        last_years.customer_number is not null as has_ordered_last_year
    from grid
    left join years
        on grid.customer_number = years.customer_number and grid.first_year + grid.year_number = years.calendar_year
    left join years as last_years
        on grid.customer_number = last_years.customer_number
        and grid.first_year + grid.year_number - 1 = last_years.calendar_year

),

final as (

    select
        filled.customer_id,
        cast(filled.calendar_year as bigint) as calendar_year,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        cast(filled.first_year as bigint) as first_year,
        coalesce(filled.first_channel, 'unknown') as first_channel,
        filled.order_days > 0 as has_ordered,
        cast(
            case
                when filled.order_days = 0 then 'sleeping'
                when filled.year_number = 0 then 'new'
                when filled.has_ordered_last_year then 'consistent'
                else 'returning'
            end as varchar
        ) as customer_class,
        filled.order_days,
        cast(filled.gross as decimal(18, 2)) as gross,
        cast(filled.net as decimal(18, 2)) as net,
        extract(year from {{ core_add_days(core_as_of(), 1) }}) > filled.calendar_year as is_complete
    from filled

)

select * from final
