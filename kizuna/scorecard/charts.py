"""The charts, each one Altair specification that serves both the page (SVG) and Slack (PNG).

Colours keep their meaning everywhere and differ in lightness too, so that they survive grey print and colour blindness:
teal is what happened, grey is the surroundings, red is a spike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from kizuna.fonts import CHART_FONT
from kizuna.scorecard.labels import Labels
from kizuna.scorecard.model import OVERALL, CohortCell, DayValue, NpsMonth, RiskDay, SupportWeek

Spec = dict[str, Any]

INK, MUTED, GRID = "#1f2a37", "#64748b", "#e5e9ee"
TEAL, PALE_TEAL, GREY, RED = "#0f6e78", "#a9d3d3", "#b6c0cb", "#c2183c"

WEEKS_SHOWN = 52
MONTHS_SHOWN = 18
COHORTS_SHOWN = 12
PERIODS_SHOWN = 12
RISK_DAYS_SHOWN = 70
#: Highest share from which an axis of whole percents has ticks of its own.
_WHOLE_PERCENTS = 0.05


def finish(chart: Any) -> Spec:
    """Plain dictionary with the common look; the schema address is dropped, since nothing is fetched by it."""
    configured = chart.configure(font=CHART_FONT, background="#ffffff", padding=4).configure_view(stroke=None)
    configured = configured.configure_axis(
        labelColor=MUTED,
        titleColor=MUTED,
        gridColor=GRID,
        domainColor=GRID,
        tickColor=GRID,
        labelFontSize=11,
        titleFontSize=11,
        titleFontWeight="normal",
        domain=False,
        ticks=False,
        labelPadding=6,
        titlePadding=10,
    ).configure_title(color=INK, fontSize=14, anchor="start", fontWeight="normal", offset=10)
    spec: Spec = configured.to_dict()
    spec.pop("$schema", None)
    return spec


def inline_rows(values: Sequence[dict[str, Any]]) -> Any:
    """The rows as data inside the specification, so that a picture needs no file."""
    import altair as alt

    data: Any = alt.Data
    return data(values=list(values))


def _title(title: str | None) -> dict[str, Any]:
    return {"title": title} if title else {}


def money_axis(labels: Labels) -> str:
    """Expression of an axis label: 万 and 億, or K and M."""
    if labels.locale == "ja":
        return (
            "abs(datum.value) >= 1e8 ? format(datum.value / 1e8, ',~r') + '億' : "
            "abs(datum.value) >= 1e4 ? format(datum.value / 1e4, ',~r') + '万' : format(datum.value, ',~r')"
        )
    return "replace(format(datum.value, '~s'), 'G', 'B')"


def _month_axis(labels: Labels) -> dict[str, Any]:
    """January shows its year, the other months only themselves."""
    month = "utcFormat(datum.value, '%-m') + '月'" if labels.locale == "ja" else "utcFormat(datum.value, '%b')"
    first = "utcmonth(datum.value) == 0"
    year = "utcFormat(datum.value, '%Y')" + (" + '年'" if labels.locale == "ja" else "")
    return {"labelExpr": f"{first} ? [{month}, {year}] : {month}", "labelOverlap": True, "grid": False, "title": None}


def _day_axis(labels: Labels) -> dict[str, Any]:
    form = "%-m/%-d" if labels.locale == "ja" else "%-d %b"
    return {"format": form, "labelOverlap": True, "grid": False, "title": None, "tickCount": 8}


def weekly(revenue: Sequence[DayValue], as_of: date) -> list[tuple[date, Decimal, bool]]:
    """(Monday, exact sum, whole week) for the newest weeks, without a first week that the data cuts."""
    first = min((d.day for d in revenue), default=as_of)
    totals: dict[date, Decimal] = {}
    for entry in revenue:
        monday = entry.day - timedelta(days=entry.day.weekday())
        totals[monday] = totals.get(monday, Decimal(0)) + entry.value
    return [
        (monday, total, monday + timedelta(days=6) <= as_of)
        for monday, total in sorted(totals.items())
        if monday >= first
    ][-WEEKS_SHOWN:]


def revenue_chart(
    revenue: Sequence[DayValue], as_of: date, labels: Labels, *, width: int = 1000, title: str | None = None
) -> Spec:
    """Net revenue by week."""
    import altair as alt

    rows = [{"week": w.isoformat(), "net": float(net), "whole": whole} for w, net, whole in weekly(revenue, as_of)]
    band = max(2.0, width / max(len(rows), 12) * 0.72)
    chart = (
        alt.Chart(inline_rows(rows))
        .mark_bar(size=min(band, 26), cornerRadiusEnd=2)
        .encode(
            x=alt.X(
                "week:T",
                scale=alt.Scale(type="utc", padding=12),
                axis=alt.Axis(tickCount="month", **_month_axis(labels)),
            ),
            y=alt.Y("net:Q", axis=alt.Axis(title=None, labelExpr=money_axis(labels), tickCount=5)),
            color=alt.condition("datum.whole", alt.value(TEAL), alt.value(PALE_TEAL)),
        )
        .properties(width=width, height=200, **_title(title))
    )
    return finish(chart)


def nps_chart(months: Sequence[NpsMonth], labels: Labels, *, width: int = 460, title: str | None = None) -> Spec:
    """NPS by month with its 95 % interval."""
    import altair as alt

    rows = [
        {
            "month": m.month.isoformat(),
            "nps": m.nps,
            "low": m.nps if m.low is None else m.low,
            "high": m.nps if m.high is None else m.high,
            "whole": m.is_complete,
        }
        for m in months[-MONTHS_SHOWN:]
    ]
    low = min([0.0, *(float(r["low"]) for r in rows)])  # type: ignore[arg-type]
    high = max([0.0, *(float(r["high"]) for r in rows)])  # type: ignore[arg-type]
    x = alt.X(
        "month:T", scale=alt.Scale(type="utc", padding=14), axis=alt.Axis(tickCount="month", **_month_axis(labels))
    )
    y = alt.Scale(domain=[low, high], nice=True)
    base = alt.Chart(inline_rows(rows))
    zero = alt.Chart(inline_rows([{"y": 0}])).mark_rule(color=MUTED, strokeWidth=1).encode(y="y:Q")
    interval = base.mark_rule(color=PALE_TEAL, strokeWidth=5, strokeCap="round").encode(
        x=x, y=alt.Y("low:Q", scale=y, axis=alt.Axis(title=None, tickCount=6)), y2="high:Q"
    )
    line = base.transform_filter("datum.whole").mark_line(color=TEAL, strokeWidth=2).encode(x=x, y="nps:Q")
    point = base.mark_point(filled=True, size=52, stroke=TEAL, strokeWidth=2, opacity=1).encode(
        x=x, y="nps:Q", fill=alt.condition("datum.whole", alt.value(TEAL), alt.value("#ffffff"))
    )
    return finish((zero + interval + line + point).properties(width=width, height=230, **_title(title)))


def retention_chart(cells: Sequence[CohortCell], labels: Labels, *, width: int = 460, title: str | None = None) -> Spec:
    """Heat map of cohorts; only periods that have ended are drawn."""
    import altair as alt

    cohorts = sorted({c.cohort for c in cells})[-COHORTS_SHOWN:]
    shown = [c for c in cells if c.cohort in cohorts and 1 <= c.period <= PERIODS_SHOWN and c.is_complete and c.size]
    rows = [
        {"cohort": c.cohort.isoformat(), "name": f"{c.cohort:%Y-%m}", "period": c.period, "rate": c.returned / c.size}
        for c in shown
    ]
    top = max((float(r["rate"]) for r in rows), default=1.0)  # type: ignore[arg-type]
    names = [f"{c:%Y-%m}" for c in cohorts]
    base = alt.Chart(inline_rows(rows)).encode(
        x=alt.X("period:O", axis=alt.Axis(title=labels["axis_period"], labelAngle=0, orient="top", grid=False)),
        y=alt.Y("name:O", sort=names, axis=alt.Axis(title=labels["axis_cohort"], grid=False)),
    )
    colour = alt.Color("rate:Q", scale=alt.Scale(domain=[0, top], range=["#f1f7f7", TEAL]), legend=None)
    cell = base.mark_rect(stroke="#ffffff", strokeWidth=2, cornerRadius=3).encode(color=colour)
    text = base.mark_text(fontSize=10).encode(
        text=alt.Text("rate:Q", format=".0%"),
        color=alt.condition(f"datum.rate > {top * 0.55:.6f}", alt.value("#ffffff"), alt.value(INK)),
    )
    return finish((cell + text).properties(width=width, height=230, **_title(title)))


def risk_chart(
    risk: Sequence[RiskDay],
    labels: Labels,
    *,
    segment_type: str = "region",
    highlight: str | None = None,
    width: int = 460,
    title: str | None = None,
) -> Spec:
    """Share at high risk by segment; the highlighted one in red with its usual level, the others as grey surroundings.

    Without ``highlight`` the segment in a spike on the newest day is taken, else the line of all customers stands out.
    """
    import altair as alt

    last = max((d.day for d in risk), default=date.min)
    recent = [d for d in risk if d.day > last - timedelta(days=RISK_DAYS_SHOWN)]
    segments = [d for d in recent if d.segment_type == segment_type]
    if highlight is None:
        spiking = [d for d in segments if d.day == last and d.is_spike]
        highlight = max(spiking, key=lambda d: (d.share, d.segment)).segment if spiking else None
    focus = [d for d in segments if d.segment == highlight] or [d for d in recent if d.segment_type == OVERALL]
    name = labels.segment(highlight or "all")
    colour = RED if highlight else TEAL
    x = alt.X("day:T", scale=alt.Scale(type="utc"), axis=alt.Axis(**_day_axis(labels)))
    # Whole percents repeat themselves on the axis where all shares are a few.
    form = ".0%" if max((d.share for d in segments), default=1.0) >= _WHOLE_PERCENTS else ".1%"
    y = alt.Y("share:Q", axis=alt.Axis(title=None, format=form, tickCount=5), scale=alt.Scale(zero=True, nice=True))
    lines = (
        alt.Chart(inline_rows([{"day": d.day.isoformat(), "share": d.share, "segment": d.segment} for d in segments]))
        .mark_line(color=GREY, strokeWidth=1, opacity=0.75)
        .encode(x=x, y=y, detail="segment:N")
    )
    rows = [
        {"day": d.day.isoformat(), "share": d.share, "baseline": d.baseline, "spike": d.is_spike, "name": name}
        for d in focus
    ]
    usual = [r for r in rows if r["baseline"] is not None]
    layers, words = lines, []
    if usual:
        dashed = alt.Chart(inline_rows(usual)).mark_line(color=INK, strokeWidth=1.2, strokeDash=[4, 3])
        label = f"{labels['usual_range']} {labels.percent(focus[-1].baseline or 0.0)}"
        ends = alt.Chart(inline_rows(usual[-1:])).encode(x=x, y="baseline:Q", text=alt.value(label))
        place: dict[str, Any] = {"align": "right", "baseline": "top", "dx": -16, "dy": 18, "fontSize": 11}
        # Left of where the line climbs on its last day; a white edge keeps the words readable over the grey lines, and
        # the main line goes over it.
        layers += ends.mark_text(**place, stroke="#ffffff", strokeWidth=4) + dashed.encode(x=x, y="baseline:Q")
        words.append(ends.mark_text(**place, color=INK))
    layers += alt.Chart(inline_rows(rows)).mark_line(color=colour, strokeWidth=2.5).encode(x=x, y=y)
    marked = [r for r in rows if r["spike"] or len(rows) == 1] if highlight or len(rows) == 1 else []
    if marked:
        layers += (
            alt.Chart(inline_rows(marked)).mark_point(filled=True, size=60, color=colour, opacity=1).encode(x=x, y=y)
        )
    if rows:
        newest = {**rows[-1], "label": f"{name} {labels.percent(focus[-1].share)}"}
        name_it = alt.Chart(inline_rows([newest])).mark_text(
            align="right", baseline="bottom", dx=4, dy=-9, fontSize=13, color=colour
        )
        words.append(name_it.encode(x=x, y=y, text="label:N"))
    for word in words:
        layers += word
    return finish(layers.properties(width=width, height=230, **_title(title)))


def support_chart(weeks: Sequence[SupportWeek], labels: Labels, *, width: int = 460, title: str | None = None) -> Spec:
    """Two panels on one time axis: contacts opened, and the median first response."""
    import altair as alt

    rows = [
        {
            "week": w.week.isoformat(),
            "contacts": w.contacts,
            "minutes": w.first_response_minutes,
            "whole": w.is_complete,
        }
        for w in weeks[-WEEKS_SHOWN:]
    ]
    band = min(max(2.0, width / max(len(rows), 12) * 0.7), 18)
    base = alt.Chart(inline_rows(rows))
    scale = alt.Scale(type="utc", padding=10)
    bars = base.mark_bar(size=band, cornerRadiusEnd=1.5).encode(
        x=alt.X("week:T", scale=scale, axis=alt.Axis(labels=False, grid=False, title=None)),
        y=alt.Y("contacts:Q", axis=alt.Axis(title=labels["axis_contacts"], tickCount=4)),
        color=alt.condition("datum.whole", alt.value(TEAL), alt.value(PALE_TEAL)),
    )
    line = base.transform_filter("isValid(datum.minutes) && datum.whole").mark_line(color=INK, strokeWidth=1.8)
    waits = line.encode(
        x=alt.X("week:T", scale=scale, axis=alt.Axis(tickCount="month", **_month_axis(labels))),
        y=alt.Y("minutes:Q", axis=alt.Axis(title=labels["axis_minutes"], tickCount=4), scale=alt.Scale(zero=True)),
    )
    chart = alt.vconcat(
        bars.properties(width=width, height=112), waits.properties(width=width, height=92), spacing=14, **_title(title)
    ).resolve_scale(x="shared")
    return finish(chart)


def sparkline(values: Sequence[float], *, width: int = 150, height: int = 34) -> str:
    """A small line as SVG, the newest value as a dot. Drawn here: sixty bytes a point, no axis to lay out."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = (width - 8) / (len(values) - 1)
    points = [(4 + i * step, 4 + (height - 8) * (1 - (v - low) / span)) for i, v in enumerate(values)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<polyline points="{path}" fill="none" stroke="{TEAL}" stroke-width="1.8" stroke-linejoin="round" '
        f'vector-effect="non-scaling-stroke"/><path d="M{x:.1f},{y:.1f}h0" stroke="{TEAL}" stroke-width="6" '
        'stroke-linecap="round" vector-effect="non-scaling-stroke"/></svg>'
    )
