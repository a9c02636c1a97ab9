-- Catches a changed value of which a part is told by no cause, or told twice. Does not catch a part that is told by the
-- wrong cause.
select
    build_number,
    kpi,
    segment_type,
    segment,
    day,
    sum(effect) as explained,
    min(coalesce(value_after, 0) - coalesce(value_before, 0)) as difference
from {{ ref('kpi_restatements') }}
group by build_number, kpi, segment_type, segment, day
having sum(effect) <> min(coalesce(value_after, 0) - coalesce(value_before, 0))
