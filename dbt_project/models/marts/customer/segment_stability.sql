{%- set schemes = [
    'lifecycle_segment', 'value_tier', 'rfm_segment', 'age_band', 'region', 'channel_preference', 'device_mix'
] -%}
with

now_published as (

    select * from {{ ref('customer_360') }} where is_known

),

shown_before as (

    select * from {{ source('state', 'customer_360') }} where is_known

),

before as (

    select * from {{ source('state', 'published_build') }}

),

-- A scheme that the version before did not have yet is compared with nothing.
paired as (

    {% for scheme in schemes -%}
    {{ 'union all' if not loop.first }}
    select
        '{{ scheme }}' as scheme,
        coalesce(o.{{ scheme }}, 'unknown') as old_segment,
        coalesce(n.{{ scheme }}, 'unknown') as new_segment,
        n.customer_id is not null and o.customer_id is not null as is_in_both,
        o.customer_id is not null as is_in_old,
        n.customer_id is not null as is_in_new
    from now_published as n
    full outer join (
        select * from shown_before where exists (select 1 from shown_before where {{ scheme }} is not null)
    ) as o on n.customer_id = o.customer_id
    {% endfor %}

),

listed as (

    select scheme, 'all' as segment, is_in_both, is_in_old, is_in_new, old_segment = new_segment as is_same,
        true as was_here, true as is_here
    from paired
    union all
    select scheme, new_segment, is_in_both, is_in_old, is_in_new, old_segment = new_segment,
        is_in_old and old_segment = new_segment, true
    from paired
    where is_in_new
    union all
    select scheme, old_segment, is_in_both, is_in_old, is_in_new, false, true, false
    from paired
    where is_in_old and (not is_in_new or old_segment <> new_segment)

),

counted as (

    select
        scheme,
        segment,
        sum(case when is_in_new and is_here then 1 else 0 end) as customers,
        sum(case when is_in_both and was_here then 1 else 0 end) as customers_before,
        sum(case when is_in_both and was_here and not is_same then 1 else 0 end) as changed
    from listed
    group by scheme, segment

),

final as (

    select
        cast(counted.scheme as varchar) as scheme,
        cast(counted.segment as varchar) as segment,
        {{ core_as_of() }} as as_of,
        before.as_of as compared_as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(counted.customers as bigint) as customers,
        cast(counted.customers_before as bigint) as customers_before,
        cast(counted.changed as bigint) as changed,
        {{ core_ratio('counted.changed', 'counted.customers_before') }} as changed_share,
        before.as_of is not null as is_complete
    from counted
    left join before on 1 = 1

)

select * from final
