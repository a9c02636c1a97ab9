"""When a share at risk is a spike: causal, per segment, with a minimum effect and count; a level shift alerts once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.alerts.baseline import WINDOW_DAYS, baseline, combined_z

CALM, WARN, SPIKE, LEVEL_SHIFT, TOO_LITTLE = "calm", "warn", "spike", "level_shift", "too_little_history"
OVERALL = "overall"
#: Payers under contract, who stand beside the buyers of all other segments and are cut by nothing.
CONTRACTS = "contracts"

SHARE, NUMBER, VALUE = MEASURES = ("share", "number", "value")
# Columns of a measure: what it is, what it usually is, its distance from that, and what that is called.
COLUMNS = {
    SHARE: ("share", "baseline", "z", "status"),
    NUMBER: ("at_risk", "at_risk_baseline", "at_risk_z", "at_risk_status"),
    VALUE: ("value_at_risk", "value_baseline", "value_z", "value_status"),
}
_MONEY = pa.decimal128(18, 2)
EVALUATED_SCHEMA = pa.schema([
    ("segment_type", pa.string()), ("segment", pa.string()), ("day", pa.date32()),
    ("scored", pa.int64()), ("at_risk", pa.int64()), ("share", pa.float64()), ("value_at_risk", _MONEY),
    ("refit_at_risk", pa.int64()), ("refit_value", _MONEY),
    ("baseline", pa.float64()), ("z", pa.float64()), ("is_spike", pa.bool_()), ("status", pa.string()),
    ("at_risk_baseline", pa.float64()), ("at_risk_z", pa.float64()), ("at_risk_status", pa.string()),
    ("value_baseline", pa.float64()), ("value_z", pa.float64()), ("value_status", pa.string()),
])  # fmt: skip

# Days of one movement are added up from this z on; up to three of them.
_ADD_UP_FROM = 2.5
_ADD_UP_DAYS = 3
# Degrees of freedom of a median absolute deviation over eight weeks, roughly: it is worth .37 of as many days.
_NOISE_FREEDOM = 30
# Days of a new level are near each other: the smallest is at least this share of the largest.
_LEVEL_EVENNESS = 0.5
# Of the customers: what more of them than this have in common is the company's.
_MINORITY = 0.5
# Standard deviation of the values of one customer, in means.
_VALUES_DIFFER = 2.0
_DIGITS = {SHARE: 6, NUMBER: 2, VALUE: 2}
_LEAST_DEVIATION = {SHARE: 0.001, NUMBER: 0.5, VALUE: 1.0}


@dataclass(frozen=True)
class SpikeRules:
    """Alert rules of kizuna.yaml. Shares are fractions: min_effect 0.05 is five points."""

    z_alert: float = 4.0
    z_warn: float = 3.5
    min_effect: float = 0.05
    # Number and value at risk must rise by this share of what is usual.
    min_rise: float = 0.5
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
class _Verdict:
    """One measure of a day; filled once, rounded as stored, so that a rebuild reads the same."""

    baseline: float | None = None
    z: float | None = None
    status: str | None = None
    # Known while the day is judged: the evidence of this day and those before it, and whether it makes the day a spike.
    strength: float | None = None
    is_spike: bool = False


@dataclass
class _Row:
    """One segment and day with its measures."""

    kind: str
    segment: str
    day: int
    scored: int
    at_risk: int
    share: float
    value: Any
    refit_at_risk: int | None = None
    refit_value: Any = None
    is_spike: bool = False
    verdicts: dict[str, _Verdict] = field(default_factory=lambda: {m: _Verdict() for m in MEASURES})

    def amount(self, measure: str) -> float:
        return self.share if measure == SHARE else float(self.at_risk if measure == NUMBER else self.value)

    def effect(self, measure: str) -> float:
        """How far above what is usual, in the measure's unit."""
        usual = self.verdicts[measure].baseline
        return 0.0 if usual is None else self.amount(measure) - usual

    def chance(self, measure: str) -> Callable[[float], float]:
        """Deviation that so many customers alone make, at an expected value of the measure."""
        scored = max(self.scored, 1)
        if measure == SHARE:
            return lambda share: float(np.sqrt(max(share * (1 - share), 1e-4) / scored))
        if measure == NUMBER:
            return lambda count: float(np.sqrt(max(count * (1 - count / scored), 1e-4 * scored)))
        # Values differ about as much as twice their mean; few customers hold most of a sum.
        usual = max(self.verdicts[NUMBER].baseline or 0.0, 1.0)
        return lambda value: _VALUES_DIFFER * value / float(np.sqrt(usual))

    def least(self, measure: str, rules: SpikeRules) -> float:
        """Effect that a spike of the measure has at least."""
        if measure == SHARE:
            return rules.min_effect
        usual = self.verdicts[measure].baseline or 0.0
        return max(rules.min_rise * usual, float(rules.min_count) if measure == NUMBER else 0.0)


