"""Which page under docs/runbooks says what to do about a message."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "runbooks"

#: By kind of message (`analytics.alerts.Message`); a test finds a page for each kind there is.
RUNBOOK_OF: Mapping[str, str] = {
    "SpikeAlert": "spike-alert",
    "SpikeUpdate": "spike-alert",
    "SpikeResolved": "spike-alert",
    "AlertsWithheld": "spike-alert",
    "GateFailure": "gate-failed",
    "RunFailure": "run-failed",
    "SourcesLate": "source-late",
    "ScoresWithheld": "scores-withheld",
    "Recovered": "recovered",
    "KpiDigest": "kpi-digest",
    "Silence": "silence",
}


def runbook_of(kind: str, template: str | None = None) -> str:
    """Address of the page for a kind of message: `template` with the page's name for {page}, else on this machine."""
    page = RUNBOOK_OF[kind]
    return (FOLDER / f"{page}.md").as_uri() if template is None else template.replace("{page}", page)
