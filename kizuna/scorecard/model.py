"""What the scorecard shows: plain facts read from the marts. Money is exact; shares are 0 to 1; minutes are minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

#: `segment_type` of all customers together.
OVERALL = "overall"


@dataclass(frozen=True)
class DayValue:
    day: date
    value: Decimal


@dataclass(frozen=True)
class NpsMonth:
    """NPS of one month over all customers, -100 to 100, with its 95 % interval."""

    month: date
    nps: float
    low: float | None
    high: float | None
    respondents: int
    is_complete: bool


@dataclass(frozen=True)
class CohortCell:
    """Customers of one monthly cohort who came back in period ``period`` (0 is the cohort's own month)."""

    cohort: date
    period: int
    size: int
    returned: int
    is_complete: bool


@dataclass(frozen=True)
class RiskDay:
    """Customers at high churn risk in one segment on one day."""

    segment_type: str
    segment: str
    day: date
    scored: int
    at_risk: int
    share: float
    baseline: float | None
    value_at_risk: Decimal
    is_spike: bool


@dataclass(frozen=True)
class SupportWeek:
    week: date
    contacts: int
    first_response_minutes: float | None
    is_complete: bool


@dataclass(frozen=True)
class Region:
    region: str
    customers: int
    net_revenue: Decimal
    nps: float | None
    share: float | None
    baseline: float | None
    value_at_risk: Decimal | None
    is_spike: bool


@dataclass(frozen=True)
class SourceState:
    """One source and entity: what came in, and how many days before as_of its newest event lies (company time)."""

    source: str
    entity: str
    files: int
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    last_event_at: datetime | None
    freshness_days: int | None
    raw_gate: str


@dataclass(frozen=True)
class TargetState:
    """One target of the company and how it stands. Values are in the unit of the KPI."""

    name_en: str
    name_ja: str
    unit: str
    segment: str
    period: str
    owner: str
    target: Decimal
    actual: Decimal | None
    forecast: float | None
    forecast_low: float | None
    forecast_high: float | None
    status: str


@dataclass(frozen=True)
class Undelivered:
    """Earlier messages that are not in their channel, the oldest since `since` (UTC), and why."""

    messages: int
    since: datetime
    reason: str


@dataclass(frozen=True)
class Facts:
    """Everything on one page. A part that is missing or empty is an empty tuple or None, never a zero."""

    as_of: date | None
    customers: int | None = None
    #: Known customers under the strictest and the loosest identity rules, the smaller number first.
    customers_band: tuple[int, int] | None = None
    customers_by_month: tuple[DayValue, ...] = ()
    revenue: tuple[DayValue, ...] = ()
    nps: tuple[NpsMonth, ...] = ()
    cohorts: tuple[CohortCell, ...] = ()
    risk: tuple[RiskDay, ...] = ()
    #: Why the churn scores are withheld, '' where they are not.
    risk_withheld: str = ""
    support: tuple[SupportWeek, ...] = ()
    first_response_median: float | None = None
    first_response_before: float | None = None
    regions: tuple[Region, ...] = ()
    sources: tuple[SourceState, ...] = ()
    targets: tuple[TargetState, ...] = ()
    missing: tuple[str, ...] = field(default=())

    @property
    def overall_risk(self) -> tuple[RiskDay, ...]:
        return tuple(day for day in self.risk if day.segment_type == OVERALL)

    @property
    def knows_usual(self) -> bool:
        """Whether any segment has enough history on the newest day to say what is usual."""
        return bool(self.risk) and any(d.baseline is not None for d in self.risk if d.day == self.risk[-1].day)

    @property
    def spikes(self) -> tuple[RiskDay, ...]:
        """Segments in a spike on the newest scored day, the largest share first.

        Those of other cuts than regions only where no region and not the whole company is in one: they hold the same
        customers.
        """
        if not self.risk:
            return ()
        last = max(day.day for day in self.risk)
        found = [day for day in self.risk if day.day == last and day.is_spike]
        found = [day for day in found if day.segment_type in (OVERALL, "region")] or found
        return tuple(sorted(found, key=lambda d: (d.segment_type == OVERALL, -d.share, d.segment)))