def evaluate(daily: pa.Table, rules: SpikeRules) -> pa.Table:
    """Judge every row that has no status yet; rows that have one keep it unchanged (EVALUATED_SCHEMA, key order).

    `daily`: as from analytics.churn.assess, published history first or not, with or without the judged columns
    (those after refit_value in EVALUATED_SCHEMA). Share, number and value at risk are judged each by itself; a day is a
    spike where one of them is. Days under earlier parameters are compared as if today's had served then: what each
    refit changed by itself (refit_at_risk, refit_value) is added to the days before it. Adding a day and judging it
    gives what judging all days at once gives.
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
    """All segments and measures of one day together, overall last: the more are judged, the stronger the evidence."""
    new = [(own, position) for own, position in todays if own[position].verdicts[SHARE].status is None]
    for own, position in new:
        # The value's own noise depends on how many customers are usual, so the number comes before it.
        for measure in MEASURES:
            _judge(own, position, measure, rules)
    judged = [own[position] for own, position in new]
    verdicts = [v for row in judged for v in row.verdicts.values() if v.strength is not None]
    limit = _discovery_limit([_chance(v.strength or 0.0) for v in verdicts], rules.false_discovery_rate)
    for verdict in verdicts:
        if verdict.status == SPIKE and _chance(verdict.strength or 0.0) > limit:
            verdict.status, verdict.is_spike = WARN, False
    for row in judged:
        row.is_spike = any(v.is_spike for v in row.verdicts.values())
    spiking = [own[position] for own, position in todays if own[position].is_spike]
    segments = [row for row in spiking if row.kind != OVERALL]
    for row in judged:
        for measure, verdict in row.verdicts.items():
            if row.kind == OVERALL and verdict.is_spike and _explained(row, measure, segments, rules):
                verdict.is_spike = False
                verdict.status = WARN if verdict.status == SPIKE else verdict.status
        row.is_spike = any(v.is_spike for v in row.verdicts.values())


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


def _judge(series: list[_Row], position: int, measure: str, rules: SpikeRules) -> None:
    row = series[position]
    own = row.verdicts[measure]
    start = position
    while start > 0 and series[start - 1].day >= row.day - WINDOW_DAYS:
        start -= 1
    window = series[start:position]
    if len(window) < rules.min_history_days or row.scored <= 0:
        own.status = TOO_LITTLE
        return
    regime, usable = _regimes(window, measure, rules.level_shift_days)
    values = np.array([w.amount(measure) for w in window]) + _refitted_since(series[start : position + 1], measure)
    days = np.array([w.day for w in window])
    found = baseline(days, values, usable, regime, row.day, row.chance(measure), _LEAST_DEVIATION[measure])
    own.baseline = round(min(found.expected, 1.0) if measure == SHARE else found.expected, _DIGITS[measure])
    today = row.amount(measure)
    z = _distance(measure, today, found.expected, found.deviation)
    if found.recent is not None and found.step is not None:
        z = max(z, _distance(measure, today, found.recent, found.step), key=abs)
    own.z = round(z, 4)
    rise = today - min(found.expected, found.recent if found.recent is not None else found.expected)
    enough = row.at_risk >= rules.min_count and rise >= row.least(measure, rules)
    own.strength = max(own.z, combined_z(_same_movement(series, position, measure, rules), found.autocorrelation))
    if _shifted(series, position, measure, rules):
        own.status, own.is_spike = LEVEL_SHIFT, enough and own.z > 0
    elif enough and own.strength >= rules.z_alert:
        own.status, own.is_spike = SPIKE, True
    else:
        own.status = WARN if enough and own.z >= rules.z_warn else CALM


def _distance(measure: str, today: float, usual: float, deviation: float) -> float:
    """How many deviations above what is usual.

    Values are products: a few large customers double a sum as easily as they halve it. A rise of the value is therefore
    measured on the scale of logarithms, on which what is usual varies to both sides alike.
    """
    if measure == VALUE and today > usual > 0:
        return float(np.log(today / usual)) * usual / deviation
    return (today - usual) / deviation


def _refitted_since(rows: list[_Row], measure: str) -> Any:
    """Per row but the last: by how much all refits after it, the last row's included, moved the measure."""
    moved = np.zeros(len(rows))
    for place, row in enumerate(rows[1:], start=1):
        if measure == VALUE:
            moved[place] = float(row.refit_value or 0)
        elif row.refit_at_risk:
            # It was measured on the day before; where that is missing the segment was no other size.
            before = rows[place - 1]
            size = before.scored if before.day == row.day - 1 else row.scored
            moved[place] = row.refit_at_risk / (size if measure == SHARE else 1)
    since: Any = np.cumsum(moved[::-1])[::-1][1:]
    return since


