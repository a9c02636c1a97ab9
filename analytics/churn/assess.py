"""One call per build: every customer's score on `as_of`, and each day's shares per segment, from the same numbers.

Parameters of a day are those fitted at the end of the Sunday before it, always: a day computed in the first build,
in a later one, or again in a rebuild has the same score, and nothing of a day depends on the days after it.

New parameters move some customers over the limit of a band though nothing happened to them. On the first day they serve
(a Monday) the rows say how much: the Sunday before is counted under the old parameters and under the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.churn.drivers import PURCHASES, WORTH_SAYING, Drivers, Locale, driver_codes, drivers_in_words, strongest
from analytics.churn.frames import Ints, day_number, day_of, decimals_from, need_columns
from analytics.churn.rules import MODEL_UNTRAINED, ChurnRules
from analytics.churn.scoring import ChurnModel, Scores, fit_churn_model, score_customers
from analytics.churn.timeline import Purchases, Timeline
from analytics.churn.training import Evaluation, Examples, TooFewExamples
from analytics.ltv.maximise import FitFailed, TooLittleHistory

OVERALL = ("overall", "all")
UNKNOWN = "unknown"
FIRST_BUILD_DAYS = 70

_BANDS = ("high", "medium", "low", "lapsed", "not_scored", "withheld")
_WHY = ("", "no_purchase", "too_little_history", "fit_failed", "below_floor", "leak_suspected", "lapsed")

_MONEY = pa.decimal128(18, 2)
SCORES_SCHEMA = pa.schema([
    ("customer_id", pa.string()), ("as_of", pa.date32()), ("probability", pa.float64()), ("p_alive", pa.float64()),
    ("band", pa.string()), ("reason", pa.string()),
    ("driver_1", pa.string()), ("driver_2", pa.string()), ("driver_3", pa.string()),
    ("driver_1_effect", pa.float64()), ("driver_2_effect", pa.float64()), ("driver_3_effect", pa.float64()),
    ("driver_1_code", pa.string()), ("driver_2_code", pa.string()), ("driver_3_code", pa.string()),
    ("expected_purchases", pa.float64()), ("expected_value", _MONEY), ("value_at_risk", _MONEY), ("model", pa.string()),
    ("discounted_value", _MONEY), ("value_low", _MONEY), ("value_high", _MONEY),
])  # fmt: skip
DAILY_SCHEMA = pa.schema([
    ("segment_type", pa.string()), ("segment", pa.string()), ("day", pa.date32()),
    ("scored", pa.int64()), ("at_risk", pa.int64()), ("share", pa.float64()), ("value_at_risk", _MONEY),
    ("refit_at_risk", pa.int64()), ("refit_value", _MONEY),
])  # fmt: skip
DRIVER_DAILY_SCHEMA = pa.schema([
    ("segment_type", pa.string()), ("segment", pa.string()), ("day", pa.date32()),
    ("driver", pa.string()), ("customers", pa.int64()),
])  # fmt: skip
_DRIVER_TYPES = (pa.string(), pa.string(), pa.int32(), pa.string(), pa.int64())


@dataclass(frozen=True)
class Assessment:
    """Result of `assess`.

    scores: one row per customer given (SCORES_SCHEMA, by customer_id). band: high | medium | low | lapsed (silent
      for two horizons: gone, no longer at risk) | not_scored (reason no_purchase) | withheld (reason
      too_little_history, fit_failed, below_floor or leak_suspected).
    driver_N_effect is the driver's exact part of the log-odds (negative: speaks for staying).
    daily: segment x day on which somebody was scored (DAILY_SCHEMA, in key order); at_risk counts band high, and
      value_at_risk is the sum over those customers. Ready for analytics.alerts.rules.evaluate.
      refit_at_risk, refit_value: what the new parameters of a Monday alone changed, measured on the day before it;
      NULL on other days, and where that Sunday had no parameters or those of another model.
    driver_daily: customers at high risk per segment, day and driver (DRIVER_DAILY_SCHEMA). For messages only: give
      `days` one earlier day at least (a week before is enough), else everything looks new.
    models: the parameters per fitting Sunday; withheld: the reason in words where there are none.
    """

    scores: pa.Table
    daily: pa.Table
    driver_daily: pa.Table
    models: Mapping[date, ChurnModel]
    withheld: Mapping[date, str]
    # How the model of today did on a later period than it was trained on; None where nothing was trained.
    evaluation: Evaluation | None
    # Why nothing could be trained, '' where it was.
    untrained: str

    def model_of(self, day: date) -> str:
        """Name of the model that scored a day."""
        return self.models[day_of(_sunday_before(day_number(day)))].name


@dataclass(frozen=True)
class _Segments:
    """Segments as number per customer: `of[k]` holds the position in `names` for segment type k."""

    names: list[tuple[str, str]]
    of: list[Ints]


def days_to_assess(as_of: date, last_published: date | None) -> list[date]:
    """The 70 days to `as_of` for a first build; afterwards only the days since the last published one.

    A build for a day that is already published (or earlier) computes that day alone.
    """
    start = as_of - timedelta(days=FIRST_BUILD_DAYS - 1)
    if last_published is not None:
        start = min(as_of, max(start, last_published + timedelta(days=1)))
    return [start + timedelta(days=n) for n in range((as_of - start).days + 1)]


def assess(
    customers: pa.Table,
    orders: pa.Table,
    signals: pa.Table,
    refunds: pa.Table | None = None,
    *,
    as_of: date,
    days: Sequence[date],
    rules: ChurnRules,
    earlier: Sequence[date] = (),
    segments: Sequence[str] = ("region",),
    locale: Locale = "ja",
) -> Assessment:
    """Score everybody on `as_of` and aggregate each of `days` (as_of is always among them).

    earlier: further days, in `driver_daily` only: what the drivers of `days` are compared with.

    customers: customer_id (unique) and one column per name in `segments`; decides who is judged, NULL is 'unknown'.
      A customer's segment is today's on past days too: attributes carry no dates.
    orders: customer_id, ordered_on (local date), amount (money in the reporting currency): counted orders only.
      Give `amount` before refunds and the refunds apart, else a past day's value knows about later refunds.
    signals: customer_id, signal, start_on, end_on as from signals_from_facts.
    refunds: customer_id, refunded_on, amount; one without a known date counts on its order's day.
    Raises ValueError on missing columns, days after as_of, double customers, signals without a weight.
    """
    need_columns("customers", customers, ("customer_id", *segments))
    daily_on = {day_number(d) for d in days} | {day_number(as_of)}
    wanted = sorted(daily_on | {day_number(d) for d in earlier})
    if wanted[-1] > day_number(as_of):
        raise ValueError(f"{day_of(wanted[-1])} lies after as_of {as_of}")
    customers = customers.sort_by("customer_id")
    ids = pc.cast(customers["customer_id"], pa.string()).combine_chunks()
    if ids.null_count or pc.any(pc.equal(ids[1:], ids[:-1])).as_py():
        raise ValueError("customers must hold every customer_id once and no NULL")
    groups = _segments(customers, segments)
    timeline = Timeline(ids, orders, signals, refunds, rules.codes)
    today = wanted[-1]
    refits = {day - 1 for day in daily_on if _sunday_before(day) == day - 1}
    sundays = {_sunday_before(day) for day in wanted} | {sunday - 7 for sunday in refits}
    daily, drivers, fits = _DailyRows(groups), _DriverRows(groups, rules), _Fits(rules)
    examples = Examples(rules)
    learning = set().union(*(examples.days_needed(sunday) for sunday in sundays))
    evaluation: Evaluation | None = None
    for day in sorted({*wanted, *sundays, *learning}):
        timeline.advance(day)
        if day in learning:
            examples.visit(timeline)
        if day not in wanted and day not in sundays:
            continue
        purchases, active = timeline.purchases(), timeline.signals()
        if day in sundays:
            fits.fit(purchases, examples)
        model = fits.models.get(day_of(_sunday_before(day)))
        scores = None
        if day in wanted and model is not None:
            scores = score_customers(model, purchases, active, rules, value_of_all=day == today)
            who = purchases.bought if day == today else purchases.active(rules.lapsed_days)
            if day in daily_on:
                daily.add(day, who, scores)
            drivers.add(day, who, scores, active, model.weights(rules))
        newer = fits.models.get(day_of(day))
        if day in refits and model is not None and newer is not None and newer.name == model.name:
            under = [score_customers(m, purchases, active, rules, value_of_all=False) for m in (model, newer)]
            daily.refit(day + 1, purchases.active(rules.lapsed_days), *under)
    sunday = _sunday_before(today)
    if model is not None and model.trained is not None:
        evaluation = examples.evaluate(sunday, purchases, active)
    reason = fits.reasons.get(sunday, "")
    hidden = evaluation.withheld(rules.floor) if evaluation else ""
    found = _Found(purchases, scores, active, timeline.signal_ages(), model, reason, hidden)
    table = _scores_table(ids, as_of, found, rules, locale)
    return Assessment(
        table,
        daily.table() if not hidden else DAILY_SCHEMA.empty_table(),
        drivers.table() if not hidden else DRIVER_DAILY_SCHEMA.empty_table(),
        fits.models,
        fits.withheld,
        evaluation,
        fits.untrained.get(sunday, ""),
    )


@dataclass(frozen=True)
class _Found:
    """Everything about the day that is scored; `hidden` is why no probability may be shown."""

    purchases: Purchases
    scores: Scores | None
    active: npt.NDArray[np.bool_]
    ages: Ints
    model: ChurnModel | None
    reason: str
    hidden: str


class _Fits:
    """Parameters per fitting Sunday, or why there are none."""

    def __init__(self, rules: ChurnRules) -> None:
        self._rules = rules
        self.models: dict[date, ChurnModel] = {}
        self.reasons: dict[int, str] = {}
        self.withheld: dict[date, str] = {}
        self.untrained: dict[int, str] = {}

    def fit(self, purchases: Purchases, examples: Examples) -> None:
        trained = None
        try:
            trained = examples.fit(purchases.day)
        except (TooFewExamples, FitFailed) as short:
            self.untrained[purchases.day] = str(short)
        try:
            self.models[day_of(purchases.day)] = fit_churn_model(purchases, self._rules, trained)
        except TooLittleHistory as short:
            self.reasons[purchases.day], self.withheld[day_of(purchases.day)] = "too_little_history", str(short)
        except FitFailed as failed:
            self.reasons[purchases.day], self.withheld[day_of(purchases.day)] = "fit_failed", str(failed)


def _sunday_before(day: int) -> int:
    """The Sunday that ended before `day`'s own week began; 1970-01-01 was a Thursday."""
    return day - (day + 3) % 7 - 1


