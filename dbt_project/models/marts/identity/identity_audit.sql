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

bridges as (

    select * from {{ source('identity', 'identity_bridges') }}

),

source_records as (

    select * from {{ ref('source_records') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

golden as (

    select * from {{ ref('golden_attributes') }}

),

-- The table tells the changes of earlier builds too.
changes as (

    select change, customer_id, other_customer_id from {{ source('identity', 'identity_changes') }}
    except
    select change, customer_id, other_customer_id from {{ source('state', 'identity_changes') }}

),

previous as (

    select metric, detail, value from {{ source('state', 'identity_audit') }}

),

-- What became of the ids that readers know.
published_ids as (

    select distinct customer_id from {{ source('state', 'customer_identifiers') }}

),

lost_ids as (

    select customer_id from published_ids
    except
    select customer_id from customer_map

),

changed_ids as (

    select customer_id from lost_ids
    union
    select published_ids.customer_id
    from published_ids
    inner join changes on published_ids.customer_id = changes.other_customer_id
    where changes.change in ('merged', 'split')

),

churn as (

    select
        (select count(*) from published_ids) as published,
        (select count(*) from lost_ids) as lost,
        (select count(*) from changed_ids) as changed

),

devices as (

    select
        count(*) as devices,
        coalesce(sum(case when map.is_known then 1 else 0 end), 0) as known
    from source_records
    left join customer_map as map
        on source_records.source = map.source and source_records.record_key = map.record_key
    where source_records.entity = 'device'

),

web as (

    select
        count(*) as sessions,
        coalesce(sum(case when attribution <> 'anonymous' then 1 else 0 end), 0) as known
    from sessions

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

-- The value of each type that most records carry, by its pseudonym.
degrees as (

    select identifier_type, identifier_hash, records
    from (
        select
            per_identifier.*,
            row_number() over (partition by identifier_type order by records desc, identifier_hash) as degree_rank
        from (
            select identifier_type, identifier_hash, count(distinct source || '|' || record_key_hash) as records
            from links
            where identifier_hash is not null
            group by identifier_type, identifier_hash
        ) as per_identifier
    ) as ranked
    where degree_rank = 1

),

metrics as (

    select
        'customers' as metric,
        'all' as detail,
        cast(customers as decimal(20, 6)) as value,
        cast(null as varchar) as about
    from sizes
    union all
    select 'known_customers', 'all', coalesce(known_customers, 0), null from sizes
    union all
    select 'anonymous_customers', 'all', customers - coalesce(known_customers, 0), null from sizes
    union all
    select 'mapped_records', 'all', coalesce(mapped_records, 0), null from sizes
    union all
    select 'cluster_size_p50', 'all', p50, null from sizes where customers > 0
    union all
    select 'cluster_size_p90', 'all', p90, null from sizes where customers > 0
    union all
    select 'cluster_size_p99', 'all', p99, null from sizes where customers > 0
    union all
    select 'cluster_size_max', 'all', largest, null from sizes where customers > 0
    union all
    select 'singletons', 'all', coalesce(singletons, 0), null from sizes
    union all
    select 'singleton_share', 'all', {{ core_ratio('singletons', 'customers') }}, null from sizes where customers > 0
    union all
    select 'consolidation_rate', 'all', {{ core_ratio('mapped_records - customers', 'mapped_records') }}, null
    from sizes
    where mapped_records > 0
    union all
    select 'mapped_records_by_source', source, count(*), null from customer_map group by source
    union all
    select 'unmapped_records', reason, count(*), null from unmapped group by reason
    union all
    select 'dropped_identifiers', identifier_type || ': ' || reason, count(*), null
    from drops
    group by identifier_type, reason
    union all
    select 'top_degree', identifier_type, records, 'The value is ' || identifier_hash || '.' from degrees
    union all
    select 'bridges', identifier_type, count(*), null from bridges group by identifier_type
    union all
    select 'links_by_rule', rule, count(*), null from links group by rule
    union all
    select 'attribute_conflicts', attribute, sum(case when distinct_values > 1 then 1 else 0 end), null
    from golden
    group by attribute
    union all
    select 'device_stitch_rate', 'all', {{ core_ratio('known', 'devices') }}, null from devices where devices > 0
    union all
    select 'session_stitch_rate', 'all', {{ core_ratio('known', 'sessions') }}, null from web where sessions > 0
    union all
    select 'anonymous_sessions', 'all', sessions - known, null from web
    union all
    select 'changes_since_last_build', change, count(*), null from changes group by change
    union all
    select 'published_ids_lost', 'all', lost, null from churn
    union all
    select 'published_ids_changed', 'all', changed, null from churn
    union all
    select 'published_ids_unchanged_share', 'all', {{ core_ratio('published - changed', 'published') }}, null
    from churn
    where published > 0

),

-- Why a metric is looked at, and from where on it is worth a look or wrong; NULL where it has no such border.
-- `side`: a value is wrong above its borders, below them, or where it moved by more than them since the last build.
borders as (

    select
        cast(metric as varchar) as metric,
        cast(side as varchar) as side,
        cast(watch as double) as watch,
        cast(bad as double) as bad,
        cast(reason as varchar) as reason
    from (
        values
        ('cluster_size_max', 'above', 50, 200,
            'One person rarely leaves more than 50 records; 200 mean a value that many people share.'),
        ('top_degree', 'above', 20, 100,
            'A value on more than 20 records is worth a look: a family, an office, or one that should be blocked.'),
        ('bridges', 'above', 0, null,
            'Values without which a customer would fall into two big parts: one of them may be somebody else.'),
        ('unmapped_records', 'above', 0, null, 'Records that are nobody''s, with the reason as detail.'),
        ('dropped_identifiers', 'above', null, null,
            'Identifiers that were not used as evidence, with type and reason as detail.'),
        ('attribute_conflicts', 'above', null, null, 'Customers whose records contradict each other on the attribute.'),
        ('device_stitch_rate', 'moved', {{ var('max_stitch_change') }} / 2.0, {{ var('max_stitch_change') }},
            'Devices that lead to a known customer; a step means that log-ins are missing or tie too much.'),
        ('session_stitch_rate', 'moved', {{ var('max_stitch_change') }} / 2.0, {{ var('max_stitch_change') }},
            'Sessions that lead to a known customer; a step means that log-ins are missing or tie too much.'),
        ('anonymous_sessions', 'above', null, null, 'Sessions of which no person is known: counted, and left so.'),
        ('published_ids_lost', 'above', 0, null, 'Published ids of which no evidence is left, or that were merged.'),
        ('published_ids_changed', 'above', null, null, 'Published ids that were merged, split or lost in this build.'),
        ('published_ids_unchanged_share', 'below', 0.999, 1 - {{ var('max_id_churn') }},
            'Whoever joins on published ids relies on them; a day''s news changes one in a thousand at most.'),
        ('singleton_share', 'moved', 0.1, null, 'Customers with one record; a step means that evidence appeared or vanished.'),
        ('consolidation_rate', 'moved', 0.05, null,
            'Records that are not the first of their customer; a step means that evidence appeared or vanished.')
    ) as listed (metric, side, watch, bad, reason)

),

measured as (

    select
        metrics.metric,
        metrics.detail,
        cast(metrics.value as decimal(20, 6)) as value,
        previous.value as previous_value,
        metrics.about,
        case
            when borders.side = 'above' then cast(metrics.value as double)
            when borders.side = 'below' then -cast(metrics.value as double)
            when borders.side = 'moved' then abs(cast(metrics.value - previous.value as double))
        end as judged,
        case when borders.side = 'below' then -borders.watch else borders.watch end as watch,
        case when borders.side = 'below' then -borders.bad else borders.bad end as bad,
        case
            when metrics.metric = 'changes_since_last_build' and metrics.detail <> 'created'
            then 'Merges, splits and ends of published customers, each told in identity_changes.'
            else borders.reason
        end as reason,
        metrics.metric = 'changes_since_last_build' and metrics.detail <> 'created' as always_watched
    from metrics
    left join borders on metrics.metric = borders.metric
    left join previous on metrics.metric = previous.metric and metrics.detail = previous.detail

),

final as (

    select
        cast(metric as varchar) as metric,
        cast(detail as varchar) as detail,
        {{ core_as_of() }} as as_of,
        value,
        cast(previous_value as decimal(20, 6)) as previous_value,
        cast(
            case
                when judged > bad then 'bad'
                when judged > watch or always_watched then 'watch'
                else 'ok'
            end as varchar
        ) as band,
        cast(nullif(trim(coalesce(reason, '') || ' ' || coalesce(about, '')), '') as varchar) as reason,
        cast('{{ var("timezone") }}' as varchar) as timezone
    from measured

)

select * from final