def _regimes(window: list[_Row], measure: str, shift_days: int) -> tuple[Any, Any]:
    """Number of the level each day belongs to, and whether the day may form a baseline (spikes may not)."""
    regime = np.zeros(len(window), dtype=np.int64)
    usable = np.array([w.verdicts[measure].status != SPIKE for w in window])
    for position, row in enumerate(window):
        if row.verdicts[measure].status == LEVEL_SHIFT:
            first = max(0, position - shift_days + 1)
            regime[first:] += 1
            usable[first : position + 1] = True
    if not usable.any():
        usable[:] = True
    return regime, usable


def _same_movement(series: list[_Row], position: int, measure: str, rules: SpikeRules) -> list[float]:
    """z of this day and of the days right before it that rose as well, newest first."""
    together: list[float] = []
    for row in reversed(series[max(0, position - _ADD_UP_DAYS + 1) : position + 1]):
        own = row.verdicts[measure]
        if own.z is None or own.z < _ADD_UP_FROM or own.status == LEVEL_SHIFT:
            break
        if row.effect(measure) < row.least(measure, rules):
            break
        together.append(own.z)
    return together or [series[position].verdicts[measure].z or 0.0]


def _shifted(series: list[_Row], position: int, measure: str, rules: SpikeRules) -> bool:
    """Whether the last days, this one included, all left the baseline to the same side."""
    rows = series[max(0, position - rules.level_shift_days + 1) : position + 1]
    last = [row.verdicts[measure] for row in rows]
    if len(last) < rules.level_shift_days or any(v.status == LEVEL_SHIFT for v in last):
        return False
    sides = [0 if v.z is None else int(np.sign(v.z)) for v in last]
    effects = [abs(row.effect(measure)) for row in rows]
    left = all(
        abs(v.z or 0.0) >= rules.z_warn and effect >= row.least(measure, rules)
        for row, v, effect in zip(rows, last, effects, strict=True)
    )
    return left and len(set(sides)) == 1 and min(effects) >= _LEVEL_EVENNESS * max(effects)


def _explained(overall: _Row, measure: str, spiking: list[_Row], rules: SpikeRules) -> bool:
    """Whether the overall rise is that of one or two segments which alert themselves: then it is no second alert.

    Segments that hold most of the customers explain nothing: what rises in them rises in the company.
    """
    size = overall.scored if measure == SHARE else 1
    for kind in {r.kind for r in spiking}:
        own = [(r.effect(measure) * (r.scored if measure == SHARE else 1), r.scored) for r in spiking if r.kind == kind]
        most = sorted(own, reverse=True)[: rules.max_separate_segments]
        if sum(scored for _, scored in most) > _MINORITY * overall.scored:
            continue
        if (overall.effect(measure) * size - sum(excess for excess, _ in most)) / size < overall.least(measure, rules):
            return True
    return False


def _rows(daily: pa.Table) -> list[_Row]:
    days = daily["day"].cast(pa.date32()).cast(pa.int32()).to_pylist()
    rows = []
    for day, r in zip(days, daily.to_pylist(), strict=True):
        row = _Row(
            r["segment_type"], r["segment"], day, r["scored"], r["at_risk"], r["share"], r["value_at_risk"],
            r.get("refit_at_risk"), r.get("refit_value"), bool(r.get("is_spike")),
        )  # fmt: skip
        if r.get("status") is not None:
            for measure, (_, *judged) in COLUMNS.items():
                row.verdicts[measure] = _Verdict(*(r.get(column) for column in judged))
        rows.append(row)
    return rows


def _table(rows: list[_Row]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "segment_type": [r.kind for r in rows],
        "segment": [r.segment for r in rows],
        "day": [r.day for r in rows],
        "scored": [r.scored for r in rows],
        "at_risk": [r.at_risk for r in rows],
        "share": [r.share for r in rows],
        "value_at_risk": [r.value for r in rows],
        "refit_at_risk": [r.refit_at_risk for r in rows],
        "refit_value": [r.refit_value for r in rows],
        "is_spike": [r.is_spike for r in rows],
    }
    for measure, (_, usual, z, status) in COLUMNS.items():
        columns[usual] = [r.verdicts[measure].baseline for r in rows]
        columns[z] = [r.verdicts[measure].z for r in rows]
        columns[status] = [r.verdicts[measure].status for r in rows]
    arrays = [
        pa.array(columns[f.name], pa.int32()).cast(f.type) if f.name == "day" else pa.array(columns[f.name], f.type)
        for f in EVALUATED_SCHEMA
    ]
    return pa.table(arrays, schema=EVALUATED_SCHEMA)
