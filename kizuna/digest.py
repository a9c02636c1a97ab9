"""The KPI digest of a published version: which period it is about, its figures, and the picture of their trend.

Told once per period, whatever is built again or rolled back: the key of its message names the period.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kizuna.settings import Settings
from kizuna.versions import Publication

if TYPE_CHECKING:
    from analytics.alerts import KpiDigest

#: A week is told when the data of all its days is there, at the latest with so many days' delay.
PATIENCE = timedelta(days=2)
#: Points of the trend: 13 weeks, or 28 days.
_POINTS = {"weekly": 13, "daily": 28}


@dataclass(frozen=True)
class Trend:
    """One KPI over the newest periods: (last day, value), oldest first; all periods are over."""

    name: str
    unit: str
    points: tuple[tuple[date, Decimal], ...]


@dataclass(frozen=True)
class Period:
    """The day or the week (Monday to Sunday) a digest is about."""

    every: str
    last: date

    @property
    def days(self) -> int:
        return 7 if self.every == "weekly" else 1

    @property
    def first(self) -> date:
        return self.last - timedelta(days=self.days - 1)

    def ends(self) -> list[date]:
        """Last days of the periods of the trend, oldest first."""
        return [self.last - timedelta(days=self.days * k) for k in reversed(range(_POINTS[self.every]))]

    @property
    def key(self) -> str:
        """Key of the message."""
        year, week, _ = self.last.isocalendar()
        return f"digest:weekly:{year}-W{week:02d}" if self.every == "weekly" else f"digest:daily:{self.last}"


def period_of(every: str, day: date) -> Period | None:
    """The newest period that is over at the end of `day`; None where no digest is wanted."""
    if every == "never":
        return None
    return Period(every, day - timedelta(days=(day.weekday() + 1) % 7 if every == "weekly" else 0))


def digest_of(
    settings: Settings, shown: Publication, period: Period, *, link: str
) -> tuple[KpiDigest, list[Trend]] | None:
    """The digest of a period from a published version; None without figures, and while a week waits for its data."""
    from analytics.alerts import DigestKpi, KpiDigest

    company, as_of = settings.company, date.fromisoformat(shown.manifest["as_of"])
    definitions, rows, targets = _read(settings, shown, period)
    kpis, trends = [], []
    for kpi in company.digest.kpis:
        if kpi not in definitions:
            continue
        name, unit, aggregation, is_state = definitions[kpi]
        own = {day: parts for key, day, *parts in rows if key == kpi}
        values = [(last, _value(aggregation, is_state, own, last, period.days)) for last in period.ends()]
        points = tuple((last, value) for last, value in values if value is not None)
        if not any(value for _, value in points) or points[-1][0] != period.last:
            continue
        before = dict(points).get(period.last - timedelta(days=period.days))
        mine = [parts for day, parts in own.items() if period.first <= day <= period.last]
        whole = all(complete for _, _, complete in mine)
        kpis.append(DigestKpi(name=name, unit=unit, value=points[-1][1], before=before, whole=whole))
        trends.append(Trend(name, unit, points))
    if not kpis:
        return None
    if period.every == "weekly" and as_of - period.last < PATIENCE and not all(k.whole for k in kpis):
        return None
    digest = KpiDigest(
        every=period.every,  # type: ignore[arg-type]
        first=period.first,
        last=period.last,
        day=as_of,
        kpis=tuple(kpis),
        targets=tuple(targets),
        currency=company.currency,
        build_id=shown.manifest["build_id"],
        link=link,
    )
    return digest, trends


def trend_png(settings: Settings, trends: list[Trend], title: str) -> bytes | None:
    """The trends as one picture; None where there is nothing to draw."""
    from kizuna.scorecard import chart_png
    from kizuna.scorecard.labels import Labels
    from kizuna.scorecard.trend import trend_chart

    drawn = [(t.name, t.unit, t.points) for t in trends if len(t.points) > 1]
    if not drawn:
        return None
    return chart_png(trend_chart(drawn, Labels(settings.company.locale, settings.company.currency), title=title))


def _value(aggregation: str, is_state: bool, own: dict[date, list[Any]], last: date, days: int) -> Decimal | None:
    """As kpi_progress: sums add up, ratios are sums by sums, a state is that of its last day. None without its days."""
    wanted = [last] if is_state else [last - timedelta(days=k) for k in range(days)]
    parts = [own[day] for day in wanted if day in own]
    if not parts or min(own) > wanted[-1] or (is_state and last not in own):
        return None
    numerator = sum((Decimal(n) for n, _, _ in parts if n is not None), Decimal(0))
    denominator = sum((Decimal(d) for _, d, _ in parts if d is not None), Decimal(0))
    if aggregation == "sum":
        return numerator
    if not denominator:
        return None
    return numerator * (100 if aggregation == "nps" else 1) / denominator


def _read(settings: Settings, shown: Publication, period: Period) -> tuple[dict[str, Any], list[Any], list[Any]]:
    import duckdb

    from analytics.alerts import DigestTarget

    name = f"name_{settings.company.locale}"
    since = period.last - timedelta(days=period.days * _POINTS[period.every])
    with duckdb.connect(str(shown.folder / "cx.duckdb"), read_only=True) as db:
        # A version that an earlier release built does not say what is a state: it has no digest.
        says = {column for column, *_ in db.execute("DESCRIBE marts.kpi_definitions").fetchall()}
        listed = f"SELECT kpi, {name}, unit, aggregation, is_state FROM marts.kpi_definitions"
        definitions = {kpi: found for kpi, *found in db.execute(listed).fetchall()} if "is_state" in says else {}
        rows = db.execute(
            "SELECT kpi, day, numerator, denominator, is_complete FROM marts.kpi_daily "
            "WHERE segment_type = 'overall' AND day > ? AND day <= ? ORDER BY kpi, day",
            [since, period.last],
        ).fetchall()
        standing = db.execute(
            f"SELECT d.{name}, p.unit, segment_type, segment, period, target, actual, "
            "CAST(forecast AS DECIMAL(20, 6)), status "
            "FROM marts.kpi_progress p JOIN marts.kpi_definitions d USING (kpi) "
            "WHERE period_start <= ? AND period_end >= ? ORDER BY period_end, p.kpi, segment_type, segment, period",
            [shown.manifest["as_of"], period.first],
        ).fetchall()
    return definitions, rows, [DigestTarget(*row) for row in standing]
