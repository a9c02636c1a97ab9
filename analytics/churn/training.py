"""The score learns from the company's own past: weekly days on which everybody's features are kept, and what followed.

An example is an active customer on a day t, what was known at the end of t, and whether the next `horizon_days` brought
no purchase. A model of Sunday S is fitted on the examples of twelve weekly days whose horizon was over on S, and judged
on the youngest of them by a model that saw only examples whose horizon was over before that day began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analytics.churn.behaviour import NAMES, behaviour, pace_of
from analytics.churn.frames import Ints
from analytics.churn.judge import Verdict, auc, drift, judge
from analytics.churn.logistic import Belief, Columns, Logistic, fit_logistic
from analytics.churn.rules import ChurnRules
from analytics.churn.timeline import Purchases, Timeline
from analytics.ltv.maximise import Floats

Flags = npt.NDArray[np.bool_]

WEEK = 7
SNAPSHOTS = 12
#: Customers per day of examples: more change no coefficient's second digit, and the time of a build stays bounded.
SAMPLE = 20_000
#: How firmly the judged weights are held, in log-odds: about 80 people with the signal outweigh them.
BELIEF_SD = 0.5
#: Likewise of the columns of behaviour, around 0 and per standard deviation: they say much the same, and a small
#: company would fit the noise between them.
BEHAVIOUR_SD = 1.0
#: Nobody can know who will buy better than this; whoever seems to has read the answer.
TOO_GOOD = 0.97
DRIFTED = 0.25


class TooFewExamples(ValueError):
    """The company's past is too short, or too small, to learn from and to judge what was learnt."""


@dataclass(frozen=True)
class Evaluation:
    """The model against a period later than all it was trained on.

    drift: stability index of each feature between the newest examples and the day that is scored now.
    leaks: features which alone tell the outcome apart better than anybody can, or `model` for all of them together.
    """

    day: int
    verdict: Verdict
    drift: Mapping[str, float]
    leaks: tuple[str, ...]

    def withheld(self, floor: float) -> str:
        """Why the scores may not be shown, '' where they may. Two standard errors are granted to a small company."""
        if self.leaks:
            return "leak_suspected"
        if self.verdict.auc + 2 * self.verdict.auc_error < floor:
            return "below_floor"
        enough = min(self.verdict.happened, self.verdict.customers - self.verdict.happened) >= 200
        return "below_floor" if enough and not 0.5 <= self.verdict.slope <= 2.0 else ""

    @property
    def drifted(self) -> tuple[str, ...]:
        """Features whose distribution is another one by now, worst first."""
        found = sorted(((v, k) for k, v in self.drift.items() if v > DRIFTED), reverse=True)
        return tuple(k for _, k in found)


def evaluated(day: int, model: Logistic, columns: Columns, happened: Flags, now: Columns) -> Evaluation:
    """Judge `model` on the examples of `day`; `now` are the columns of those who are scored today.

    Raises FitFailed where only one of the two outcomes occurred.
    """
    verdict = judge(model.probability(columns), happened)
    drifts = {name: drift(was, is_now) for name, was, is_now in zip(model.names, columns, now, strict=True)}
    alone = [max(a, 1 - a) for a in (auc(column, happened) for column in columns)]
    leaks = [name for name, a in zip(model.names, alone, strict=True) if a >= TOO_GOOD]
    if verdict.auc >= TOO_GOOD and not leaks:
        leaks = ["model"]
    return Evaluation(day, verdict, drifts, tuple(leaks))


@dataclass(frozen=True)
class Trained:
    """log-odds = those of the buying behaviour + the weight of each signal that is on."""

    model: Logistic
    weights: tuple[float, ...]
    pace: float
    horizon_days: int
    examples: int

    def buying(self, purchases: Purchases, chosen: Flags) -> Floats:
        """Log-odds by buying behaviour alone, no signal being on."""
        columns = behaviour(purchases, chosen, self.pace, self.horizon_days)
        parts = (columns - self.model.centre[: len(NAMES)]) * self.model.slope[: len(NAMES)]
        none = -float(np.sum(self.model.centre[len(NAMES) :] * self.model.slope[len(NAMES) :]))
        odds: Floats = self.model.intercept + none + parts.sum(axis=1)
        return odds


@dataclass(frozen=True)
class _Snapshot:
    purchases: Purchases
    signals: Flags
    customers: Ints
    stayed_away: Flags | None = None


