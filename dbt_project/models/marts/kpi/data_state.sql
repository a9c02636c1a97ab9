with

batches as (

    select * from {{ source('raw', 'batches') }}

),

verdicts as (

    select
        replace(relation, 'raw.', '') as relation,
        outcome,
        row_number() over (
            partition by replace(relation, 'raw.', '')
            order by {{ adapter.quote('at') }} desc, outcome
        ) as verdict_rank
    from {{ source('raw', 'gate_verdicts') }}
    where gate like 'raw%'

),

ranked as (

    select
        batches.*,
        replace(relation, 'raw.', '') as relation_name,
        row_number() over (
            partition by source, entity
            order by last_event_at desc nulls last, loaded_at desc nulls last, file desc
        ) as file_rank
    from batches

),

totals as (

    select
        source,
        entity,
        min(relation_name) as relation,
        count(*) as files,
        max(case when file_rank = 1 then file end) as last_file,
        min(first_event_at) as first_event_at,
        max(last_event_at) as last_event_at,
        sum(rows_in) as rows_in,
        sum(accepted) as accepted,
        sum(quarantined) as quarantined,
        sum(duplicates) as duplicates,
        coalesce(sum(doubled_rows), 0) as rows_in_doubled_hours,
        min(doubled_taken) as first_taken,
        max(doubled_taken) as last_taken
    from ranked
    group by source, entity

),

final as (

    select
        cast(totals.source as varchar) as source,
        cast(totals.entity as varchar) as entity,
        cast(totals.relation as varchar) as relation,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        totals.files,
        cast(totals.last_file as varchar) as last_file,
        cast(totals.first_event_at as timestamp) as first_event_at,
        cast(totals.last_event_at as timestamp) as last_event_at,
        {{ local_date('totals.last_event_at') }} as last_event_on,
        -- Against as_of, never against the clock. An event after as_of does not make a source fresher than fresh.
        case
            when {{ local_date('totals.last_event_at') }} >= {{ core_as_of() }} then cast(0 as bigint)
            else {{ days_between(local_date('totals.last_event_at'), core_as_of()) }}
        end as freshness_days,
        cast(totals.rows_in as bigint) as rows_in,
        cast(totals.accepted as bigint) as accepted,
        cast(totals.quarantined as bigint) as quarantined,
        cast(totals.duplicates as bigint) as duplicates,
        {{ core_ratio('totals.quarantined', 'totals.rows_in') }} as quarantined_share,
        cast(totals.rows_in_doubled_hours as bigint) as rows_in_doubled_hours,
        cast(
            case when totals.first_taken = totals.last_taken then totals.first_taken
                when totals.first_taken is not null then 'first and second'
            end as varchar
        ) as doubled_hours_taken,
        cast(coalesce(verdicts.outcome, 'no verdict') as varchar) as raw_gate
    from totals
    left join verdicts on totals.relation = verdicts.relation and verdicts.verdict_rank = 1

)

select * from final
