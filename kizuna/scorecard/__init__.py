"""The scorecard: one self-contained page per published version, and its charts as pictures for messages.

Libraries for charts and fonts are loaded when something is rendered, not when this package is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kizuna.scorecard.model import Undelivered
    from kizuna.settings import Company


def render_scorecard(
    db: Path, manifest: Mapping[str, Any], company: Company, undelivered: Undelivered | None = None
) -> str:
    """HTML page for the published marts in the DuckDB file ``db`` (schema ``marts``, opened read-only).

    One file, no request to anywhere, fonts and charts inside; the same input gives the same bytes. Parts without rows
    say so, marts that do not exist are named at the foot. ``undelivered``: why earlier messages have not arrived.
    """
    from kizuna.scorecard.page import render_page
    from kizuna.scorecard.queries import read_facts

    return render_page(read_facts(db, manifest, company.timezone), manifest, company, undelivered)


def churn_chart_png(
    db: Path, company: Company, *, segment: str | None = None, segment_type: str = "region"
) -> bytes | None:
    """Share at high churn risk as PNG for a message, ``segment`` in red against its usual level.

    ``db`` is a file with schema ``marts``: a build's or a published one. None when nothing is scored yet.
    """
    from kizuna.scorecard.charts import risk_chart
    from kizuna.scorecard.labels import Labels
    from kizuna.scorecard.queries import read_risk
    from kizuna.scorecard.render import chart_png

    risk = read_risk(db)
    if not risk:
        return None
    labels = Labels(company.locale, company.currency)
    title = labels[{"region": "chart_risk", "contracts": "chart_contract_risk"}.get(segment_type, "risk_share")]
    spec = risk_chart(risk, labels, segment_type=segment_type, highlight=segment, title=title)
    return chart_png(spec)


def chart_png(spec: dict[str, Any], *, scale: float = 2.0) -> bytes:
    """A chart's specification as PNG below 1,000 pixels wide (see ``render.chart_png``)."""
    from kizuna.scorecard import render

    return render.chart_png(spec, scale=scale)
