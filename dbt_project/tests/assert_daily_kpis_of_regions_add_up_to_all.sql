-- Catches a region that is missing from, or doubled in, the daily KPIs: every KPI that is a sum or a count is the same
-- over all customers as over the regions. Medians have no parts; the share at high risk is judged by its own mart.
select
    kpi,
    day,
    sum(case when segment_type = 'overall' then numerator else 0 end) as overall_numerator,
    sum(case when segment_type = 'region' then numerator else 0 end) as region_numerator
from {{ ref('kpi_daily') }}
where kpi not in ('first_response_median_minutes', 'high_risk_share', 'value_at_risk')
group by kpi, day
having
    sum(case when segment_type = 'overall' then numerator else 0 end)
    <> sum(case when segment_type = 'region' then numerator else 0 end)
    or sum(case when segment_type = 'overall' then coalesce(denominator, 0) else 0 end)
    <> sum(case when segment_type = 'region' then coalesce(denominator, 0) else 0 end)
