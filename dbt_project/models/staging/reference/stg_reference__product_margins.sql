with source as (
    select * from {{ source('raw', 'reference__product_margins') }}
),

-- A rate has no change time. Where two files disagree the lower rate is taken: nobody's value is made too high.
versions as (
    select
        *,
        row_number() over (
            partition by sku, valid_from
            order by margin_rate, _file, _line, _batch
        ) as version_rank
    from source
    where valid_from <= cast('{{ var("as_of") }}' as date)
),

final as (
    select
        sku,
        valid_from,
        cast(margin_rate as decimal(9, 4)) as margin_rate,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    where version_rank = 1
)

select * from final
