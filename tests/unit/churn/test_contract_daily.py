"""Contracts day by day, from spans to the message: payments fail on the last day, and that is what is told."""

from __future__ import annotations

import importlib.util
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics.alerts import SpikeRules, evaluate, incident_changes, render_block_kit, spike_alert
from analytics.churn import ContractAssessment, ContractRules, assess_contracts, days_to_assess
from analytics.churn.contract_daily import CONTRACTS

ROOT = Path(__file__).resolve().parents[3]
SIZE = 4000


def _bench() -> Any:
    spec = importlib.util.spec_from_file_location("contract_truth", ROOT / "bench" / "contract_truth.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = _bench()
DAY: date = bench.AS_OF


@pytest.fixture(scope="module")
def club() -> tuple[pa.Table, pa.Table]:
    """Spans and signals of the demo's club as of DAY."""
    world = bench.make_world(SIZE, 2, 730, bench.END)
    return bench.spans_of(world, bench.make_club(world)), bench.signals_of(world)


def with_failures(spans: pa.Table, signals: pa.Table, share: float, day: date) -> pa.Table:
    """Payments of so many payers fail on a day; before it they failed now and then, and some of those left."""
    payers = sorted(set(spans["payer"].to_pylist()))
    rng = np.random.default_rng(5)
    fallen = [(str(p), day) for p in rng.choice(payers, int(share * len(payers)), replace=False)]
    ended = {r["payer"]: r["ended_on"] for r in spans.to_pylist() if r["ended_on"]}
    fallen += [(p, end - timedelta(days=20)) for k, (p, end) in enumerate(sorted(ended.items())) if k % 2 == 0]
    failed = [
        {"payer": p, "signal": "payment_failed", "start_on": on, "end_on": on + timedelta(days=30)}
        for p, on in fallen if on <= DAY
    ]  # fmt: skip
    return pa.concat_tables([signals, pa.Table.from_pylist(failed, schema=signals.schema)])


@pytest.fixture(scope="module")
def found(club: tuple[pa.Table, pa.Table]) -> ContractAssessment:
    spans, signals = club
    return assess_contracts(
        spans, with_failures(spans, signals, 0.5, DAY), as_of=DAY, rules=ContractRules(),
        days=days_to_assess(DAY, None), earlier=[DAY - timedelta(days=7)], locale="en",
    )  # fmt: skip


def test_the_last_day_counts_those_whom_the_scores_call_high(found: ContractAssessment) -> None:
    last = found.daily.filter(pc.equal(found.daily["day"], pa.scalar(DAY))).to_pylist()
    bands = found.scores["band"].to_pylist()
    high = found.scores.filter(pc.equal(found.scores["band"], "high"))
    assert [(r["segment_type"], r["segment"]) for r in last] == [CONTRACTS]
    assert last[0]["scored"] == sum(b in ("high", "medium", "low") for b in bands) > 500
    assert last[0]["at_risk"] == high.num_rows and last[0]["value_at_risk"] == pc.sum(high["value_at_risk"]).as_py()
    assert found.daily["day"].to_pylist() == days_to_assess(DAY, None)


def test_a_past_day_is_the_same_whenever_it_is_computed(
    found: ContractAssessment, club: tuple[pa.Table, pa.Table]
) -> None:
    """Three weeks earlier, without what happened since: declared ends, prices and signals that came later."""
    spans, signals = club
    then = DAY - timedelta(days=21)
    known = [
        r | {n: r[n] if r[n] is None or r[n] <= then else None for n in ("until_on", "cancelled_on", "ended_on")}
        for r in spans.to_pylist() if r["from_on"] <= then
    ]  # fmt: skip
    felt = with_failures(spans, signals, 0.5, DAY)
    felt = felt.filter(pc.less_equal(felt["start_on"], pa.scalar(then)))
    days = [then - timedelta(days=n) for n in range(8)]
    before = assess_contracts(
        pa.Table.from_pylist(known, schema=spans.schema), felt, as_of=then, rules=ContractRules(), days=days
    ).daily
    now = found.daily.filter(pc.is_in(found.daily["day"], value_set=pa.array(days)))
    assert before.num_rows == 8 and before.equals(now)


def test_only_mondays_say_what_new_parameters_moved(found: ContractAssessment) -> None:
    for row in found.daily.to_pylist():
        assert (row["refit_at_risk"] is not None) == (row["refit_value"] is not None) == (row["day"].weekday() == 0)


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("ja", ("解約リスクが急上昇: 契約中のお客様", "支払いに失敗（30日以内）", "支払い方法の更新", "解約確率")),
        ("en", ("Risk of cancellations spikes: contracts", "payment failed (30 days)", "means of payment",
                "probability of ending")),
    ],
)  # fmt: skip
def test_a_day_on_which_payments_fail_is_one_message_about_contracts(
    found: ContractAssessment, locale: Literal["ja", "en"], words: tuple[str, ...]
) -> None:
    judged = evaluate(found.daily, SpikeRules())
    spikes = judged.filter(judged["is_spike"])["day"].to_pylist()
    assert spikes == [DAY]
    change, *others = incident_changes([], judged, DAY)
    assert others == [] and change.announce and change.kind == "open" and change.children == ()
    scores = found.scores.rename_columns(["customer_id", *found.scores.column_names[1:]])
    people = pa.table({"customer_id": scores["customer_id"], "display_label": pc.utf8_upper(scores["customer_id"])})
    message = spike_alert(
        change, scores, found.driver_daily, people, currency="JPY", build_id="b", link="https://x.example", sources=()
    )
    assert message.drivers[0].code == "payment_failed" and len(message.customers) == 5
    text = json.dumps(render_block_kit(message, locale), ensure_ascii=False)
    assert [w for w in words if w not in text] == []
    assert "離反" not in text and "churn" not in text.lower()


def test_contracts_and_buyers_are_judged_apart_and_told_together(found: ContractAssessment) -> None:
    """Buyers of one region spike on the same day: two incidents, neither part of the other, under one message."""
    rng = np.random.default_rng(3)
    days = days_to_assess(DAY, None)
    rows = []
    for kind, segment, size in (("overall", "all", 1000), ("region", "east", 200)):
        for day in days:
            at_risk = int(rng.binomial(size, 0.1)) if day < DAY else int(size * (0.5 if kind == "region" else 0.18))
            rows.append((kind, segment, day, size, at_risk, at_risk / size, at_risk * 100, None, None))
    buyers = pa.table(
        [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), found.daily.schema, strict=True)],
        schema=found.daily.schema,
    )
    judged = pa.concat_tables([evaluate(buyers, SpikeRules()), evaluate(found.daily, SpikeRules())])
    told = [c for c in incident_changes([], judged, DAY) if c.announce]
    assert sorted((c.incident.segment_type, c.incident.segment) for c in told) == [
        CONTRACTS, ("region", "east"),
    ]  # fmt: skip
    assert all(CONTRACTS not in c.children for c in told)
    buyers, contracts = told
    assert (contracts.within, buyers.within) == (buyers.incident.key, "") and buyers.beside is not None
    assert buyers.beside.incident == contracts.incident


def test_withheld_scores_have_no_days(club: tuple[pa.Table, pa.Table]) -> None:
    found = assess_contracts(
        *club, as_of=DAY, rules=ContractRules(min_ended=10_000), days=[DAY], earlier=[DAY - timedelta(days=7)]
    )
    assert found.untrained and found.daily.num_rows == found.driver_daily.num_rows == 0
