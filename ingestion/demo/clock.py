"""Calendar of the demo: local days in Japan (UTC+9, no summer time) against seconds since the epoch."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TIMEZONE = "Asia/Tokyo"
OFFSET = 9 * 3600
DAY = 86_400
# Monday to Sunday. Mild, mean 1: a share of customers must not wander by weekday.
WEEKDAY = np.array([0.95, 0.93, 0.95, 0.96, 1.03, 1.12, 1.06])
# How much of a day's activity falls into each local hour.
_HOURS = np.array([2, 1, 0.6, 0.4, 0.4, 0.6, 1.5, 3, 4, 5, 5.5, 5.5, 7, 6, 5, 5, 5, 5.5, 6, 7, 8.5, 9, 7.5, 4.5])
_HOUR_EDGES = np.concatenate([[0.0], np.cumsum(_HOURS) / _HOURS.sum()])


def epoch_of(day: date) -> int:
    """Seconds since the epoch at local midnight that begins the day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - OFFSET


def local(epoch: int) -> datetime:
    """Local wall clock, naive."""
    return datetime(1970, 1, 1) + timedelta(seconds=epoch + OFFSET)


def utc(epoch: int) -> datetime:
    """UTC wall clock, naive."""
    return datetime(1970, 1, 1) + timedelta(seconds=epoch)


def local_day(epoch: int) -> date:
    """Local calendar day of a moment."""
    return local(epoch).date()


def stamp_local(epoch: int) -> str:
    """`2026-06-30 10:00:00 +0900`, as Shopify and Delighted write times."""
    return f"{local(epoch)} +0900"


def stamp_z(epoch: int) -> str:
    """`2026-06-30T01:00:00Z`, as Zendesk and Amazon Connect write times."""
    return utc(epoch).isoformat() + "Z"


def stamp_salesforce(epoch: int) -> str:
    """`2026-06-30T01:00:00.000Z`, as Salesforce writes times."""
    return utc(epoch).isoformat() + ".000Z"


@dataclass(frozen=True)
class Calendar:
    """The simulated window. Day 1 ends before `cut1`, day 2 before `cut2` (both exclusive, epoch seconds)."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """Days in the window, both ends included."""
        return (self.end - self.start).days + 1

    @property
    def begin(self) -> int:
        """First second of the window."""
        return epoch_of(self.start)

    @property
    def cut1(self) -> int:
        """Local midnight between the calm days and the last day."""
        return epoch_of(self.end)

    @property
    def cut2(self) -> int:
        """Local midnight after the last day."""
        return self.cut1 + DAY

    def delivery(self, epoch: int) -> int:
        """1 when a moment lies before the last day, else 2."""
        return 1 if epoch < self.cut1 else 2

    def moments(self, operational: Floats) -> Ints:
        """Map operational days (evenly busy) to epoch seconds, so that weekdays and hours differ in activity."""
        first = self.start.weekday()
        weights = WEEKDAY[(np.arange(self.days) + first) % 7]
        edges = np.concatenate([[0.0], np.cumsum(weights)])
        clipped = np.clip(operational, 0.0, edges[-1] - 1e-6)
        day = np.searchsorted(edges, clipped, side="right") - 1
        within = (clipped - edges[day]) / weights[day]
        hours = np.interp(within, _HOUR_EDGES, np.arange(25.0))
        moments: Ints = (self.begin + day * DAY + hours * 3600).astype(np.int64)
        return moments

    @property
    def horizon(self) -> float:
        """Length of the window in operational days."""
        first = self.start.weekday()
        return float(WEEKDAY[(np.arange(self.days) + first) % 7].sum())
