"""Facts of the scorecard from the published marts. Read-only; a missing mart is named, an empty one stays empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kizuna.scorecard.model import (
    OVERALL,
    CohortCell,
    DayValue,
    Facts,
    NpsMonth,
    Region,
    RiskDay,
    SourceState,
    SupportWeek,
    TargetState,
)

if TYPE_CHECKING:
    import duckdb

#: Marts the page reads.
MARTS = (
    "customer_360",
    "identity_bands",
    "kpi_daily",
    "nps_by_period",
    "retention_cohorts",
    "churn_risk",
    "churn_risk_daily",
    "support_interactions",
    "data_state",
)
_WINDOW = 28


def read_facts(db: Path, manifest: Mapping[str, Any], timezone: str) -> Facts:
    """Read everything the page shows from schema ``marts`` of the file ``db``. Instants are turned to ``timezone``."""
    with _marts(db) as marts:
        as_of = _as_of(marts, manifest)
        risk = _risk(marts)
        median, before = _first_response(marts, as_of)
        return Facts(
            as_of=as_of,
            customers=_customers(marts),
            customers_band=_customers_band(marts),
            customers_by_month=_customers_by_month(marts),
            revenue=_revenue(marts),
            nps=_nps(marts),
            cohorts=_cohorts(marts),
            risk=risk,
            risk_withheld=_risk_withheld(marts),
            support=_support(marts, as_of),
            first_response_median=median,
            first_response_before=before,
            regions=_regions(marts, as_of, risk),
            sources=_sources(marts, ZoneInfo(timezone)),
            targets=_targets(marts),
            missing=tuple(name for name in MARTS if name not in marts.present),
        )


def read_risk(db: Path) -> tuple[RiskDay, ...]:
    """Shares at high risk per segment and day, in the order of the days."""
    with _marts(db) as marts:
        return _risk(marts, with_contracts=True)


class _Marts:
    """Queries against marts that may not exist yet: rows of what is there, nothing of what is not."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        found = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
        self.present = frozenset(name for (name,) in found)

    def rows(self, mart: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of ``sql``, which reads only ``marts.<mart>``."""
        if mart not in self.present:
            return []
        return self._connection.execute(sql, list(values)).fetchall()


@contextmanager
def _marts(db: Path) -> Iterator[_Marts]:
    import duckdb

    connection = duckdb.connect(str(db), read_only=True)
    try:
        yield _Marts(connection)
    finally:
        connection.close()


def _as_of(marts: _Marts, manifest: Mapping[str, Any]) -> date | None:
    stated = manifest.get("as_of")
    if stated:
        return date.fromisoformat(str(stated)[:10])
    rows = marts.rows("churn_risk_daily", "select max(as_of) from marts.churn_risk_daily")
    return rows[0][0] if rows else None


def _customers(marts: _Marts) -> int | None:
    rows = marts.rows("customer_360", "select count(*) from marts.customer_360 where is_known")
    return int(rows[0][0]) if rows else None


def _customers_band(marts: _Marts) -> tuple[int, int] | None:
    sql = "select low, high from marts.identity_bands where kpi = 'known_customers' and ruleset = 'default'"
    rows = marts.rows("identity_bands", sql)
    return (int(rows[0][0]), int(rows[0][1])) if rows else None


def _customers_by_month(marts: _Marts) -> tuple[DayValue, ...]:
    """Known customers seen until the end of each month."""
    sql = """
        select cast(date_trunc('month', first_seen_at) as date) as month, count(*)
        from marts.customer_360 where is_known and first_seen_at is not null group by month order by month
    """
    total, found = 0, []
    for month, added in marts.rows("customer_360", sql):
        total += int(added)
        found.append(DayValue(month, Decimal(total)))
    return tuple(found)


def _revenue(marts: _Marts) -> tuple[DayValue, ...]:
    sql = """
        select day, cast(numerator as decimal(38, 2)) from marts.kpi_daily
        where kpi = 'net_revenue' and segment_type = ? and numerator is not null order by day
    """
    return tuple(DayValue(day, value) for day, value in marts.rows("kpi_daily", sql, OVERALL))


def _nps(marts: _Marts) -> tuple[NpsMonth, ...]:
    """The relational survey where there is one, else the kind with most answers: the two are never mixed."""
    sql = """
        with kinds as (
            select survey_kind, row_number() over (
                order by (survey_kind = 'relational') desc nulls last, sum(respondents) desc, survey_kind
            ) as place
            from marts.nps_by_period where segment_type = ? group by survey_kind
        )
        select period, nps, ci_low, ci_high, respondents, is_complete
        from marts.nps_by_period
        where segment_type = ? and respondents > 0
            and survey_kind is not distinct from (select survey_kind from kinds where place = 1)
        order by period
    """
    return tuple(NpsMonth(*row) for row in marts.rows("nps_by_period", sql, OVERALL, OVERALL))


def _cohorts(marts: _Marts) -> tuple[CohortCell, ...]:
    sql = """
        select cohort_month, period_number, cohort_size, returned, is_complete from marts.retention_cohorts
        where definition = 'first_order_month' order by cohort_month, period_number
    """
    return tuple(CohortCell(*row) for row in marts.rows("retention_cohorts", sql))


def _risk(marts: _Marts, *, with_contracts: bool = False) -> tuple[RiskDay, ...]:
    """The page tells of buyers; contracts are a segment that nobody else is part of."""
    chosen = "true" if with_contracts else "segment_type <> 'contracts'"
    sql = f"""
        select segment_type, segment, day, scored, at_risk, share, baseline, value_at_risk, is_spike
        from marts.churn_risk_daily where share is not null and {chosen} order by day, segment_type, segment
    """
    return tuple(RiskDay(*row) for row in marts.rows("churn_risk_daily", sql))


def _risk_withheld(marts: _Marts) -> str:
    """Why most of the withheld scores are, '' where none is."""
    sql = """
        select reason from marts.churn_risk where band = 'withheld' and kind = 'non_contractual'
        group by reason order by count(*) desc, reason limit 1
    """
    rows = marts.rows("churn_risk", sql)
    return str(rows[0][0]) if rows else ""


def _support(marts: _Marts, as_of: date | None) -> tuple[SupportWeek, ...]:
    """Weeks over all channels: medians of channels cannot be added up, so they are taken from the interactions."""
    sql = """
        select
            cast(date_trunc('week', opened_on) as date) as week,
            count(*),
            round(median(first_response_minutes), 2)
        from marts.support_interactions
        where opened_on is not null and continues_interaction_id is null and is_owner
        group by week order by week
    """
    end = as_of or date.max
    return tuple(
        SupportWeek(week, int(contacts), _float(minutes), week + timedelta(days=6) <= end)
        for week, contacts, minutes in marts.rows("support_interactions", sql)
    )


def _first_response(marts: _Marts, as_of: date | None) -> tuple[float | None, float | None]:
    """Median minutes of the 28 days up to as_of, and of the 28 before."""
    if as_of is None:
        return None, None
    sql = """
        select
            round(median(first_response_minutes) filter (where opened_on > ?), 2),
            round(median(first_response_minutes) filter (where opened_on <= ?), 2)
        from marts.support_interactions
        where opened_on > ? and opened_on <= ? and continues_interaction_id is null
    """
    middle, start = as_of - timedelta(days=_WINDOW), as_of - timedelta(days=2 * _WINDOW)
    rows = marts.rows("support_interactions", sql, middle, middle, start, as_of)
    return (_float(rows[0][0]), _float(rows[0][1])) if rows else (None, None)


def _targets(marts: _Marts) -> tuple[TargetState, ...]:
    """Targets by their end, then KPI, those of all customers first. Empty where the company has none."""
    sql = """
        select name_en, name_ja, p.unit, segment, period, owner, target, actual, forecast, forecast_low, forecast_high,
            status
        from marts.kpi_progress as p inner join marts.kpi_definitions as d on p.kpi = d.kpi
        order by period_end, p.kpi, segment_type, segment, period
    """
    return tuple(TargetState(*row) for row in marts.rows("kpi_progress", sql))


def _regions(marts: _Marts, as_of: date | None, risk: tuple[RiskDay, ...]) -> tuple[Region, ...]:
    """Regions by net revenue of the last 28 days, then customers; a region without customers is not shown."""
    counted = marts.rows(
        "customer_360",
        "select coalesce(region, 'unknown'), count(*) from marts.customer_360 where is_known group by 1 order by 1",
    )
    end = as_of or date.max
    revenue_sql = """
        select segment, cast(sum(cast(numerator as decimal(38, 2))) as decimal(38, 2)) from marts.kpi_daily
        where kpi = 'net_revenue' and segment_type = 'region' and day > ? and day <= ? group by segment
    """
    revenue = dict(marts.rows("kpi_daily", revenue_sql, end - timedelta(days=_WINDOW), end))
    nps_sql = """
        select segment, nps from marts.nps_by_period
        where segment_type = 'region' and is_complete and respondents > 0
            and period = (select max(period) from marts.nps_by_period where is_complete)
        order by respondents, survey_kind desc
    """
    nps = {segment: float(value) for segment, value in marts.rows("nps_by_period", nps_sql)}
    newest = max((d.day for d in risk), default=None)
    at_risk = {d.segment: d for d in risk if d.segment_type == "region" and d.day == newest}
    found = []
    for name, customers in counted:
        day = at_risk.get(name)
        found.append(
            Region(
                region=name,
                customers=int(customers),
                net_revenue=revenue.get(name, Decimal(0)),
                nps=nps.get(name),
                share=day.share if day else None,
                baseline=day.baseline if day else None,
                value_at_risk=day.value_at_risk if day else None,
                is_spike=bool(day and day.is_spike),
            )
        )
    return tuple(sorted(found, key=lambda r: (r.region == "unknown", -r.net_revenue, -r.customers, r.region)))


def _sources(marts: _Marts, zone: ZoneInfo) -> tuple[SourceState, ...]:
    sql = """
        select
            source, entity, files, rows_in, accepted, quarantined, duplicates,
            last_event_at, freshness_days, raw_gate
        from marts.data_state order by source, entity
    """
    return tuple(
        SourceState(
            source=source,
            entity=entity,
            files=int(files),
            rows_in=int(rows_in),
            accepted=int(accepted),
            quarantined=int(quarantined),
            duplicates=int(duplicates),
            last_event_at=_local(last, zone),
            freshness_days=None if days is None else int(days),
            raw_gate=gate,
        )
        for source, entity, files, rows_in, accepted, quarantined, duplicates, last, days, gate in marts.rows(
            "data_state", sql
        )
    )


def _local(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
