"""When a company's day is built, and by when it must be: read once, when Dagster loads the definitions."""

from datetime import timedelta

import dagster as dg

from kizuna.errors import SettingsError
from kizuna.settings import CONFIG_NAME, Schedule, home_from_environment, load_company

#: Name of the schedule that starts the daily build.
SCHEDULE = "every_morning"
#: Hours from the start of the daily build until its marts count as late.
LATE_AFTER_HOURS = 3


def daily_at() -> tuple[int, int, str]:
    """Hour, minute and zone of the company in KIZUNA_HOME; without one, defaults that let the definitions load."""
    try:
        company = load_company(home_from_environment() / CONFIG_NAME)
        at, zone = company.schedule.at, company.timezone
    except SettingsError:
        at, zone = Schedule().at, "UTC"
    return *clock(at), zone


def clock(at: str) -> tuple[int, int]:
    """Hour and minute of a `schedule.at`."""
    hour, minute = at.split(":")
    return int(hour), int(minute)


def cron_of(hour: int, minute: int) -> str:
    """Every local day at this time, as cron writes it."""
    return f"{minute} {hour} * * *"


def fresh_every_day(hour: int, minute: int, zone: str) -> dg.FreshnessPolicy:
    """Built since local midnight by so many hours after the schedule: a day's build cannot start before its end."""
    since_midnight = timedelta(hours=hour + LATE_AFTER_HOURS, minutes=minute)
    return dg.FreshnessPolicy.cron(
        deadline_cron=cron_of((hour + LATE_AFTER_HOURS) % 24, minute),
        lower_bound_delta=min(since_midnight, timedelta(hours=23)),
        timezone=zone,
    )


#: Of every published mart, and of the version.
FRESH = fresh_every_day(*daily_at())
