"""The chance that a payer's contract is ended, or its end declared, within the horizon: learnt, judged, explained.

A logistic regression of the company's own past, as that of buyers (analytics.churn.training): twelve weekly days of
examples whose horizon is over, judged on a later day by a model that saw nothing of it. With too few payers who left
nothing is learnt and no probability is shown; there is no other model to fall back on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analytics.churn.contract_daily import contract_days
from analytics.churn.contract_fits import ContractFits, ContractModel, TooFewEnded, drivers_of, sized
from analytics.churn.contracts import ContractBook, State
from analytics.churn.drivers import Locale, driver_codes, drivers_in_words
from analytics.churn.frames import day_number, decimals_from
from analytics.churn.rules import MODEL_CONTRACT, ContractRules
from analytics.churn.training import Evaluation, evaluated
from analytics.ltv.maximise import FitFailed

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


@dataclass(frozen=True)
class ContractAssessment:
    """scores: one row per payer with a contract that runs on as_of (CONTRACT_SCORES_SCHEMA, by payer).

    band: high | medium | low | ending (its end is declared: nothing to predict) | withheld (reason too_few_ended,
    fit_failed, below_floor or leak_suspected). daily, driver_daily: payers at high risk per day, and
    driver, as those of analytics.churn.assess, of one segment (analytics.churn.contract_daily); empty while scores are
    withheld. untrained: why nothing was learnt, in words, '' where something was.
    """

    scores: pa.Table
    daily: pa.Table
    driver_daily: pa.Table
    model: ContractModel | None
    evaluation: Evaluation | None
    untrained: str


def assess_contracts(
    spans: pa.Table,
    signals: pa.Table,
    *,
    as_of: date,
    rules: ContractRules,
    locale: Locale = "ja",
    days: Sequence[date] = (),
    earlier: Sequence[date] = (),
) -> ContractAssessment:
    """Score every payer under contract at the end of `as_of`, and count those at risk on each of `days`.

    Tables as `ContractBook` takes them. `earlier`: further days, in `driver_daily` only. The model of the Sunday before
    serves the week after, so that a day's score never depends on later days.
    """
    book = ContractBook(spans, signals, rules.codes)
    fits = ContractFits(book, rules)
    today = book.at(day_number(as_of), rules.horizon_days)
    sunday = today.day - (today.day + 3) % 7 - 1
    model, evaluation, untrained, reason = None, None, "", ""
    try:
        judged = sunday - rules.horizon_days
        earlier_model = fits.fit(judged)
        model = fits.fit(sunday)
        state = book.at(judged, rules.horizon_days)
        evaluation = evaluated(
            judged,
            earlier_model.logistic,
            state.columns(earlier_model.plans),
            ~book.kept(sunday)[state.who],
            today.columns(earlier_model.plans),
        )
        reason = evaluation.withheld(rules.floor)
    except TooFewEnded as few:
        model, untrained, reason = None, str(few), "too_few_ended"
    except FitFailed as failed:
        model, untrained, reason = None, str(failed), "fit_failed"
    told = (() if reason else days), (() if reason else earlier)
    daily, drivers = contract_days(book, fits, rules, *told)
    scores = _table(book, today, model, reason, rules, as_of, locale)
    return ContractAssessment(scores, daily, drivers, model, evaluation, untrained)


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
    place = np.full(len(book.payers), -1, dtype=np.int64)
    place[today.who] = np.arange(len(today.who))
    place = place[chosen]
    kept, size = place >= 0, len(chosen)
    band = np.where(kept, "withheld", "ending").astype(object)
    why = np.where(kept, reason, "end_declared").astype(object)
    columns: dict[str, Any] = {
        name: pa.nulls(size, CONTRACT_SCORES_SCHEMA.field(name).type) for name in CONTRACT_SCORES_SCHEMA.names
    }
    if model is not None:
        probability, worth, at_risk = sized(today, model, rules)
        shown, everybody = not reason, np.ones(len(today.who), dtype=bool)
        if shown:
            high, medium = probability >= rules.high, probability >= rules.medium
            band[kept] = np.select([high, medium], ["high", "medium"], "low")
        drivers = drivers_of(today, model, rules, everybody, shown, book.signal_ages(today.day, today.who))
        dense: dict[str, Any] = {
            "probability": pa.array(probability, mask=~(everybody & shown)),
            "expected_value": decimals_from(worth),
            "value_at_risk": decimals_from(at_risk, everybody & shown),
        }
        words = zip(drivers_in_words(drivers, locale), driver_codes(drivers), strict=True)
        for rank, (sentence, code) in enumerate(words, 1):
            effect = pa.array(drivers.contribution[:, rank - 1].round(6), mask=drivers.code[:, rank - 1] < 0)
            dense |= {f"driver_{rank}": sentence, f"driver_{rank}_effect": effect, f"driver_{rank}_code": code}
        index = pa.array(place, mask=~kept)
        columns |= {name: column.take(index) for name, column in dense.items()}
    columns |= {
        "payer": book.payers.take(pa.array(chosen)),
        "as_of": pa.repeat(pa.scalar(as_of, pa.date32()), size),
        "band": pa.array(band, pa.string()),
        "reason": pa.array(why, pa.string(), mask=why == ""),
        "model": pa.repeat(pa.scalar(MODEL_CONTRACT), size),
    }
    return pa.table(columns, schema=CONTRACT_SCORES_SCHEMA)
