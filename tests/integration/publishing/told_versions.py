"""Versions published one after another for real, with the few marts that messages are made of, and what each says."""

from __future__ import annotations

from datetime import date
from typing import Any

from kizuna.alerting import raise_alerts
from kizuna.delivery import outbox

SUNDAY = date(2026, 6, 28)
MARTS = {
    "kpi_daily": ("kpi", "segment_type", "segment", "day"),
    "kpi_definitions": ("kpi",),
    "kpi_progress": ("kpi", "segment", "period"),
    "churn_risk_daily": ("segment_type", "segment", "day"),
    "churn_risk": ("customer_id",),
    "churn_drivers_daily": ("segment",),
    "data_state": ("source",),
    "customer_360": ("customer_id",),
}
FACTS = """
create table marts.kpi_definitions as select * from (values
    ('net_revenue', 'Net revenue', '純売上', 'money', 'sum', false),
    ('csat_avg', 'CSAT', '満足度', 'score', 'ratio', false),
    ('open_interactions', 'Open contacts', '未解決', 'count', 'sum', true),
    ('nps_relational_28d', 'NPS', 'NPS', 'nps', 'nps', true)
) as d(kpi, name_en, name_ja, unit, aggregation, is_state);
create table marts.kpi_daily as
select kpi, 'overall' as segment_type, 'all' as segment, cast(day as date) as day,
    cast(case kpi when 'net_revenue' then 100 * extract(isodow from day) when 'csat_avg' then 9
        when 'open_interactions' then extract(day from day) else 3 end as decimal(20, 2)) as numerator,
    cast(case kpi when 'csat_avg' then 2 when 'nps_relational_28d' then 12 else 0 end as decimal(20, 2)) as denominator,
    day <= date '{whole_until}' as is_complete
from marts.kpi_definitions,
    range(timestamp '2026-03-01', timestamp '{as_of}' + interval 1 day, interval 1 day) as r(day);
create table marts.kpi_progress as select 'net_revenue' as kpi, 'money' as unit, 'overall' as segment_type,
    'all' as segment, '2026-06' as period, date '2026-06-01' as period_start, date '2026-06-30' as period_end,
    cast(5000 as decimal(20, 6)) as target, cast(4000 as decimal(20, 6)) as actual, 4500.5 as forecast,
    'at_risk' as status;
create table marts.churn_risk_daily as select 'overall' as segment_type, 'all' as segment, date '{as_of}' as day,
    100 as scored, 5 as at_risk, 0.05::double as share, cast(9 as decimal(18, 2)) as value_at_risk,
    0.05::double as baseline, 0.0::double as z,
    false as is_spike, 'calm' as status, true as is_complete where '{withheld}' = '';
create table marts.churn_risk as select 'c1' as customer_id, 'C-1' as display_label, 'east' as region,
    case when '{withheld}' = '' then 'low' else 'withheld' end as band, nullif('{withheld}', '') as reason;
create table marts.customer_360 as select customer_id, '30-39' as age_band, 'top 20 %' as value_tier,
    'web' as channel_preference, 'both' as device_mix from marts.churn_risk;
create table marts.churn_drivers_daily as select 'all' as segment where false;
create table marts.data_state as select * from (values
    ('shopify', timestamp '{shopify}'), ('zendesk', timestamp '{as_of}'), ('reference', null)
) as s(source, last_event_at);
"""


class Told:
    """A company whose versions are published one after another; `new` is what each said first."""

    def __init__(self, company: Any) -> None:
        self.company = company

    def version(self, as_of: date, rows: int = 3, **facts: Any) -> list[dict[str, Any]]:
        given = {"as_of": as_of, "whole_until": as_of, "shopify": as_of, "withheld": ""} | facts
        lease = self.company.lease(f"run-{as_of}-{rows}")
        try:
            build = self.company.build(lease, rows, as_of=as_of, sql=(FACTS + given.pop("more", "")).format(**given))
            self.company.publish(build, lease, MARTS)
        finally:
            lease.release()
        return self.look()

    def look(self) -> list[dict[str, Any]]:
        new = raise_alerts(self.company.store, self.company.settings)
        assert raise_alerts(self.company.store, self.company.settings) == [], "looking again says nothing new"
        with self.company.store.read() as connection:
            found = [outbox.get(connection, key) for key in new]
        return [{"key": m.key, "channel": m.channel, "text": m.payload["text"], "thread": m.thread_key,
                 "image": m.image, "lines": m.payload["blocks"]} for m in found if m is not None]  # fmt: skip


def text_of(message: dict[str, Any]) -> str:
    return str(message["lines"])
