{#- Cuts that the company asks for beside those below (kpi.segments). -#}
{%- set cuts = var('kpi_segments', []) -%}
-- depends_on: {{ ref('customer_segments') }}
with

customers as (

    select * from {{ ref('ltv_by_customer') }}

),

ages as (

    select customer_id, age_band from {{ ref('dim_customers') }}

),

segmented as (

    select 'overall' as segment_type, 'all' as segment, customers.* from customers
    union all
    select 'region', customers.region, customers.* from customers
    union all
    select 'first_channel', customers.first_channel, customers.* from customers
    union all
    select 'first_order_year', coalesce(cast(extract(year from first_order_on) as varchar), 'none'), customers.*
    from customers
    union all
    select 'age_band', ages.age_band, customers.*
    from customers
    inner join ages on customers.customer_id = ages.customer_id
    {%- for cut in cuts %}
    union all
    select '{{ cut }}', coalesce(segments.{{ cut }}, 'unknown'), customers.*
    from customers
    left join {{ ref('customer_segments') }} as segments on customers.customer_id = segments.customer_id
    {%- endfor %}

),

-- The largest buyers who together bring no more than four fifths of the net.
largest as (

    select segment_type, segment, count(*) as leading_buyers
    from {{ ref('customer_value_ranks') }}
    where net_share_cumulative <= 0.8
    group by segment_type, segment

),

totals as (

    select
        segment_type,
        segment,
        count(*) as customers,
        sum(case when orders > 0 then 1 else 0 end) as buyers,
        sum(case when orders > 1 then 1 else 0 end) as repeat_buyers,
        sum(orders) as orders,
        sum(gross) as gross,
        sum(refunds) as refunds,
        sum(net) as net,
        sum(margin) as margin,
        sum(case when predicted_12m is not null then 1 else 0 end) as customers_predicted,
        sum(coalesce(predicted_12m, 0)) as predicted_12m,
        sum(ltv) as ltv,
        sum(ltv_margin) as ltv_margin
    from segmented
    group by segment_type, segment

),

final as (

    select
        cast(totals.segment_type as varchar) as segment_type,
        cast(totals.segment as varchar) as segment,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        cast(totals.customers as bigint) as customers,
        cast(totals.buyers as bigint) as buyers,
        cast(totals.repeat_buyers as bigint) as repeat_buyers,
        cast(totals.orders as bigint) as orders,
        cast(totals.gross as decimal(18, 2)) as gross,
        cast(totals.refunds as decimal(18, 2)) as refunds,
        cast(totals.net as decimal(18, 2)) as net,
        cast(totals.margin as decimal(18, 2)) as margin,
        cast(totals.customers_predicted as bigint) as customers_predicted,
        cast(totals.predicted_12m as decimal(18, 2)) as predicted_12m,
        cast(totals.ltv as decimal(18, 2)) as ltv,
        cast(totals.ltv_margin as decimal(18, 2)) as ltv_margin,
        {{ core_ratio('totals.net', 'totals.buyers') }} as net_per_buyer,
        {{ core_ratio('totals.ltv', 'totals.buyers') }} as ltv_per_buyer,
        {{ core_ratio('totals.repeat_buyers', 'totals.buyers') }} as repeat_share,
        cast(largest.leading_buyers as bigint) as buyers_of_80_percent,
        {{ core_ratio('largest.leading_buyers', 'totals.buyers') }} as share_of_buyers_of_80_percent,
        true as is_complete
    from totals
    left join largest on totals.segment_type = largest.segment_type and totals.segment = largest.segment

)

select * from final
