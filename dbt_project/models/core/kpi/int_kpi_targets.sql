{%- set targets = var('targets', []) -%}
with

-- What the company's targets.yaml says; it was checked when the build began.
listed as (

    {% for one in targets -%}
    {{ 'union all' if not loop.first }}
    select
        {{ kpi_text(one.kpi) }} as kpi,
        {{ kpi_text(one.segment_type) }} as segment_type,
        {{ kpi_text(one.segment) }} as segment,
        {{ kpi_text(one.period) }} as period,
        {{ kpi_text(one.period_type) }} as period_type,
        cast('{{ one.period_start }}' as date) as period_start,
        cast('{{ one.period_end }}' as date) as period_end,
        cast('{{ one.target }}' as decimal(20, 6)) as target,
        {{ kpi_text(one.direction) if one.direction else 'cast(null as varchar)' }} as direction,
        {{ kpi_text(one.owner) }} as owner,
        cast('{{ one.on_track_from }}' as decimal(9, 6)) as on_track_from,
        cast('{{ one.at_risk_from }}' as decimal(9, 6)) as at_risk_from
    {% else -%}
    select
        cast(null as varchar) as kpi,
        cast(null as varchar) as segment_type,
        cast(null as varchar) as segment,
        cast(null as varchar) as period,
        cast(null as varchar) as period_type,
        cast(null as date) as period_start,
        cast(null as date) as period_end,
        cast(null as decimal(20, 6)) as target,
        cast(null as varchar) as direction,
        cast(null as varchar) as owner,
        cast(null as decimal(9, 6)) as on_track_from,
        cast(null as decimal(9, 6)) as at_risk_from
    where 1 = 0
    {% endfor %}

),

final as (

    select * from listed

)

select * from final
