"""The forecast against what happened: the picture of the check that judges it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kizuna.scorecard.charts import GREY, INK, TEAL, Spec, finish, inline_rows


@dataclass(frozen=True)
class BacktestGroup:
    """Purchases per customer of one group (by repeat purchases so far) in the weeks held out."""

    group: str
    predicted: float
    actual: float


def backtest_chart(groups: Sequence[BacktestGroup], *, width: int = 460) -> Spec:
    """Bars: what happened; line: what had been predicted; one place per number of repeat purchases before the cut."""
    import altair as alt

    rows = [{"group": g.group, "predicted": round(g.predicted, 4), "actual": round(g.actual, 4)} for g in groups]
    names = [g.group for g in groups]
    base = alt.Chart(inline_rows(rows)).encode(
        x=alt.X("group:N", sort=names, axis=alt.Axis(title="repeat purchases before the cut", labelAngle=0))
    )
    bars = base.mark_bar(size=26, color=TEAL).encode(y=alt.Y("actual:Q", axis=alt.Axis(title="purchases per customer")))
    line = base.mark_line(color=INK, strokeWidth=2).encode(y="predicted:Q")
    points = base.mark_point(filled=True, size=55, color=GREY, stroke=INK, strokeWidth=2).encode(y="predicted:Q")
    title = alt.Title("Weeks held out: bars happened, the line was predicted")
    return finish((bars + line + points).properties(width=width, height=220, title=title))
