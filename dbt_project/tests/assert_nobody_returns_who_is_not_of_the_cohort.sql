{{ config(meta={'dagster': {'ref': {'name': 'retention_within_days'}}}) }}
-- Catches returned and lost that are not the cohort, a first period in which not everybody was there, an unbounded
-- return that rises with time, a cohort whose size changes from row to row, and segments that are not everybody. Does
-- not judge who belongs to a cohort. Whoever signed up may never have been active.
with cohorts as (
    select
        retention.*,
        lag(returned_unbounded) over (
            partition by definition, segment_type, segment, cohort order by period_number
        ) as returned_unbounded_before,
        max(cohort_size) over (partition by definition, segment_type, segment, cohort) as largest_size
    from {{ ref('int_retention') }} as retention
),

broken as (
    select definition, cohort, period_number, 'a cohort' as what
    from cohorts
    where
        returned + lost <> cohort_size
        or returned < 0
        or lost < 0
        or returned > returned_unbounded
        or returned_unbounded > returned_unbounded_before
        or (
            period_number = 0
            and cohort_by <> 'sign_up'
            and (returned <> cohort_size or returned_unbounded <> cohort_size)
        )
        or net_kept > greatest(net, 0)
        or cohort_size <> largest_size
),

segments as (
    select definition, cohort, period_number, segment_type, sum(returned) as returned, sum(lost) as lost
    from cohorts
    where grain in ('month', 'year')
    group by definition, cohort, period_number, segment_type
),

unequal as (
    select parts.definition, parts.cohort, parts.period_number, 'segments'
    from segments as parts
    inner join segments as whole
        on parts.definition = whole.definition
        and parts.cohort = whole.cohort
        and parts.period_number = whole.period_number
        and whole.segment_type = 'overall'
    where parts.returned <> whole.returned or parts.lost <> whole.lost
),

windows as (
    select cohort_by, cohort_month, window_days, 'windows'
    from {{ ref('retention_within_days') }}
    where returned + lost <> cohort_size or returned < 0 or lost < 0
)

select * from broken
union all
select * from unequal
union all
select * from windows