def _segments(customers: pa.Table, types: Sequence[str]) -> _Segments:
    names = [OVERALL]
    of: list[Ints] = [np.zeros(customers.num_rows, dtype=np.int64)]
    for kind in types:
        column = pc.fill_null(pc.cast(customers[kind], pa.string()), UNKNOWN).combine_chunks()
        values = sorted(pc.unique(column).to_pylist())
        position = pc.index_in(column, value_set=pa.array(values, pa.string())).to_numpy(zero_copy_only=False)
        of.append(position.astype(np.int64) + len(names))
        names += [(kind, v) for v in values]
    return _Segments(names, of)


class _DailyRows:
    """Counts and exact sums per segment, collected day by day."""

    def __init__(self, groups: _Segments) -> None:
        self._groups = groups
        self._rows: list[tuple[Any, ...]] = []
        self._moved: dict[int, tuple[Ints, Ints]] = {}

    def add(self, day: int, who: npt.NDArray[np.bool_], scores: Scores) -> None:
        scored, at_risk, value = self._sums(who, scores)
        moved = self._moved.get(day)
        for k in np.flatnonzero(scored):
            kind, name = self._groups.names[k]
            refit = (None, None) if moved is None else (int(moved[0][k]), int(moved[1][k]))
            self._rows.append((kind, name, day, int(scored[k]), int(at_risk[k]), int(value[k]), *refit))

    def refit(self, day: int, who: npt.NDArray[np.bool_], before: Scores, after: Scores) -> None:
        """What parameters that serve from `day` on changed: the same customers on the day before, scored by both."""
        (_, old_risk, old_value), (_, new_risk, new_value) = self._sums(who, before), self._sums(who, after)
        self._moved[day] = new_risk - old_risk, new_value - old_value

    def _sums(self, who: npt.NDArray[np.bool_], scores: Scores) -> tuple[Ints, Ints, Ints]:
        size = len(self._groups.names)
        scored, at_risk, value = (np.zeros(size, dtype=np.int64) for _ in range(3))
        for of in self._groups.of:
            mine = of[who]
            scored += np.bincount(mine[scores.judged], minlength=size)
            at_risk += np.bincount(mine[scores.high], minlength=size)
            np.add.at(value, mine[scores.high], scores.value_at_risk[scores.high])
        return scored, at_risk, value

    def table(self) -> pa.Table:
        rows = sorted(self._rows, key=lambda row: row[:3])
        columns = [list(c) for c in zip(*rows, strict=True)] if rows else [[]] * 8
        kinds, names, days, scored, at_risk, value, refit_risk, refit_value = columns
        known = np.array([v is not None for v in refit_value], dtype=bool)
        return pa.table(
            {
                "segment_type": pa.array(kinds, pa.string()),
                "segment": pa.array(names, pa.string()),
                "day": pa.array(days, pa.int32()).cast(pa.date32()),
                "scored": pa.array(scored, pa.int64()),
                "at_risk": pa.array(at_risk, pa.int64()),
                "share": pa.array([round(a / s, 6) for a, s in zip(at_risk, scored, strict=True)], pa.float64()),
                "value_at_risk": decimals_from(np.array(value, dtype=np.int64)),
                "refit_at_risk": pa.array(refit_risk, pa.int64()),
                "refit_value": decimals_from(np.array([v or 0 for v in refit_value], dtype=np.int64), known),
            },
            schema=DAILY_SCHEMA,
        )


