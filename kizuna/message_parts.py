"""What messages have in common: the company's language, the link to the page, how far sources reach."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from kizuna.settings import Settings
from kizuna.versions import Publication

if TYPE_CHECKING:
    import pyarrow as pa

    from analytics.alerts import Message, SourceState


def scorecard_link(settings: Settings, shown: Publication) -> str:
    """Where a reader opens the page of a version: under KIZUNA_PUBLIC_URL, else on this machine."""
    if settings.public_url:
        return f"{settings.public_url.rstrip('/')}/v-{shown.version}/scorecard.html"
    return (shown.folder / "scorecard.html").as_uri()


def render(settings: Settings, message: Message) -> dict[str, Any]:
    """A message in the company's language."""
    from analytics.alerts import render_block_kit

    return render_block_kit(message, settings.company.locale)


def sources_of(settings: Settings, table: pa.Table, day: date) -> list[SourceState]:
    """How far each source's data reaches, in the company's days. `table`: source, last_event_at (naive UTC)."""
    from zoneinfo import ZoneInfo

    from analytics.alerts import SourceState

    zone, utc = ZoneInfo(settings.company.timezone), ZoneInfo("UTC")
    found = []
    for row in table.to_pylist():
        at = row["last_event_at"]
        last = at.replace(tzinfo=utc).astimezone(zone).date() if at else None
        found.append(SourceState(row["source"], last, late=last is not None and day - last > timedelta(days=2)))
    return found
