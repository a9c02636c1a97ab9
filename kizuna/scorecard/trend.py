"""The picture of a digest: one small line per KPI, all over the same days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from kizuna.scorecard.charts import INK, TEAL, Spec, finish, inline_rows, money_axis
from kizuna.scorecard.labels import Labels

MAX_PANELS = 9
_COLUMNS = 3
Panel = tuple[str, str, Sequence[tuple[date, Decimal]]]


def trend_chart(panels: Sequence[Panel], labels: Labels, *, title: str) -> Spec:
    """`panels`: name, unit and (day, value) of each KPI, at least two points; the newest value is written out."""
    import altair as alt

    charts = [_panel(panel, labels) for panel in panels[:MAX_PANELS]]
    return finish(alt.concat(*charts, columns=_COLUMNS, spacing=18, title=title).resolve_scale(y="independent"))


def _panel(panel: Panel, labels: Labels) -> Any:
    import altair as alt

    name, unit, points = panel
    rows = [{"day": day.isoformat(), "value": float(value)} for day, value in points]
    newest = labels.in_unit(points[-1][1], unit)
    x = alt.X(
        "day:T",
        scale=alt.Scale(type="utc", padding=6),
        axis=alt.Axis(format="%-m/%-d" if labels.locale == "ja" else "%-d %b", grid=False, title=None, tickCount=3),
    )
    # A share that only moves a little must not look flat, an amount must not look steep.
    y = alt.Y("value:Q", scale=alt.Scale(zero=unit in ("count", "money"), nice=True), axis=_axis(unit, labels))
    base = alt.Chart(inline_rows(rows))
    line = base.mark_line(color=TEAL, strokeWidth=2).encode(x=x, y=y)
    last = alt.Chart(inline_rows(rows[-1:])).mark_point(filled=True, size=46, color=TEAL, opacity=1).encode(x=x, y=y)
    heading = alt.TitleParams(f"{name}  {newest}", fontSize=12, anchor="start", color=INK, offset=6)
    return (line + last).properties(width=250, height=92, title=heading)


def _axis(unit: str, labels: Labels) -> Any:
    import altair as alt

    if unit == "share":
        return alt.Axis(title=None, tickCount=3, format=".0%")
    if unit == "money":
        return alt.Axis(title=None, tickCount=3, labelExpr=money_axis(labels))
    return alt.Axis(title=None, tickCount=3, format="~s" if unit == "count" else "~r")
