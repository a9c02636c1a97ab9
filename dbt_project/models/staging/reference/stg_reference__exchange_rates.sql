with source as (
    select
        *,
        upper(currency) as currency_code
    from {{ source('raw', 'reference__exchange_rates') }}
),

-- A rate has no change time. Where two files disagree the higher rate is taken, so that the order of arrival
-- decides nothing; assert_exchange_rates_agree names the pair.
versions as (
    select
        *,
        row_number() over (
            partition by rate_on, currency_code
            order by rate desc, _file, _line, _batch
        ) as version_rank
    from source
    where rate_on <= cast('{{ var("as_of") }}' as date)
),

final as (
    select
        rate_on,
        currency_code as currency,
        cast(rate as decimal(18, 8)) as rate,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    where version_rank = 1
)

select * from final
