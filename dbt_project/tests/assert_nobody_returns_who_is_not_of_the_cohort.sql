-- Catches returns above the size of their cohort, a first month in which not everybody was there, an unbounded return
-- rate that rises with time, and a cohort whose size changes from row to row. Does not judge who belongs to a cohort.
with cohorts as (
    select
        definition,
        cohort_month,
        period_number,
        cohort_size,
        returned,
        returned_unbounded,
        lag(returned_unbounded) over (
            partition by definition, cohort_month order by period_number
        ) as returned_unbounded_before,
        max(cohort_size) over (partition by definition, cohort_month) as largest_size
    from {{ ref('retention_cohorts') }}
)

select *
from cohorts
where
    returned > cohort_size
    or returned > returned_unbounded
    or returned_unbounded > returned_unbounded_before
    or (period_number = 0 and (returned <> cohort_size or returned_unbounded <> cohort_size))
    or cohort_size <> largest_size
