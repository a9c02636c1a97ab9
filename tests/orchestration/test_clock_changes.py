"""The daily build starts once per local day and reports each day once, also where clocks are put forward or back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from kizuna.builds import default_as_of
from kizuna.settings import CONFIG_NAME, load_company

#: Days on which clocks change in the winter of 2026/27, back and forward; Tokyo knows none.
CHANGES = {
    "Europe/Berlin": (date(2026, 10, 25), date(2027, 3, 28)),
    "America/New_York": (date(2026, 11, 1), date(2027, 3, 14)),
    "Asia/Tokyo": (),
}
AROUND = timedelta(days=3)


def company_of(home: Path, zone: str, at: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A company that builds at this time of its zone; its definitions are loaded from its home."""
    (home / CONFIG_NAME).write_text(f"name: Test\ntimezone: {zone}\nschedule: {{at: '{at}'}}\n", encoding="utf-8")
    monkeypatch.setenv("KIZUNA_HOME", str(home))
    return load_company(home / CONFIG_NAME)


def started(schedule: Any, first: datetime, last: datetime, every: timedelta) -> Iterator[datetime]:
    """What the daemon starts when it looks at these intervals: at each look all that came due since the one before.

    As `dagster._scheduler.scheduler` does it: it asks anew at each look, from one second after the last start or from
    the look before, whichever is later.
    """
    since, now = first.timestamp(), first
    while now < last:
        now = min(now + every, last)
        due = schedule_execution_time_iterator(since, schedule.cron_schedule, schedule.execution_timezone)
        since = now.timestamp()
        for tick in due:
            if tick.timestamp() > now.timestamp():
                break
            yield tick
            since = max(since, tick.timestamp() + 1)


@pytest.mark.parametrize("at", ["02:30", "00:30"])
@pytest.mark.parametrize("zone", CHANGES)
def test_every_local_day_has_one_start_and_every_day_is_reported_once(
    zone: str, at: str, defs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.defs.automation import start_every_day
    from orchestration.when import daily_at

    company = company_of(tmp_path, zone, at, monkeypatch)
    schedule = start_every_day(*daily_at())
    local = ZoneInfo(zone)
    for change in CHANGES[zone] or (date(2026, 10, 25), date(2027, 3, 28)):
        midnight = datetime.combine(change, datetime.min.time(), tzinfo=local)
        is_change = midnight.utcoffset() != (midnight + timedelta(days=1)).utcoffset()
        assert is_change == bool(CHANGES[zone]), "the day was chosen because of its clocks"
        first, last = ((midnight + way * AROUND).astimezone(UTC) for way in (-1, 2))
        days = [change + timedelta(days=k) for k in range(-AROUND.days, 2 * AROUND.days)]
        # A daemon at work, one that stands still for hours, and one that looks on both sides of every full hour.
        for every in (timedelta(minutes=7), timedelta(hours=5), timedelta(minutes=59, seconds=59)):
            ticks = [tick.astimezone(local) for tick in started(schedule, first, last, every)]
            assert [tick.date() for tick in ticks] == days, f"one start per day, looking every {every}"
            assert [default_as_of(company, tick) for tick in ticks] == [day - timedelta(days=1) for day in days]
            odd = {tick.date(): f"{tick:%H:%M}" for tick in ticks if f"{tick:%H:%M}" != at}
            forward = CHANGES[zone][1:] if at == "02:30" else ()
            assert odd == ({change: "03:00"} if change in forward else {}), "02:30 does not exist on that day"
