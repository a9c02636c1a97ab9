with

buyers as (

    select * from {{ ref('ltv_by_customer') }}
    where orders > 0

),

segmented as (

    select 'overall' as segment_type, 'all' as segment, customer_id, net from buyers
    {% for segment in ['region', 'first_channel'] -%}
    union all
    select '{{ segment }}', {{ segment }}, customer_id, net from buyers
    {% endfor %}
),

ranked as (

    select
        segment_type,
        segment,
        customer_id,
        net,
        row_number() over (partition by segment_type, segment order by net desc, customer_id) as net_rank,
        count(*) over (partition by segment_type, segment) as buyers,
        sum(net) over (partition by segment_type, segment) as net_of_segment,
        sum(net) over (
            partition by segment_type, segment
            order by net desc, customer_id
            rows between unbounded preceding and current row
        ) as net_cumulative
    from segmented

),

final as (

    select
        customer_id,
        cast(segment_type as varchar) as segment_type,
        cast(segment as varchar) as segment,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast('{{ var("currency") }}' as varchar) as currency,
        cast(net_rank as bigint) as net_rank,
        cast(buyers as bigint) as buyers,
        net,
        cast(net_cumulative as decimal(18, 2)) as net_cumulative,
        -- Fifteen decimals: among a million customers the sixth says nothing, and readers round on.
        case
            when net_of_segment > 0 then round(cast(net as double) / cast(net_of_segment as double), 15)
        end as net_share,
        case
            when net_of_segment > 0 then round(cast(net_cumulative as double) / cast(net_of_segment as double), 15)
        end as net_share_cumulative,
        {{ core_ratio('net_rank', 'buyers') }} as buyers_share,
        true as is_complete
    from ranked

)

select * from final
