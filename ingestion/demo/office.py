"""When the demo's help desk is open: Monday to Friday 9 to 18 local time, not on Japanese holidays."""

from bisect import bisect_right
from datetime import timedelta
from functools import cache

import holidays

from ingestion.demo.clock import Calendar, epoch_of

OPENS, CLOSES = 9 * 3600, 18 * 3600
#: Tickets of the last days are solved after the window.
_AFTER = 60


class Office:
    """Open spells of a calendar, as (begin, end) in epoch seconds, and what lies between two moments."""

    def __init__(self, calendar: Calendar) -> None:
        closed = holidays.country_holidays("JP", years=range(calendar.start.year, calendar.end.year + 2))
        days = (calendar.start + timedelta(days=n) for n in range(calendar.days + _AFTER))
        open_days = [epoch_of(day) for day in days if day.weekday() < 5 and day not in closed]
        self._begins = [midnight + OPENS for midnight in open_days]

    def seconds(self, begin: int, end: int) -> int:
        """Open seconds between two moments, by walking over the spells between them."""
        first = max(bisect_right(self._begins, begin) - 1, 0)
        total = 0
        for opened in self._begins[first:]:
            if opened >= end:
                break
            total += max(0, min(end, opened + CLOSES - OPENS) - max(begin, opened))
        return total


@cache
def office_of(calendar: Calendar) -> Office:
    return Office(calendar)
