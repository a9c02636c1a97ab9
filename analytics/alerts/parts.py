"""What several messages hold: how far sources reach, names in a list, the small print at the foot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from analytics.alerts.blockkit import data
from analytics.alerts.words import WORDS, Locale, calendar_day, count, short_day

MAX_NAMES = 5


@dataclass(frozen=True)
class SourceState:
    """How far one source's data reaches; `last_on` None: nothing of it in this build."""

    source: str
    last_on: date | None
    late: bool = False


def small_print(sources: Sequence[SourceState], build_id: str, day: date, locale: Locale) -> list[str]:
    """Sources, build and day, as lines of a context block."""
    w = WORDS[locale]
    lines = []
    if sources:
        said = []
        for s in sources:
            key = "source_none" if s.last_on is None else "source_late" if s.late else "source"
            until = "" if s.last_on is None else short_day(s.last_on, locale)
            said.append(w[key].format(source=data(s.source, 60), day=until))
        lines.append(w["data_until"].format(sources=w["joined"].join(said)))
    lines.append(w["build"].format(build=data(build_id, 80), day=calendar_day(day, locale)))
    return lines


def listed(names: Sequence[str], locale: Locale) -> str:
    """The first names, and how many more."""
    w = WORDS[locale]
    said = w["joined"].join(data(n) for n in names[:MAX_NAMES])
    more = len(names) - MAX_NAMES
    return said + (w["and_more"].format(count=count(more)) if more > 0 else "")
