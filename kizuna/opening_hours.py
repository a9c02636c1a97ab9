"""When the company's support is open: hours by weekday, public holidays and further closed days."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NINE_TO_SIX = ("09:00-18:00",)
#: No gate lets an event from before pass without a word, so no duration begins earlier.
FIRST_YEAR = 1990

_RANGE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


class SupportParams(BaseModel):
    """Business hours and who answers; `docs/operating.md` says how to write it.

    `business_hours`: local times by weekday; a weekday left out is closed. `holidays`: country whose public holidays
    are closed, `none` for no holidays, empty for the company's country. `bots`: agent ids (as the help desk writes
    them) that are programs: what they write is no reply of a person. `topic_tags`: tags that name what a Zendesk ticket
    is about. `sla_clock`: whether `kpi.sla_minutes` run by the calendar or by business hours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    business_hours: dict[Weekday, list[str]] = Field(
        default_factory=lambda: {day: list(NINE_TO_SIX) for day in WEEKDAYS[:5]}
    )
    holidays: Annotated[str, Field(pattern=r"^([A-Z]{2}|none)?$")] = ""
    closed_on: list[date] = []
    bots: list[str] = []
    topic_tags: list[str] = []
    sla_clock: Literal["calendar", "business"] = "calendar"

    @field_validator("business_hours")
    @classmethod
    def _ranges_in_order(cls, value: dict[Weekday, list[str]]) -> dict[Weekday, list[str]]:
        for day, ranges in value.items():
            end = 0
            for begin, until in map(seconds_of, ranges):
                if begin < end or until <= begin:
                    raise ValueError(f"{day}: ranges follow each other and end after they begin, as in 09:00-12:00")
                end = until
        if not any(value.values()):
            raise ValueError("at least one weekday has hours, as in {mon: ['09:00-18:00']}")
        return value

    @field_validator("holidays")
    @classmethod
    def _known_country(cls, value: str) -> str:
        if value not in ("", "none") and value not in _countries():
            raise ValueError("holidays are known by country code, such as JP; write none to count none")
        return value

    def seconds_by_weekday(self) -> dict[str, list[tuple[int, int]]]:
        """Open ranges in seconds of the local day, by ISO weekday ('1' is Monday)."""
        return {
            str(number): [seconds_of(text) for text in self.business_hours.get(day, ())]
            for number, day in enumerate(WEEKDAYS, start=1)
        }

    def closed_days(self, country: str, until: date) -> list[date]:
        """Public holidays and further closed days from 1990 to the end of `until`'s year, in order."""
        named = self.holidays or (country if country in _countries() else "none")
        known = () if named == "none" else public_holidays(named, until.year)
        return sorted({*known, *self.closed_on})


def seconds_of(text: str) -> tuple[int, int]:
    """`09:00-18:00` as seconds of the day. Raises ValueError for anything else; 24:00 is the end of the day."""
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no range of hours; write it as 09:00-18:00")
    begin, until = (int(found[i]) * 3600 + int(found[i + 1]) * 60 for i in (1, 3))
    if until > 86_400:
        raise ValueError(f"{text!r} ends after the day; the end of a day is 24:00")
    return begin, until


@cache
def public_holidays(country: str, last_year: int) -> tuple[date, ...]:
    """Public holidays of a country, substitute holidays included, 1990 to `last_year`."""
    import holidays

    return tuple(sorted(holidays.country_holidays(country, years=range(FIRST_YEAR, last_year + 1))))


@cache
def _countries() -> frozenset[str]:
    import holidays

    return frozenset(holidays.list_supported_countries(include_aliases=False))


def as_dbt_vars(params: SupportParams, country: str, until: date) -> Mapping[str, object]:
    """What the models are told: hours in seconds of the day, closed days as text, bots and topic tags."""
    hours: dict[str, list[Sequence[int]]] = {day: list(r) for day, r in params.seconds_by_weekday().items()}
    return {
        "business_hours": hours,
        "closed_days": [day.isoformat() for day in params.closed_days(country, until)],
        "bot_agents": sorted(set(params.bots)),
        "sla_clock": params.sla_clock,
        "topic_tags": list(dict.fromkeys(params.topic_tags)),
    }
