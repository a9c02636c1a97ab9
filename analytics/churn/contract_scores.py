"""The chance that a payer's contract is ended, or its end declared, within the horizon: learnt, judged, explained.

A logistic regression of the company's own past, as that of buyers (analytics.churn.training): twelve weekly days of
examples whose horizon is over, judged on a later day by a model that saw nothing of it. With too few payers who left
nothing is learnt and no probability is shown; there is no other model to fall back on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analytics.churn.contracts import DRIVER_OF, MONTH_DAYS, PLAN, TERMS, ContractBook, State
from analytics.churn.drivers import (
    DRIVERS_PER_CUSTOMER,
    WORTH_SAYING,
    Drivers,
    Locale,
    driver_codes,
    drivers_in_words,
)
from analytics.churn.frames import Ints, day_number, decimals_from
from analytics.churn.logistic import Belief, Logistic, fit_logistic
from analytics.churn.rules import MODEL_CONTRACT, ContractRules
from analytics.churn.training import BEHAVIOUR_SD, BELIEF_SD, SAMPLE, SNAPSHOTS, WEEK, Evaluation, evaluated
from analytics.ltv.maximise import FitFailed, Floats

Flags = npt.NDArray[np.bool_]

_MONEY = pa.decimal128(18, 2)
CONTRACT_SCORES_SCHEMA = pa.schema([
    ("payer", pa.string()), ("as_of", pa.date32()), ("probability", pa.float64()),
    ("band", pa.string()), ("reason", pa.string()),
    ("driver_1", pa.string()), ("driver_2", pa.string()), ("driver_3", pa.string()),
    ("driver_1_effect", pa.float64()), ("driver_2_effect", pa.float64()), ("driver_3_effect", pa.float64()),
    ("driver_1_code", pa.string()), ("driver_2_code", pa.string()), ("driver_3_code", pa.string()),
    ("expected_value", _MONEY), ("value_at_risk", _MONEY), ("model", pa.string()),
])  # fmt: skip
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
class ContractAssessment:
    """scores: one row per payer with a contract that runs on as_of (CONTRACT_SCORES_SCHEMA, by payer).

    band: high | medium | low | ending (its end is declared: nothing to predict) | withheld (reason too_few_ended,
    fit_failed, below_floor or leak_suspected). untrained: why nothing was learnt, in words, '' where something was.
    """

    scores: pa.Table
    model: ContractModel | None
    evaluation: Evaluation | None
    untrained: str


def assess_contracts(
    spans: pa.Table, signals: pa.Table, *, as_of: date, rules: ContractRules, locale: Locale = "ja"
) -> ContractAssessment:
    """Score every payer under contract at the end of `as_of`. Tables as `ContractBook` takes them.

    The model of the Sunday before serves the week after, so that a day's score never depends on later days.
    """
    book = ContractBook(spans, signals, rules.codes)
    today = book.at(day_number(as_of), rules.horizon_days)
    sunday = today.day - (today.day + 3) % 7 - 1
    model, evaluation, untrained, reason = None, None, "", ""
    try:
        judged = sunday - rules.horizon_days
        earlier = fit_contracts(book, judged, rules)
        model = fit_contracts(book, sunday, rules)
        state = book.at(judged, rules.horizon_days)
        evaluation = evaluated(
            judged,
            earlier.logistic,
            state.values(earlier.plans)[state.kept],
            ~book.kept(sunday)[state.kept],
            today.values(earlier.plans)[today.kept],
        )
        reason = evaluation.withheld(rules.floor)
    except TooFewEnded as few:
        model, untrained, reason = None, str(few), "too_few_ended"
    except FitFailed as failed:
        model, untrained, reason = None, str(failed), "fit_failed"
    return ContractAssessment(_table(book, today, model, reason, rules, as_of, locale), model, evaluation, untrained)


def fit_contracts(book: ContractBook, sunday: int, rules: ContractRules) -> ContractModel:
    """Model of `sunday`, of examples whose horizon was over. Raises TooFewEnded, FitFailed."""
    states, left, who = [], [], []
    for k in range(SNAPSHOTS):
        state = book.at(sunday - rules.horizon_days - WEEK * k, rules.horizon_days)
        kept = np.flatnonzero(state.kept)
        step = -(-len(kept) // SAMPLE) or 1
        chosen = kept[(state.day // WEEK) % step :: step]
        # Of a large company only the examples are kept, not its whole state of twelve days.
        states.append((state.terms[chosen], state.plans[:, chosen], state.signals[:, chosen]))
        left.append(~book.kept(state.day + rules.horizon_days)[chosen])
        who.append(chosen)
    happened, payers = np.concatenate(left), np.concatenate(who)
    ended, stayed = (len(np.unique(payers[mine])) for mine in (happened, ~happened))
    if min(ended, stayed) < rules.min_ended:
        raise TooFewEnded(
            f"of the payers under contract in {SNAPSHOTS} weeks {ended} left and {stayed} stayed; needed are "
            f"{rules.min_ended} of either, now and one horizon ago"
        )
    plans = tuple(k for k in range(len(book.plan_names)) if sum(int(on[k].sum()) for _, on, _ in states) >= _PLAN_MIN)
    values = np.concatenate([np.concatenate([t, on[list(plans)].T, felt.T], axis=1) for t, on, felt in states])
    # Weekly days share most of their horizon: twelve rows of a payer tell as much as two or three.
    held = float(np.sqrt(SNAPSHOTS / (1 + WEEK * (SNAPSHOTS - 1) / rules.horizon_days)))
    return ContractModel(learn_contracts(names_of(book, plans, rules), values, happened, rules, held), plans,
                         float(happened.mean()))  # fmt: skip


def names_of(book: ContractBook, plans: tuple[int, ...], rules: ContractRules) -> tuple[str, ...]:
    """Columns of `State.values`."""
    return (*TERMS, *(f"plan {book.plan_names[k]}" for k in plans), *rules.codes)


def learn_contracts(
    names: tuple[str, ...], values: Floats, left: Flags, rules: ContractRules, held: float = 1.0
) -> Logistic:
    """The regression itself; `held`: how many times as firmly beliefs are held because examples repeat each other."""
    beliefs = {s.code: Belief(s.weight, BELIEF_SD / held) for s in rules.signals}
    return fit_logistic(names, values, left, beliefs=beliefs, spread=BEHAVIOUR_SD / held)


def _table(
    book: ContractBook,
    today: State,
    model: ContractModel | None,
    reason: str,
    rules: ContractRules,
    as_of: date,
    locale: Locale,
) -> pa.Table:
    chosen = np.flatnonzero(today.running)
    kept, size = today.kept[chosen], len(chosen)
    band = np.where(kept, "withheld", "ending").astype(object)
    why = np.where(kept, reason, "end_declared").astype(object)
    columns: dict[str, Any] = {
        name: pa.nulls(size, CONTRACT_SCORES_SCHEMA.field(name).type) for name in CONTRACT_SCORES_SCHEMA.names
    }
    if model is not None:
        values = today.values(model.plans)[chosen]
        probability = np.clip(model.logistic.probability(values), _FLOOR, _CEILING).round(6)
        shown = kept & (not reason)
        high, medium = probability >= rules.high, probability >= rules.medium
        band[shown] = np.select([high, medium], ["high", "medium"], "low")[shown]
        # A contract is worth what it brings in a year if its payer stays as long as payers usually do.
        stays = (1 - model.ended) ** (MONTH_DAYS / rules.horizon_days)
        months = float(np.sum(stays ** np.arange(1, 13)))
        worth = np.rint(today.monthly[chosen] * months).astype(np.int64)
        drivers = _drivers(today, model, chosen, shown, rules)
        columns["probability"] = pa.array(probability, mask=~shown)
        columns["expected_value"] = decimals_from(worth, kept)
        at_risk = np.rint(probability * worth).astype(np.int64)
        columns["value_at_risk"] = decimals_from(at_risk, shown)
        words = zip(drivers_in_words(drivers, locale), driver_codes(drivers), strict=True)
        for rank, (sentence, code) in enumerate(words, 1):
            effect = pa.array(drivers.contribution[:, rank - 1].round(6), mask=drivers.code[:, rank - 1] < 0)
            columns |= {f"driver_{rank}": sentence, f"driver_{rank}_code": code, f"driver_{rank}_effect": effect}
    columns |= {
        "payer": book.payers.take(pa.array(chosen)),
        "as_of": pa.repeat(pa.scalar(as_of, pa.date32()), size),
        "band": pa.array(band, pa.string()),
        "reason": pa.array(why, pa.string(), mask=why == ""),
        "model": pa.repeat(pa.scalar(MODEL_CONTRACT), size),
    }
    return pa.table(columns, schema=CONTRACT_SCORES_SCHEMA)


def _drivers(today: State, model: ContractModel, chosen: Ints, shown: Flags, rules: ContractRules) -> Drivers:
    """The three largest exact parts of each payer's log-odds; columns that say the same thing are one driver.

    What belongs to the contract is counted against the median payer who is shown; a signal contributes its weight.
    """
    parts = today.values(model.plans)[chosen] * model.logistic.slope
    names = model.logistic.names
    of = [DRIVER_OF.get(name, PLAN if name.startswith("plan ") else name) for name in names]
    codes = tuple(dict.fromkeys(of))
    columns = []
    for code in codes:
        part = parts[:, [k for k, name in enumerate(of) if name == code]].sum(axis=1)
        if code not in rules.codes and shown.any():
            part = part - float(np.median(part[shown]))
        columns.append(np.round(part, 6))
    contribution = np.stack(columns, axis=1)
    first = np.argsort(-np.abs(contribution), axis=1, kind="stable")[:, :DRIVERS_PER_CUSTOMER].astype(np.int64)
    rows = np.arange(len(chosen))[:, None]
    size = contribution[rows, first]
    ages = np.stack(
        [
            today.ages[rules.codes.index(c)][chosen]
            if c in rules.codes
            else (today.since if c == DRIVER_OF["tenure"] else today.due)[chosen]
            for c in codes
        ],
        axis=1,
    )
    silent = (np.abs(size) < WORTH_SAYING) | ~shown[:, None]
    return Drivers(
        codes, np.where(silent, -1, first), np.where(silent, 0.0, size), ages[rows, first], np.zeros_like(first)
    )
