"""When a share at risk is a spike: causal, per segment, with a minimum effect and count; a level shift alerts once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.alerts.baseline import WINDOW_DAYS, baseline, combined_z

CALM, WARN, SPIKE, LEVEL_SHIFT, TOO_LITTLE = "calm", "warn", "spike", "level_shift", "too_little_history"
OVERALL = "overall"

EVALUATED_SCHEMA = pa.schema([
    ("segment_type", pa.string()), ("segment", pa.string()), ("day", pa.date32()),
    ("scored", pa.int64()), ("at_risk", pa.int64()), ("share", pa.float64()), ("value_at_risk", pa.decimal128(18, 2)),
    ("refit_at_risk", pa.int64()), ("refit_value", pa.decimal128(18, 2)),
    ("baseline", pa.float64()), ("z", pa.float64()), ("is_spike", pa.bool_()), ("status", pa.string()),
])  # fmt: skip
_JUDGED = ("baseline", "z", "is_spike", "status")

# Days of one movement are added up from this z on; up to three of them.
_ADD_UP_FROM = 2.5
_ADD_UP_DAYS = 3
# Degrees of freedom of a median absolute deviation over eight weeks, roughly: it is worth .37 of as many days.
_NOISE_FREEDOM = 30
# Days of a new level are near each other: the smallest is at least this share of the largest.
_LEVEL_EVENNESS = 0.5


@dataclass(frozen=True)
class SpikeRules:
    """Alert rules of kizuna.yaml. Shares are fractions: min_effect 0.05 is five points."""

    z_alert: float = 4.0
    z_warn: float = 3.5
    min_effect: float = 0.05
    min_count: int = 10
    min_history_days: int = 35
    level_shift_days: int = 3
    false_discovery_rate: float = 0.01
    # Up to so many spiking segments speak for themselves; with more, the overall series is the message.
    max_separate_segments: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.z_warn <= self.z_alert or self.min_history_days < 7 or self.level_shift_days < 2:
            raise ValueError(
                f"0 < z_warn <= z_alert, min_history_days >= 7 and level_shift_days >= 2 must hold: {self}"
            )


@dataclass
class _Row:
    """One segment and day; judged fields are filled once, rounded as stored, so that a rebuild reads the same."""

    kind: str
    segment: str
    day: int
    scored: int
    at_risk: int
    share: float
    value: Any
    refit_at_risk: int | None = None
    refit_value: Any = None
    baseline: float | None = None
    z: float | None = None
    is_spike: bool = False
    status: str | None = None
    strength: float | None = None  # the evidence of this day and those before it; known while the day is judged

    @property
    def effect(self) -> float:
        return 0.0 if self.baseline is None else self.share - self.baseline


def evaluate(daily: pa.Table, rules: SpikeRules) -> pa.Table:
    """Judge every row that has no status yet; rows that have one keep it unchanged (EVALUATED_SCHEMA, key order).

    `daily`: as from analytics.churn.assess, published history first or not, with or without the judged columns
    (baseline, z, is_spike, status). Days under earlier parameters are compared as if today's had served then: what each
    refit changed by itself (refit_at_risk) is added to the days before it. Adding a day and judging it gives what
    judging all days at once gives.
    ValueError where a segment has a day twice.
    """
    rows = _rows(daily)
    series: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r.kind, r.segment, r.day)):
        own = series[row.kind, row.segment]
        if own and own[-1].day == row.day:
            raise ValueError(f"{row.kind} {row.segment} has {row.day} (days since 1970-01-01) twice")
        own.append(row)
    days: dict[int, list[tuple[list[_Row], int]]] = defaultdict(list)
    for _, own in sorted(series.items(), key=lambda item: (item[0][0] == OVERALL, item[0])):
        for position, row in enumerate(own):
            days[row.day].append((own, position))
    for _, todays in sorted(days.items()):
        _judge_day(todays, rules)
    return _table([row for _, own in sorted(series.items()) for row in own])


def _judge_day(todays: list[tuple[list[_Row], int]], rules: SpikeRules) -> None:
    """All segments of one day together, overall last: the more are judged, the stronger the evidence must be."""
    new = [(own, position) for own, position in todays if own[position].status is None]
    for own, position in new:
        _judge(own, position, rules)
    judged = [own[position] for own, position in new if own[position].strength is not None]
    limit = _discovery_limit([_chance(r.strength or 0.0) for r in judged], rules.false_discovery_rate)
    for row in judged:
        if row.status == SPIKE and _chance(row.strength or 0.0) > limit:
            row.status, row.is_spike = WARN, False
    spiking = [own[position] for own, position in todays if own[position].is_spike]
    segments = [row for row in spiking if row.kind != OVERALL]
    for row in judged:
        if row.kind == OVERALL and row.is_spike and _explained_by_segments(row, segments, rules):
            row.is_spike = False
            row.status = WARN if row.status == SPIKE else row.status


def _chance(strength: float) -> float:
    """How likely a quiet series is as far up as this: Student's t, since the deviation itself is an estimate."""
    from scipy.special import stdtr

    return float(stdtr(_NOISE_FREEDOM, -strength))


def _discovery_limit(chances: list[float], rate: float) -> float:
    """Largest chance that is still a discovery, so that at most `rate` of the discoveries are false.

    Source: Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57.
    """
    limit = 0.0
    for rank, chance in enumerate(sorted(chances), start=1):
        if chance <= rate * rank / len(chances):
            limit = chance
    return limit