class _DriverRows:
    """How many customers at high risk carry each driver, per segment and day."""

    def __init__(self, groups: _Segments, rules: ChurnRules) -> None:
        self._groups = groups
        self._rules = rules
        self._rows: list[tuple[str, str, int, str, int]] = []

    def add(
        self,
        day: int,
        who: npt.NDArray[np.bool_],
        scores: Scores,
        active: npt.NDArray[np.bool_],
        weights: tuple[float, ...],
    ) -> None:
        high = scores.high
        # Buying behaviour counts as the driver where it would put the customer at high risk by itself.
        alone = float(np.log(self._rules.high / (1 - self._rules.high)))
        carriers = {PURCHASES: high & (scores.log_odds_buying >= alone)}
        for code, weight, on in zip(self._rules.codes, weights, active, strict=True):
            if weight >= WORTH_SAYING:
                carriers[code] = high & on[who]
        size = len(self._groups.names)
        for of in self._groups.of:
            mine = of[who]
            for code, mask in carriers.items():
                counts = np.bincount(mine[mask], minlength=size)
                self._rows += [(*self._groups.names[k], day, code, int(counts[k])) for k in np.flatnonzero(counts)]

    def table(self) -> pa.Table:
        rows = sorted(self._rows)
        columns: list[list[Any]] = [list(c) for c in zip(*rows, strict=True)] if rows else [[], [], [], [], []]
        arrays = [pa.array(c, t) for c, t in zip(columns, _DRIVER_TYPES, strict=True)]
        return pa.table([*arrays[:2], arrays[2].cast(pa.date32()), *arrays[3:]], schema=DRIVER_DAILY_SCHEMA)


