with

exchange_rates as (

    select * from {{ ref('stg_reference__exchange_rates') }}

),

dated as (

    select
        currency,
        rate_on as valid_from,
        lead(rate_on) over (partition by currency order by rate_on) as valid_until,
        cast(rate as decimal(18, 8)) as rate
    from exchange_rates
    where currency <> '{{ var("currency") }}'

),

-- The reporting currency is worth itself on every day; no other currency gets a rate that no file states.
final as (

    select currency, valid_from, valid_until, rate from dated
    union all
    select
        cast('{{ var("currency") }}' as varchar),
        cast('1900-01-01' as date),
        cast(null as date),
        cast(1 as decimal(18, 8))

)

select * from final
