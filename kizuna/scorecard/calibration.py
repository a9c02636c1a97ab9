"""Predicted against actual shares: the picture of the check that judges the churn scores."""

from __future__ import annotations

from collections.abc import Sequence

from kizuna.scorecard.charts import GREY, INK, TEAL, Spec, finish, inline_rows


def calibration_chart(points: Sequence[tuple[float, float]], *, width: int = 300) -> Spec:
    """One point per tenth of the customers, (predicted, actual) share; on the line they are equal."""
    import altair as alt

    rows = [{"predicted": round(p, 4), "actual": round(a, 4)} for p, a in points]
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("predicted:Q", scale=scale, axis=alt.Axis(title="predicted share", format="%"))
    y = alt.Y("actual:Q", scale=scale, axis=alt.Axis(title="actual share", format="%"))
    ends = [{"predicted": 0.0, "actual": 0.0}, {"predicted": 1.0, "actual": 1.0}]
    right = alt.Chart(inline_rows(ends)).mark_line(color=GREY, strokeDash=[4, 4]).encode(x=x, y=y)
    base = alt.Chart(inline_rows(rows)).encode(x=x, y=y)
    line = base.mark_line(color=TEAL, strokeWidth=2)
    dots = base.mark_point(filled=True, size=55, color=TEAL, stroke=INK)
    title = alt.Title("Tenths of the customers, out of time")
    return finish((right + line + dots).properties(width=width, height=width, title=title))