def _scores_table(ids: pa.Array, as_of: date, found: _Found, rules: ChurnRules, locale: Locale) -> pa.Table:
    bought, scores = found.purchases.bought, found.scores
    why = np.where(bought, _WHY.index(found.reason) if scores is None else 0, _WHY.index("no_purchase"))
    band = np.where(bought, _BANDS.index("withheld"), _BANDS.index("not_scored"))
    columns: dict[str, Any] = {n: pa.nulls(len(ids), SCORES_SCHEMA.field(n).type) for n in SCORES_SCHEMA.names}
    if scores is not None and found.model is not None:
        shown = scores.judged & (not found.hidden)
        band[bought] = np.where(scores.high, 0, np.where(scores.medium, 1, 2))
        place = np.full(len(ids), -1, dtype=np.int64)
        place[bought] = np.arange(int(bought.sum()))
        if found.hidden:
            band[bought], why[bought] = _BANDS.index("withheld"), _WHY.index(found.hidden)
        gone = np.flatnonzero(bought)[~scores.judged]
        band[gone], why[gone] = _BANDS.index("lapsed"), _WHY.index("lapsed")
        index = pa.array(place, mask=place < 0)
        drivers = _drivers_of(found, scores, found.model.weights(rules), shown, rules)
        dense: dict[str, Any] = {
            "probability": pa.array(scores.probability, mask=~shown),
            "p_alive": pa.array(scores.p_alive),
            "expected_purchases": pa.array(scores.expected_purchases),
            "expected_value": decimals_from(scores.expected_value),
            "value_at_risk": decimals_from(scores.value_at_risk, shown),
            "discounted_value": decimals_from(scores.discounted_value),
            "value_low": decimals_from(scores.value_low),
            "value_high": decimals_from(scores.value_high),
        }
        words = zip(drivers_in_words(drivers, locale), driver_codes(drivers), strict=True)
        for rank, (sentence, code) in enumerate(words, 1):
            effect = pa.array(drivers.contribution[:, rank - 1].round(6), mask=drivers.code[:, rank - 1] < 0)
            dense |= {f"driver_{rank}": sentence, f"driver_{rank}_code": code, f"driver_{rank}_effect": effect}
        columns |= {name: column.take(index) for name, column in dense.items()}
    columns |= {
        "customer_id": ids,
        "as_of": pa.repeat(pa.scalar(as_of, pa.date32()), len(ids)),
        "band": pa.array(_BANDS).take(pa.array(band)),
        "reason": pa.array(_WHY).take(pa.array(why, mask=why == 0)),
        "model": pa.repeat(pa.scalar(found.model.name if found.model else MODEL_UNTRAINED), len(ids)),
    }
    return pa.table(columns, schema=SCORES_SCHEMA)


def _drivers_of(
    found: _Found, scores: Scores, weights: tuple[float, ...], shown: npt.NDArray[np.bool_], rules: ChurnRules
) -> Drivers:
    purchases, bought = found.purchases, found.purchases.bought
    repeats = purchases.purchase_days[bought] - 1
    span = purchases.last[bought] - purchases.first[bought]
    usual = np.where(repeats > 0, np.rint(span / np.maximum(repeats, 1)), 0).astype(np.int64)
    since = purchases.day - purchases.last[bought]
    return strongest(
        scores.log_odds_buying, shown, since, usual, found.active[:, bought], found.ages[:, bought], rules, weights
    )
