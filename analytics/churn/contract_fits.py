"""The regression of contracts that end: learnt per Sunday of weekly days whose horizon is over, read per payer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.churn.contracts import DRIVER_OF, MONTH_DAYS, PLAN, TERMS, ContractBook, State
from analytics.churn.drivers import DRIVERS_PER_CUSTOMER, WORTH_SAYING, Drivers
from analytics.churn.frames import Ints
from analytics.churn.logistic import Belief, Logistic, fit_logistic
from analytics.churn.rules import ContractRules
from analytics.churn.training import BEHAVIOUR_SD, BELIEF_SD, SAMPLE, SNAPSHOTS, WEEK
from analytics.ltv.maximise import FitFailed, Floats

Flags = npt.NDArray[np.bool_]

#: A plan is a column of its own from so many examples on.
_PLAN_MIN = 50
_FLOOR, _CEILING = 0.001, 0.999


class TooFewEnded(ValueError):
    """Too few payers left, or stayed, to learn from and to judge what was learnt."""


@dataclass(frozen=True)
class ContractModel:
    """Parameters; `plans` are positions in the book's plan names, `ended` the share of examples that left."""

    logistic: Logistic
    plans: tuple[int, ...]
    ended: float


@dataclass(frozen=True)
class _Example:
    """Payers kept on one weekly day, and whether each had left one horizon later."""

    state: State
    left: Flags


class ContractFits:
    """Models by Sunday; what was known on the weekly days that they share is looked up once."""

    def __init__(self, book: ContractBook, rules: ContractRules) -> None:
        self._book = book
        self._rules = rules
        self._examples: dict[int, _Example] = {}
        self._models: dict[int, ContractModel] = {}

    def known(self, sunday: int) -> ContractModel | None:
        """Model of `sunday`, None where nothing can be learnt."""
        try:
            return self.fit(sunday)
        except (TooFewEnded, FitFailed):
            return None

    def fit(self, sunday: int) -> ContractModel:
        """Model of `sunday`, of examples whose horizon was over. Raises TooFewEnded, FitFailed."""
        if sunday not in self._models:
            self._models[sunday] = self._fitted(sunday)
        return self._models[sunday]

    def _fitted(self, sunday: int) -> ContractModel:
        book, rules = self._book, self._rules
        examples = [self._example(sunday - rules.horizon_days - WEEK * k) for k in range(SNAPSHOTS)]
        happened = np.concatenate([e.left for e in examples])
        payers = np.concatenate([e.state.who for e in examples])
        ended, stayed = (len(np.unique(payers[mine])) for mine in (happened, ~happened))
        if min(ended, stayed) < rules.min_ended:
            raise TooFewEnded(
                f"of the payers under contract in {SNAPSHOTS} weeks {ended} left and {stayed} stayed; needed are "
                f"{rules.min_ended} of either, now and one horizon ago"
            )
        plans = tuple(
            k for k in range(len(book.plan_names)) if sum(int(e.state.plans[k].sum()) for e in examples) >= _PLAN_MIN
        )
        values = np.concatenate([e.state.values(plans) for e in examples])
        # Weekly days share most of their horizon: twelve rows of a payer tell as much as two or three.
        held = float(np.sqrt(SNAPSHOTS / (1 + WEEK * (SNAPSHOTS - 1) / rules.horizon_days)))
        logistic = learn_contracts(names_of(book, plans, rules), values, happened, rules, held)
        return ContractModel(logistic, plans, float(happened.mean()))

    def _example(self, day: int) -> _Example:
        if day not in self._examples:
            state = self._book.at(day, self._rules.horizon_days, most=SAMPLE)
            self._examples[day] = _Example(state, ~self._book.kept(day + self._rules.horizon_days)[state.who])
        return self._examples[day]


def names_of(book: ContractBook, plans: tuple[int, ...], rules: ContractRules) -> tuple[str, ...]:
    """Columns of `State.values`."""
    return (*TERMS, *(f"plan {book.plan_names[k]}" for k in plans), *rules.codes)


def learn_contracts(
    names: tuple[str, ...], values: Floats, left: Flags, rules: ContractRules, held: float = 1.0
) -> Logistic:
    """The regression itself; `held`: how many times as firmly beliefs are held because examples repeat each other."""
    beliefs = {s.code: Belief(s.weight, BELIEF_SD / held) for s in rules.signals}
    return fit_logistic(names, values, left, beliefs=beliefs, spread=BEHAVIOUR_SD / held)


def sized(state: State, model: ContractModel, rules: ContractRules) -> tuple[Floats, Ints, Ints]:
    """(probability, worth, value at risk) of the payers of `state`; money in hundredths.

    A contract is worth what it brings in a year if its payer stays as long as payers usually do.
    """
    probability = np.clip(model.logistic.probability(state.columns(model.plans)), _FLOOR, _CEILING).round(6)
    stays = (1 - model.ended) ** (MONTH_DAYS / rules.horizon_days)
    months = float(np.sum(stays ** np.arange(1, 13)))
    worth = np.rint(state.monthly * months).astype(np.int64)
    return probability, worth, np.rint(probability * worth).astype(np.int64)


def drivers_of(
    state: State,
    model: ContractModel,
    rules: ContractRules,
    chosen: Flags,
    shown: bool = True,
    ages: Ints | None = None,
) -> Drivers:
    """The three largest exact parts of the log-odds of the chosen payers; columns that say the same are one driver.

    What belongs to the contract is counted against the median of all payers; a signal contributes its weight. `shown`:
    whether anything may be said. `ages` of signals, shape (signals, payers), where days are asked for.
    """
    names, columns = model.logistic.names, state.columns(model.plans)
    of = [DRIVER_OF.get(name, PLAN if name.startswith("plan ") else name) for name in names]
    codes = tuple(dict.fromkeys(of))
    parts = []
    for code in codes:
        mine = [k for k, name in enumerate(of) if name == code]
        if code in rules.codes or not shown:
            part = sum(columns[k][chosen] * model.logistic.slope[k] for k in mine)
        else:
            whole = sum(columns[k] * model.logistic.slope[k] for k in mine)
            part = whole[chosen] - (float(np.median(whole)) if len(whole) else 0.0)
        parts.append(np.round(part, 6))
    contribution = np.stack(parts, axis=1)
    first = np.argsort(-np.abs(contribution), axis=1, kind="stable")[:, :DRIVERS_PER_CUSTOMER].astype(np.int64)
    size = np.take_along_axis(contribution, first, axis=1)
    silent = (np.abs(size) < WORTH_SAYING) | (not shown)
    days = np.zeros_like(first)
    if ages is not None:
        since = {True: state.since[chosen], False: state.due[chosen]}
        lasted = [
            ages[rules.codes.index(c)][chosen] if c in rules.codes else since[c == DRIVER_OF["tenure"]] for c in codes
        ]
        days = np.take_along_axis(np.stack(lasted, axis=1), first, axis=1)
    return Drivers(codes, np.where(silent, -1, first), np.where(silent, 0.0, size), days, np.zeros_like(first))