def _judge(series: list[_Row], position: int, rules: SpikeRules) -> None:
    row = series[position]
    start = position
    while start > 0 and series[start - 1].day >= row.day - WINDOW_DAYS:
        start -= 1
    window = series[start:position]
    if len(window) < rules.min_history_days or row.scored <= 0:
        row.status = TOO_LITTLE
        return
    regime, usable = _regimes(window, rules.level_shift_days)
    shares = np.array([w.share for w in window]) + _refitted_since(series[start : position + 1])
    found = baseline(np.array([w.day for w in window]), shares, usable, regime, row.day, row.scored)
    row.baseline = round(found.share, 6)
    z = (row.share - found.share) / found.deviation
    if found.recent is not None and found.step is not None:
        z = max(z, (row.share - found.recent) / found.step, key=abs)
    row.z = round(z, 4)
    rise = row.share - min(found.share, found.recent if found.recent is not None else 1.0)
    enough = row.at_risk >= rules.min_count and rise >= rules.min_effect
    row.strength = max(row.z, combined_z(_same_movement(series, position, rules), found.autocorrelation))
    if _shifted(series, position, rules):
        row.status = LEVEL_SHIFT
        row.is_spike = enough and row.z > 0
    elif enough and row.strength >= rules.z_alert:
        row.status, row.is_spike = SPIKE, True
    else:
        row.status = WARN if enough and row.z >= rules.z_warn else CALM


def _refitted_since(rows: list[_Row]) -> Any:
    """Per row but the last: points of the share by which all refits after it, the last row's included, moved it."""
    moved = np.zeros(len(rows))
    for place, row in enumerate(rows):
        if row.refit_at_risk and place:
            # It was measured on the day before; where that is missing the segment was no other size.
            before = rows[place - 1]
            moved[place] = row.refit_at_risk / (before.scored if before.day == row.day - 1 else row.scored)
    since: Any = np.cumsum(moved[::-1])[::-1][1:]
    return since


def _regimes(window: list[_Row], shift_days: int) -> tuple[Any, Any]:
    """Number of the level each day belongs to, and whether the day may form a baseline (spikes may not)."""
    regime = np.zeros(len(window), dtype=np.int64)
    usable = np.array([w.status != SPIKE for w in window])
    for position, row in enumerate(window):
        if row.status == LEVEL_SHIFT:
            first = max(0, position - shift_days + 1)
            regime[first:] += 1
            usable[first : position + 1] = True
    if not usable.any():
        usable[:] = True
    return regime, usable


def _same_movement(series: list[_Row], position: int, rules: SpikeRules) -> list[float]:
    """z of this day and of the days right before it that rose as well, newest first."""
    together: list[float] = []
    for row in reversed(series[max(0, position - _ADD_UP_DAYS + 1) : position + 1]):
        if row.z is None or row.z < _ADD_UP_FROM or row.effect < rules.min_effect or row.status == LEVEL_SHIFT:
            break
        together.append(row.z)
    return together or [series[position].z or 0.0]


def _shifted(series: list[_Row], position: int, rules: SpikeRules) -> bool:
    """Whether the last days, this one included, all left the baseline to the same side."""
    last = series[max(0, position - rules.level_shift_days + 1) : position + 1]
    if len(last) < rules.level_shift_days or any(r.status == LEVEL_SHIFT for r in last):
        return False
    sides = [0 if r.z is None else int(np.sign(r.z)) for r in last]
    left = all(abs(r.z or 0.0) >= rules.z_warn and abs(r.effect) >= rules.min_effect for r in last)
    effects = [abs(r.effect) for r in last]
    return left and len(set(sides)) == 1 and min(effects) >= _LEVEL_EVENNESS * max(effects)


def _explained_by_segments(overall: _Row, spiking: list[_Row], rules: SpikeRules) -> bool:
    """Whether the overall rise is that of one or two segments which alert themselves: then it is no second alert."""
    kinds = {r.kind for r in spiking}
    for kind in kinds:
        excess = sorted((r.effect * r.scored for r in spiking if r.kind == kind), reverse=True)
        left = overall.effect * overall.scored - sum(excess[: rules.max_separate_segments])
        if left / overall.scored < rules.min_effect:
            return True
    return False


def _rows(daily: pa.Table) -> list[_Row]:
    judged = [c for c in _JUDGED if c in daily.column_names]
    days = daily["day"].cast(pa.date32()).cast(pa.int32()).to_pylist()
    rows = []
    for day, r in zip(days, daily.to_pylist(), strict=True):
        row = _Row(
            r["segment_type"], r["segment"], day, r["scored"], r["at_risk"], r["share"], r["value_at_risk"],
            r.get("refit_at_risk"), r.get("refit_value"),
        )  # fmt: skip
        if len(judged) == len(_JUDGED) and r["status"] is not None:
            row.baseline, row.z, row.is_spike, row.status = r["baseline"], r["z"], bool(r["is_spike"]), r["status"]
        rows.append(row)
    return rows


def _table(rows: list[_Row]) -> pa.Table:
    columns = [
        pa.array([r.kind for r in rows], pa.string()),
        pa.array([r.segment for r in rows], pa.string()),
        pa.array([r.day for r in rows], pa.int32()).cast(pa.date32()),
        pa.array([r.scored for r in rows], pa.int64()),
        pa.array([r.at_risk for r in rows], pa.int64()),
        pa.array([r.share for r in rows], pa.float64()),
        pa.array([r.value for r in rows], pa.decimal128(18, 2)),
        pa.array([r.refit_at_risk for r in rows], pa.int64()),
        pa.array([r.refit_value for r in rows], pa.decimal128(18, 2)),
        pa.array([r.baseline for r in rows], pa.float64()),
        pa.array([r.z for r in rows], pa.float64()),
        pa.array([r.is_spike for r in rows], pa.bool_()),
        pa.array([r.status for r in rows], pa.string()),
    ]
    return pa.table(columns, schema=EVALUATED_SCHEMA)
