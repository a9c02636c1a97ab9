"""A company's targets (`targets.yaml` in its home): which KPI is to reach what, by when, and who answers for it.

An entry is one line; `region`, `direction`, `on_track_from` and `at_risk_from` may be left out:

    - {kpi: net_revenue, period: 2026-Q3, target: 30000000, owner: head of shop, region: 関東}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from kizuna.yaml_lines import Place, read_yaml

FILE_NAME = "targets.yaml"
ALL = "all"
_KEYS = ("kpi", "period", "target", "owner", "region", "direction", "on_track_from", "at_risk_from")
_DEFINITIONS = Path(__file__).parent.parent / "dbt_project" / "models" / "marts" / "kpi" / "kpi_definitions.sql"
_TEXT = r"'((?:[^']|'')*)'"
#: A row of the definitions begins with kpi, two names, unit and aggregation.
_LISTED = re.compile(r"\(\s*" + r"\s*,\s*".join([_TEXT] * 5))
_MONTH, _QUARTER = re.compile(r"(\d{4})-(0[1-9]|1[0-2])"), re.compile(r"(\d{4})-Q([1-4])")
_WEEK, _YEAR = re.compile(r"(\d{4})-W(0[1-9]|[1-4]\d|5[0-3])"), re.compile(r"\d{4}")
_PERIODS = "2026-06 (a month), 2026-Q2, 2026 or 2026-W26"
# Published with every version: a role, no address and no number.
_PERSONAL = re.compile(r"[@＠]|\d{2,4}-\d{2,4}-\d{3,4}|\d{9,}")
_LARGEST = Decimal(10) ** 13


@dataclass(frozen=True, slots=True)
class Target:
    """One target. `period_start` and `period_end` are its first and last local day; shares are of the target."""

    kpi: str
    segment_type: str
    segment: str
    period: str
    period_type: str
    period_start: date
    period_end: date
    target: Decimal
    direction: str | None
    owner: str
    on_track_from: Decimal
    at_risk_from: Decimal

    def as_variable(self) -> dict[str, Any]:
        """For dbt: texts only."""
        return {name: None if (value := getattr(self, name)) is None else str(value) for name in self.__slots__}


@cache
def known_kpis() -> frozenset[str]:
    """KPIs that have a value over a period: those of `kpi_definitions` but medians, which no sum of days gives."""
    listed = _LISTED.findall(_DEFINITIONS.read_text(encoding="utf-8"))
    return frozenset(kpi for kpi, _, _, _, aggregation in listed if aggregation != "median")


def company_targets(home: Path) -> tuple[Target, ...]:
    """The targets in the order of the file; empty without one.

    Raises `InputError` naming file, line, key and what to do.
    """
    whole = read_yaml(home / FILE_NAME)
    if whole is None:
        return ()
    seen: dict[tuple[str, str, str], int] = {}
    targets = []
    for entry in whole.items("target"):
        target = _target(entry)
        key = (target.kpi, target.segment, target.period)
        if key in seen:
            raise entry.wrong(f"{target.kpi} has a target for {target.period} in line {seen[key]} already; keep one.")
        seen[key] = entry.line
        targets.append(target)
    return tuple(targets)


def _target(entry: Place) -> Target:
    said = entry.table(_KEYS)
    for key in ("kpi", "period", "target", "owner"):
        if key not in said:
            raise entry.wrong(f"`{key}:` is missing; a target names kpi, period, target and owner.")
    kpi = _text(said["kpi"])
    if kpi not in known_kpis():
        raise said["kpi"].wrong(f"{kpi!r} is no KPI with a target; choose one of {', '.join(sorted(known_kpis()))}.")
    owner = _text(said["owner"])
    if _PERSONAL.search(owner):
        raise said["owner"].wrong("the owner is published; name a role or a team, no address and no number.")
    direction = _text(said["direction"]) if "direction" in said else None
    if direction not in (None, "up", "down"):
        raise said["direction"].wrong(f"{direction!r} is not allowed; choose up (more is better) or down.")
    shares = [
        _number(said[key]) if key in said else Decimal(default)
        for key, default in (("on_track_from", "1"), ("at_risk_from", "0.9"))
    ]
    if not 0 < shares[1] <= shares[0] <= 2:
        raise entry.wrong(
            f"at_risk_from ({shares[1]}) and on_track_from ({shares[0]}) are shares of the target with "
            "0 < at_risk_from <= on_track_from <= 2."
        )
    kind, start, end = _period(said["period"])
    region = _text(said["region"]) if "region" in said else None
    return Target(
        kpi=kpi,
        segment_type="overall" if region is None else "region",
        segment=region or ALL,
        period=str(said["period"].node.value),
        period_type=kind,
        period_start=start,
        period_end=end,
        target=_number(said["target"]),
        direction=direction,
        owner=owner,
        on_track_from=shares[0],
        at_risk_from=shares[1],
    )


def _period(place: Place) -> tuple[str, date, date]:
    text = str(place.node.value)
    if found := _MONTH.fullmatch(text):
        return "month", *_months(int(found[1]), int(found[2]), 1)
    if found := _QUARTER.fullmatch(text):
        return "quarter", *_months(int(found[1]), int(found[2]) * 3 - 2, 3)
    if found := _WEEK.fullmatch(text):
        try:
            monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        except ValueError:
            raise place.wrong(f"{text!r}: the year {found[1]} has no week {found[2]}.") from None
        return "week", monday, monday + timedelta(days=6)
    if _YEAR.fullmatch(text) and int(text) >= 1900:
        return "year", date(int(text), 1, 1), date(int(text), 12, 31)
    raise place.wrong(f"{text!r} is not a period; write it as {_PERIODS}.")


def _months(year: int, first: int, count: int) -> tuple[date, date]:
    beyond = year * 12 + first - 1 + count
    return date(year, first, 1), date(beyond // 12, beyond % 12 + 1, 1) - timedelta(days=1)


def _number(place: Place) -> Decimal:
    text = str(place.node.value)
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) > _LARGEST:
        raise place.wrong(f"{text!r} is not a number; write it without separators and units, as 30000000 or 0.95.")
    return value


def _text(place: Place) -> str:
    if not isinstance(place.value, str) or not place.value.strip() or len(place.value) > 120:
        raise place.wrong(f"{place.value!r} is not a text of up to 120 characters.")
    return place.value.strip()
