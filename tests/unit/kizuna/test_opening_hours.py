"""Hours, holidays and closed days of kizuna.yaml become what the models are told."""

from __future__ import annotations

from datetime import date

from kizuna.opening_hours import SupportParams, as_dbt_vars


def test_japanese_holidays_come_with_their_substitutes_and_the_days_that_the_company_adds() -> None:
    # Cabinet Office of Japan: 2026-05-03 (Sunday) is Constitution Day, so 2026-05-06 is closed in its place; 2026-09-22
    # lies between two holidays and is one by that alone.
    params = SupportParams(closed_on=[date(2026, 12, 30)])
    closed = params.closed_days("JP", date(2026, 6, 30))
    assert {date(2026, 1, 1), date(2026, 5, 6), date(2026, 9, 22), date(2026, 12, 30)} <= set(closed)
    assert date(2026, 5, 7) not in closed
    assert closed == sorted(set(closed))


def test_a_company_may_count_no_holidays_or_those_of_another_country() -> None:
    assert SupportParams(holidays="none").closed_days("JP", date(2026, 6, 30)) == []
    assert date(2026, 7, 4) in SupportParams(holidays="US").closed_days("JP", date(2026, 6, 30))


def test_a_country_without_a_known_calendar_has_no_holidays() -> None:
    assert SupportParams().closed_days("QQ", date(2026, 6, 30)) == []


def test_hours_are_told_in_seconds_of_the_day_by_iso_weekday() -> None:
    params = SupportParams(business_hours={"mon": ["09:00-12:00", "13:00-18:30"], "sun": ["20:00-24:00"]})
    told = as_dbt_vars(params, "JP", date(2026, 6, 30))["business_hours"]
    expected: dict[str, list[tuple[int, int]]] = {str(day): [] for day in range(1, 8)}
    assert told == expected | {"1": [(32400, 43200), (46800, 66600)], "7": [(72000, 86400)]}
