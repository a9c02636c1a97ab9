-- Catches a score that falls into no group or into two, and an answer lost between the fact and the mart: over a kind
-- of survey the regions add up to all customers. Does not catch an answer that staging never saw.
select
    period,
    kind,
    survey_kind,
    sum(case when segment_type = 'overall' then respondents else 0 end) as all_respondents,
    sum(case when segment_type = 'region' then promoters + passives + detractors else 0 end) as grouped_respondents
from {{ ref('nps_by_period') }}
group by period, kind, survey_kind
having
    sum(case when segment_type = 'overall' then respondents else 0 end)
    <> sum(case when segment_type = 'region' then promoters + passives + detractors else 0 end)
    or sum(promoters + passives + detractors) <> sum(respondents)