class Examples:
    """Keeps examples as time passes and fits on them; one object per `assess`."""

    def __init__(self, rules: ChurnRules) -> None:
        self._rules = rules
        self._days: dict[int, _Snapshot] = {}
        self._begins: set[int] = set()

    def days_needed(self, sunday: int) -> set[int]:
        """Days to `visit` for a model of `sunday` that is judged too: of examples, and those on which they end."""
        ends = {sunday - WEEK * k for k in range(SNAPSHOTS - (-self._rules.horizon_days // WEEK))}
        self._begins |= {day - self._rules.horizon_days for day in ends}
        return ends | self._begins

    def visit(self, timeline: Timeline) -> None:
        """Label the examples whose horizon ends with this day, and keep those of this day."""
        purchases = timeline.purchases(copied=False)
        begun = purchases.day - self._rules.horizon_days
        if begun in self._days:
            old = self._days[begun]
            self._days[begun] = replace(old, stayed_away=purchases.last[old.customers] <= begun)
        if purchases.day not in self._begins:
            return
        active = np.flatnonzero(purchases.active(self._rules.lapsed_days))
        step = -(-len(active) // SAMPLE) or 1
        # Every week another part, so that a large company is seen whole; order is that of the ids, which are hashes.
        chosen = active[(purchases.day // WEEK) % step :: step]
        self._days[purchases.day] = _Snapshot(purchases.of(chosen), timeline.signals(chosen), chosen)

    def fit(self, sunday: int) -> Trained:
        """Model of `sunday`. Raises TooFewExamples unless one can be fitted and judged, FitFailed without maximum."""
        self._enough(self._over(sunday - self._rules.horizon_days))
        return self._fitted(self._over(sunday))

    def evaluate(self, sunday: int, purchases: Purchases, signals: Flags) -> Evaluation:
        """Judge on the youngest examples, by a model made of examples that were over before those began."""
        judged = sunday - self._rules.horizon_days
        newest = self._days[judged]
        assert newest.stayed_away is not None
        earlier = self._fitted(self._over(judged))
        active = purchases.active(self._rules.lapsed_days)
        now = behaviour(purchases, active, earlier.pace, self._rules.horizon_days)
        return evaluated(
            judged,
            earlier.model,
            self._values(newest, earlier.pace).T,
            newest.stayed_away,
            [*now.T, *(on[active] for on in signals)],
        )

    def _over(self, sunday: int) -> list[_Snapshot]:
        """The twelve youngest days of examples whose horizon was over by `sunday`."""
        last = sunday - self._rules.horizon_days
        latest = max((d for d, s in self._days.items() if d <= last and s.stayed_away is not None), default=None)
        if latest is None:
            return []
        found = [self._days.get(latest - WEEK * k) for k in range(SNAPSHOTS)]
        return [s for s in found if s is not None and s.stayed_away is not None]

    def _enough(self, snapshots: list[_Snapshot]) -> None:
        rows = sum(len(s.customers) for s in snapshots)
        away = sum(int(s.stayed_away.sum()) for s in snapshots if s.stayed_away is not None)
        few = min((len(s.customers) for s in snapshots), default=0)
        least = self._rules.min_customers // 5
        if len(snapshots) < SNAPSHOTS or few < least or min(away, rows - away) < self._rules.min_customers:
            raise TooFewExamples(
                f"{len(snapshots)} weeks of examples with at least {few} active customers, {away} of {rows} stayed "
                f"away; needed are {SNAPSHOTS} weeks with {least}, and {self._rules.min_customers} of either outcome"
            )

    def _fitted(self, snapshots: list[_Snapshot]) -> Trained:
        self._enough(snapshots)
        oldest = snapshots[-1].purchases
        pace = pace_of(oldest, oldest.bought)
        values = np.concatenate([self._values(s, pace) for s in snapshots])
        away = np.concatenate([s.stayed_away for s in snapshots if s.stayed_away is not None])
        # Weekly days share most of their horizon: twelve rows of a customer tell as much as two or three.
        overlap = SNAPSHOTS / (1 + WEEK * (SNAPSHOTS - 1) / self._rules.horizon_days)
        beliefs = {s.code: Belief(s.weight, BELIEF_SD / float(np.sqrt(overlap))) for s in self._rules.signals}
        names = (*NAMES, *self._rules.codes)
        model = fit_logistic(names, values, away, beliefs=beliefs, spread=BEHAVIOUR_SD / float(np.sqrt(overlap)))
        weights = tuple(float(w) for w in model.slope[len(NAMES) :])
        return Trained(model, weights, pace, self._rules.horizon_days, len(away))

    def _values(self, snapshot: _Snapshot, pace: float) -> Floats:
        buying = behaviour(snapshot.purchases, snapshot.purchases.bought, pace, self._rules.horizon_days)
        return np.concatenate([buying, snapshot.signals.T], axis=1)
