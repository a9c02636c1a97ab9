"""Contractual lifetime value: months that payers of one tenure still bring, against a known curve and by hand."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pytest

#: Share of payers who stop in a month: many in the first three of a run, few after them.
EARLY, LATE, MONTHS, PRIOR, HORIZON = 0.20, 0.02, 48, 24, 60
#: Months of a run with a rate of their own.
OWN = 12


def month(number: int) -> date:
    return date(2022 + number // 12, number % 12 + 1, 1)


def hazard(tenure: int) -> float:
    return EARLY if tenure <= 3 else LATE


@pytest.fixture(scope="module")
def payers() -> list[tuple[str, str, date, int]]:
    """(type, payer, month, mrr): 60 customers a month for four years; a few who stopped come back; one account."""
    rng, rows = random.Random(7), []
    for start in range(MONTHS):
        for number in range(60):
            at, tenure, back = start, 0, rng.random() < 0.1
            while at < MONTHS:
                rows.append(("customer", f"{start}-{number}", month(at), 100))
                at, tenure = at + 1, tenure + 1
                if rng.random() < hazard(tenure):
                    at, tenure, back = (at + 2, 0, False) if back else (MONTHS, 0, False)
    return [*rows, *(("account", "acme", month(at), 500) for at in range(40, MONTHS))]


@pytest.fixture(scope="module")
def outlook(render: Callable[..., str], payers: list[tuple[Any, ...]]) -> dict[tuple[str, str], dict[str, Any]]:
    return made(render, payers)


def made(render: Callable[..., str], payers: list[tuple[Any, ...]]) -> dict[tuple[str, str], dict[str, Any]]:
    variables = {"timezone": "Asia/Tokyo", "currency": "JPY", "margin_rate": "0.30", "as_of": "2025-12-31"}
    with duckdb.connect(config={"threads": "1"}) as db:
        db.execute("create table int_contract_months(payer_type varchar, payer_id varchar, month_on date, mrr bigint)")
        columns = dict(zip(("payer_type", "payer_id", "month_on", "mrr"), zip(*payers, strict=True), strict=True))
        db.register("listed", pa.table(columns))
        db.execute("insert into int_contract_months from listed")
        for model in ("mrr_movements", "ltv_by_contract"):
            db.execute(f"create table {model} as {render(model, **variables)}")
        found = db.execute("from ltv_by_contract").fetchall()
        names = [column[0] for column in db.description or []]
    rows = (dict(zip(names, values, strict=True)) for values in found)
    return {(row["payer_type"], row["payer_id"]): row for row in rows}


def test_a_new_payer_is_expected_shorter_than_an_old_one_and_both_near_the_truth(
    outlook: dict[tuple[str, str], dict[str, Any]],
) -> None:
    expected = {row["tenure_months"]: float(row["expected_remaining_months"]) for row in outlook.values() if row["mrr"]}
    for tenure in (0, 3, 12, 24):
        kept, truth = 1.0, 0.0
        for ahead in range(1, HORIZON + 1):
            kept *= 1 - hazard(tenure + ahead)
            truth += kept
        assert expected[tenure] == pytest.approx(truth, rel=0.12)
    assert expected[0] < 0.65 * expected[3], "one rate for everybody would make them equal"
    (average,) = {row["kept_per_month"] for row in outlook.values()}
    assert LATE < 1 - average < EARLY


def test_the_months_are_those_of_the_life_table_with_its_prior(
    payers: list[tuple[Any, ...]], outlook: dict[tuple[str, str], dict[str, Any]]
) -> None:
    """The same by hand: at risk and stopped of the last twelve months, by kind of payer and months of the run."""
    paid = defaultdict(set)
    for kind, payer, at, _ in payers:
        paid[kind, payer].add((at.year - 2022) * 12 + at.month - 1)
    at_risk: dict[tuple[str, int], int] = defaultdict(int)
    stopped: dict[tuple[str, int], int] = defaultdict(int)
    for (kind, _), months in paid.items():
        for now in range(MONTHS - 12, MONTHS):
            tenure = 0
            while now - 1 - tenure in months:
                tenure += 1
            if tenure:
                at_risk[kind, min(tenure, OWN + 1)] += 1
                stopped[kind, min(tenure, OWN + 1)] += now not in months
    share = sum(stopped.values()) / sum(at_risk.values())

    def kept(kind: str, tenure: int) -> float:
        of_kind = [sum(n for (k, _), n in counts.items() if k == kind) for counts in (stopped, at_risk)]
        tenure = min(tenure, OWN + 1)
        usual = (of_kind[0] + PRIOR * share) / (of_kind[1] + PRIOR)
        return 1 - (stopped[kind, tenure] + PRIOR * usual) / (at_risk[kind, tenure] + PRIOR)

    for key in (("account", "acme"), ("customer", "47-0"), *[k for k, row in outlook.items() if row["mrr"]][:20]):
        row, still, months = outlook[key], 1.0, 0.0
        for ahead in range(1, HORIZON + 1):
            still *= kept(key[0], row["tenure_months"] + ahead)
            months += still
        assert float(row["expected_remaining_months"]) == pytest.approx(months, abs=0.006)
        assert float(row["kept_next_month"]) == pytest.approx(kept(key[0], row["tenure_months"] + 1), abs=1e-6)
        margin = float(row["mrr"]) * 0.30 * float(row["expected_remaining_months"])
        assert float(row["predicted_margin"]) == pytest.approx(margin, abs=0.51)
    assert outlook["account", "acme"]["tenure_months"] == 7
    ended = [row for row in outlook.values() if not row["mrr"]]
    assert {row["prediction_reason"] for row in ended} == {"ended"} and len(ended) > 100
    assert {(row["tenure_months"], row["predicted_margin"]) for row in ended} == {(None, None)}


def test_below_five_who_stopped_there_is_no_curve(render: Callable[..., str]) -> None:
    few = [("customer", f"p{n}", month(at), 100) for n in range(20) for at in range(40, 44 if n < 4 else MONTHS)]
    rows = made(render, few).values()
    assert {row["prediction_reason"] for row in rows} == {"ended", "too_few_ended"}
    assert {row["expected_remaining_months"] for row in rows} == {row["kept_per_month"] for row in rows} == {None}
