with

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

unmapped as (

    select * from {{ source('identity', 'unmapped') }}

),

links as (

    select * from {{ source('identity', 'identity_links') }}

),

drops as (

    select * from {{ source('identity', 'identity_drops') }}

),

changes as (

    -- The table tells the changes of earlier builds too.
    select * from {{ source('identity', 'identity_changes') }}
    where as_of = {{ core_as_of() }}

),

clusters as (

    select
        customer_id,
        count(*) as records,
        max(case when is_known then 1 else 0 end) as is_known
    from customer_map
    group by customer_id

),

ranked_clusters as (

    select
        records,
        is_known,
        row_number() over (order by records, customer_id) as size_rank,
        count(*) over () as customers
    from clusters

),

sizes as (

    select
        count(*) as customers,
        sum(is_known) as known_customers,
        sum(case when records = 1 then 1 else 0 end) as singletons,
        sum(records) as mapped_records,
        max(records) as largest,
        -- Nearest rank: the smallest size that at least so many percent of the customers do not exceed.
        min(case when size_rank * 100 >= customers * 50 then records end) as p50,
        min(case when size_rank * 100 >= customers * 90 then records end) as p90,
        min(case when size_rank * 100 >= customers * 99 then records end) as p99
    from ranked_clusters

),

degrees as (

    select identifier_type, max(records) as records
    from (
        select identifier_type, identifier_hash, count(distinct source || '|' || record_key_hash) as records
        from links
        where identifier_hash is not null
        group by identifier_type, identifier_hash
    ) as per_identifier
    group by identifier_type

),

metrics as (

    select 'customers' as metric, 'all' as detail, cast(customers as decimal(20, 6)) as metric_value from sizes
    union all
    select 'known_customers', 'all', coalesce(known_customers, 0) from sizes
    union all
    select 'anonymous_customers', 'all', customers - coalesce(known_customers, 0) from sizes
    union all
    select 'mapped_records', 'all', coalesce(mapped_records, 0) from sizes
    union all
    select 'cluster_size_p50', 'all', p50 from sizes where customers > 0
    union all
    select 'cluster_size_p90', 'all', p90 from sizes where customers > 0
    union all
    select 'cluster_size_p99', 'all', p99 from sizes where customers > 0
    union all
    select 'cluster_size_max', 'all', largest from sizes where customers > 0
    union all
    select 'singletons', 'all', coalesce(singletons, 0) from sizes
    union all
    select 'singleton_share', 'all', {{ core_ratio('singletons', 'customers') }} from sizes where customers > 0
    union all
    select 'consolidation_rate', 'all', {{ core_ratio('mapped_records - customers', 'mapped_records') }}
    from sizes
    where mapped_records > 0
    union all
    select 'mapped_records_by_source', source, count(*) from customer_map group by source
    union all
    select 'unmapped_records', reason, count(*) from unmapped group by reason
    union all
    select 'dropped_identifiers', identifier_type || ': ' || reason, count(*)
    from drops
    group by identifier_type, reason
    union all
    select 'top_degree', identifier_type, records from degrees
    union all
    select 'links_by_rule', rule, count(*) from links group by rule
    union all
    select 'changes_since_last_build', change, count(*) from changes group by change

),

final as (

    select
        cast(metric as varchar) as metric,
        cast(detail as varchar) as detail,
        {{ core_as_of() }} as as_of,
        cast(metric_value as decimal(20, 6)) as value,
        -- Bands with their reason: one person rarely leaves more than 50 records, and 200 mean a value that many share;
        -- an identifier on 20 records is worth a look; merges and splits of published customers always are.
        cast(
            case
                when metric = 'cluster_size_max' and metric_value > 200 then 'bad'
                when metric = 'cluster_size_max' and metric_value > 50 then 'watch'
                when metric = 'top_degree' and metric_value > 100 then 'bad'
                when metric = 'top_degree' and metric_value > 20 then 'watch'
                when metric = 'changes_since_last_build' and detail in ('merged', 'split') then 'watch'
                when metric = 'unmapped_records' then 'watch'
                else 'ok'
            end as varchar
        ) as band
    from metrics

)

select * from final
