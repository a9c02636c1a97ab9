"""Who leaves a contract: what was known on a day, what is learnt, what is refused, and that a leak is noticed."""

from __future__ import annotations

import importlib.util
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics.churn import ContractAssessment, ContractRules, assess_contracts
from analytics.churn.contracts import TERMS, ContractBook
from analytics.churn.frames import day_number
from orchestration.churn_check import GOOD_ENOUGH, NO_FUTURE, contract_results

ROOT = Path(__file__).resolve().parents[3]
DAY = date(2026, 6, 30)
RULES = ContractRules()


def _bench() -> Any:
    spec = importlib.util.spec_from_file_location("contract_truth", ROOT / "bench" / "contract_truth.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = _bench()


@pytest.fixture(scope="module")
def world() -> Any:
    return bench.make_world(4000, 2, 730, bench.END)


@pytest.fixture(scope="module")
def truth(world: Any) -> Any:
    return bench.compared(world)


def results(found: ContractAssessment) -> dict[str, Any]:
    return {r.check_name: r for r in contract_results(found, RULES.floor)}


def book(*rows: tuple[Any, ...], signals: tuple[tuple[Any, ...], ...] = ()) -> ContractBook:
    """Rows: payer, contract, plan, from, until, cancelled, ended, months, monthly."""
    spans = [dict(zip(bench.SPANS.names, (*row[:-1], Decimal(row[-1])), strict=True)) for row in rows]
    schema = pa.schema([("payer", pa.string()), ("signal", pa.string()), ("start_on", pa.date32()),
                        ("end_on", pa.date32())])  # fmt: skip
    felt = pa.Table.from_pylist([dict(zip(schema.names, s, strict=True)) for s in signals], schema=schema)
    return ContractBook(pa.Table.from_pylist(spans, schema=bench.SPANS), felt, RULES.codes)


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def test_the_state_of_a_day_holds_what_was_known_on_it() -> None:
    found = book(
        # a: a year's contract that became dearer 30 days ago; b: gave notice; c: ended and came back; d: begins later.
        ("a", "a1", "year", ago(400), ago(30), None, None, 12.0, 1000),
        ("a", "a1", "year", ago(30), None, None, None, 12.0, 2000),
        ("b", "b1", "month", ago(100), None, ago(5), None, 1.0, 500),
        ("c", "c1", "month", ago(300), ago(200), ago(200), ago(200), 1.0, 500),
        ("c", "c2", "month", ago(10), None, None, None, 1.0, 700),
        ("d", "d1", "month", ago(-3), None, None, None, 1.0, 700),
        signals=(("a", "urgent_open", ago(4), None), ("c", "refund", ago(40), ago(10))),
    )
    now = found.at(day_number(DAY), 90)
    assert found.payers.to_pylist() == ["a", "b", "c", "d"]
    assert now.running.tolist() == [True, True, True, False] and now.who.tolist() == [0, 2]
    assert found.kept(day_number(DAY)).tolist() == [True, False, True, False]
    assert now.monthly.tolist() == [200000, 70000]
    year, month = (dict(zip(TERMS, terms, strict=True)) for terms in now.terms.T)
    assert year["raised"] == pytest.approx(np.log(2)) and year["lowered"] == 0
    assert now.due.tolist()[0] == 330 and year["renewal_due"] == 0 and month["renewal_due"] == 1
    # Before the notice, and before the price rose, nobody knew of either.
    before = found.at(day_number(ago(31)), 90)
    assert before.who.tolist() == [0, 1] and before.monthly.tolist() == [100000, 50000]
    assert before.terms[TERMS.index("raised")].tolist() == [0, 0]
    codes = [RULES.codes.index(s) for s in ("urgent_open", "refund")]
    assert now.signals[codes].tolist() == [[True, False], [False, False]]
    assert found.signal_ages(now.day, now.who)[codes].tolist() == [[4, -1], [-1, -1]]


def test_signals_that_overlap_or_meet_are_on_exactly_on_their_days() -> None:
    """Intervals of one payer and signal are joined before the days are asked; each day is checked by hand."""
    rng = np.random.default_rng(1)
    felt = [(str(p), RULES.codes[c], ago(30 - int(b)), None if n == 9 else ago(30 - int(b + n)))
            for p, c, b, n in zip(*(rng.integers(0, most, 120) for most in (8, 3, 25, 10)), strict=True)]  # fmt: skip
    found = book(*((str(p), f"k{p}", "month", ago(300), None, None, None, 1.0, 500) for p in range(8)), signals=felt)
    for days in range(-2, 32):
        day = ago(days)
        on = {(int(p), c) for p, c, start, end in felt if start <= day and (end is None or day < end)}
        state = found.at(day_number(day), 90)
        assert {(int(p), RULES.codes[c]) for c, p in np.argwhere(state.signals)} == on
        ages = found.signal_ages(state.day, state.who)
        assert ((ages >= 0) == state.signals).all()


def test_the_club_is_scored_nearly_as_well_as_its_generator_could(truth: Any) -> None:
    leaving, _, found, verdict, best = truth
    assert verdict.customers == len(leaving.person) > 700 and verdict.happened > 60
    assert best - verdict.auc < 0.03 and 0.7 < verdict.slope < 1.4
    shown = results(found)[GOOD_ENOUGH]
    assert shown.passed and "payers under contract" in (shown.description or "")
    assert "base64" in str(shown.metadata["picture"].value)
    # 2026-04-01 is a Wednesday: fitted on the Sunday before, judged one horizon earlier.
    assert found.evaluation is not None and found.evaluation.day == day_number(date(2026, 3, 29)) - 90


def test_what_drives_the_planted_members_is_named(world: Any, truth: Any) -> None:
    leaving, club, found, *_ = truth
    rows = {r["payer"]: r for r in found.scores.to_pylist()}
    codes = {p: {r[f"driver_{k}_code"] for k in (1, 2, 3) if (r[f"driver_{k}_effect"] or 0) > 0}
             for p, r in rows.items()}  # fmt: skip
    troubled = [world.people[p].code for p, t in zip(leaving.person, leaving.troubled, strict=True) if t]
    named = [bool(codes[p] & {"urgent_open", "urgent_lately"}) for p in troubled]
    assert len(named) > 20 and np.mean(named) > 0.9
    day = (bench.AS_OF - world.calendar.start).days
    dearer = [world.people[p].code for p, r in zip(club.person, club.raised, strict=True) if day - 80 < r <= day]
    dearer = [p for p in dearer if rows.get(p, {}).get("probability") is not None]
    assert len(dearer) > 20 and np.mean(["contract_raised" in codes[p] for p in dearer]) > 0.9


def test_who_declared_the_end_is_not_predicted(truth: Any) -> None:
    rows = [r for r in truth[2].scores.to_pylist() if r["band"] == "ending"]
    assert rows and {(r["reason"], r["probability"], r["value_at_risk"]) for r in rows} == {
        ("end_declared", None, None)
    }


def test_a_feature_made_of_who_will_leave_is_caught_and_withholds_every_score(world: Any, truth: Any) -> None:
    club = truth[1]
    leavers = [(k, int(stop)) for k, stop in enumerate(club.stop) if stop >= 0]
    day = world.calendar.start
    ahead = pa.table(
        {
            "payer": [world.people[int(club.person[k])].code for k, _ in leavers],
            "signal": ["opted_out"] * len(leavers),
            "start_on": pa.array([day + timedelta(days=stop - 90) for _, stop in leavers], pa.date32()),
            "end_on": pa.array([day + timedelta(days=stop) for _, stop in leavers], pa.date32()),
        }
    )
    signals = pa.concat_tables([bench.signals_of(world), ahead.cast(bench.signals_of(world).schema)])
    leaking = assess_contracts(bench.spans_of(world, club), signals, as_of=bench.AS_OF, rules=RULES)
    assert leaking.evaluation is not None and "opted_out" in leaking.evaluation.leaks
    bands = {(r["band"], r["reason"]) for r in leaking.scores.to_pylist()}
    assert bands == {("withheld", "leak_suspected"), ("ending", "end_declared")}
    assert leaking.scores["probability"].null_count == leaking.scores.num_rows
    assert not results(leaking)[NO_FUTURE].passed


def test_the_model_of_a_week_knows_nothing_of_the_days_after_its_sunday(world: Any, truth: Any) -> None:
    _, club, found, *_ = truth
    sunday = bench.AS_OF - timedelta(days=3)
    signals = bench.signals_of(world, sunday)
    earlier = assess_contracts(
        bench.spans_of(world, club, sunday), signals, as_of=sunday + timedelta(days=1), rules=RULES
    )
    assert found.model is not None and earlier.model is not None
    assert found.model.logistic.names == earlier.model.logistic.names
    assert (found.model.logistic.slope == earlier.model.logistic.slope).all()


def test_with_too_few_who_left_nothing_is_shown_and_the_reason_is(world: Any, truth: Any) -> None:
    spans = bench.spans_of(world, truth[1])
    few = assess_contracts(
        spans.filter(pc.less(spans["payer"], "P000300")),
        bench.signals_of(world),
        as_of=bench.AS_OF,
        rules=RULES,
    )
    assert few.model is None and few.evaluation is None and "needed are 30 of either" in few.untrained
    assert {(r["band"], r["reason"]) for r in few.scores.to_pylist() if r["band"] != "ending"} == {
        ("withheld", "too_few_ended")
    }
    assert all(
        r.passed and (r.description or "").startswith("Not judged: of the payers") for r in results(few).values()
    )
    none = assess_contracts(spans.slice(0, 0), bench.signals_of(world), as_of=bench.AS_OF, rules=RULES)
    assert none.scores.num_rows == 0
    assert {r.description for r in results(none).values()} == {"Not judged: no contract runs."}
