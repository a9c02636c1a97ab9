"""What the scores are made of: every source of a company says something, and what kizuna.yaml sets is what serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from analytics.churn import CONTRACT_SIGNALS, DEFAULT_SIGNALS
from kizuna.settings import load_settings
from orchestration.contract_scoring import contract_assessment
from orchestration.defs.scores import assessment, churn_daily, customer_signals

DAY = date(2026, 6, 30)
#: One customer to whom everything has happened of which a signal is made.
CORE = """
create schema core; create schema state;
create table core.dim_customers as select 'c1' as customer_id, 'east' as region,
    null::varchar as account_id, true as is_known;
create table core.customer_segments as select 'c1' as customer_id, '30-39' as age_band;
create table core.fct_orders as select 'c1' as customer_id, date '2026-06-01' as ordered_on,
    cast(100 as decimal(18, 2)) as gross_reporting, true as is_counted, 'voided' as exclusion_reason;
create table core.fct_refunds as select 'c1' as customer_id, date '2026-06-20' as refunded_on,
    cast(50 as decimal(18, 2)) as amount_reporting, true as refund_date_known;
create table core.fct_interactions as select 'c1' as customer_id, date '2026-06-10' as opened_on,
    case n when 1 then date '2026-06-12' end as resolved_on, n <> 1 as is_open,
    case n when 2 then 'urgent' else 'normal' end as priority, case n when 1 then 1.0 end as csat_score,
    n = 3 as is_abandoned from range(1, 5) as r(n);
create table core.fct_survey_responses as select customer, 'nps' as kind, score, date '2026-06-15' as submitted_on,
    true as is_valid, customer as customer_id from (values ('c1', 3), ('c2', 10)) as a(customer, score);
create table core.fct_sessions as select 'c1' as customer_id, date '2026-06-25' as started_on;
create table core.fct_fulfilment as select 'c1' as customer_id, date '2026-06-01' as placed_on,
    date '2026-06-20' as shipped_on;
create table core.fct_consents as select 'c1' as customer_id, date '2026-06-05' as stated_on, false as is_granted,
    'email' as purpose;
create table core.int_contract_spans as select 'customer' as payer_type, 'c1' as payer_id, 'c1' as customer_id,
    'k1' as contract_id, 'plan' as plan, date '2026-01-01' as from_on, null::date as until_on,
    null::date as cancelled_on, null::date as ended_on, 1.0 as term_months,
    cast(10 as decimal(18, 2)) as monthly_reporting;
create table state.churn_risk_daily(segment_type varchar, segment varchar, day date, model varchar);
"""
TEXTS = {"customer_id": ["c1", "c1", "c2"], "written_on": [date(2026, 6, 14)] * 3, "score": [-0.9, -0.8, 0.9],
         "is_leaving": [True, False, False]}  # fmt: skip


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(CORE)
        yield opened


@pytest.fixture
def session(tmp_path: Path) -> Callable[..., Any]:
    def of(yaml: str = "") -> Any:
        (tmp_path / "kizuna.yaml").write_text(f"name: Test\n{yaml}", encoding="utf-8")
        settings = load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": "k" * 40})
        return SimpleNamespace(settings=settings, build=SimpleNamespace(as_of=DAY))

    return of


def test_every_source_says_something_of_the_customers(
    db: duckdb.DuckDBPyConnection, session: Callable[..., Any]
) -> None:
    """Support load and experience, surveys, texts, refunds, deliveries, consents and sessions, all of them."""
    found = customer_signals(session(), db, pa.table(TEXTS))
    said: dict[str, set[str]] = {}
    for row in found.to_pylist():
        said.setdefault(row["customer_id"], set()).add(row["signal"])
    assert said["c2"] == {"nps_promoter", "positive_tone"}
    assert said["c1"] == {s.code for s in DEFAULT_SIGNALS} - said["c2"]
    (late,) = (r for r in found.to_pylist() if r["signal"] == "late_delivery")
    assert late["start_on"] == date(2026, 6, 5), "sent within kizuna.yaml's three days, it would not have been late"
    later = customer_signals(session("kpi: {ship_days: 30}"), db, pa.table(TEXTS))
    assert "late_delivery" not in set(later["signal"].to_pylist())


class Asked(Exception):
    """Carries what a function was called with."""


def asked(name: str, monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> dict[str, Any]:
    def stop(*given: Any, **named: Any) -> Any:
        raise Asked(given, named)

    monkeypatch.setattr(name, stop)
    with pytest.raises(Asked) as stopped:
        call()
    given, named = stopped.value.args
    return {**named, "given": given}


def test_horizons_bands_floor_and_weights_are_those_of_the_settings(
    db: duckdb.DuckDBPyConnection, session: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = session(
        "locale: ja\n"
        "kpi: {churn_horizon_days: 30, churn_high: 0.7, churn_medium: 0.4, churn_floor_auc: 0.66, discount_rate: 0.2,\n"
        "  churn_min_customers: 77, contract_horizon_days: 45, contract_high: 0.6, contract_medium: 0.3,\n"
        "  contract_min_ended: 12, signal_weights: {refund: 2.5, payment_failed: 3.0}}\n"
        "alerts: {segments: [age_band]}\n"
    )
    signals = customer_signals(own, db, pa.table(TEXTS))
    buyers = asked("analytics.churn.assess", monkeypatch, lambda: assessment(own, db, signals))
    rules = buyers["rules"]
    assert (rules.horizon_days, rules.high, rules.medium, rules.floor) == (30, 0.7, 0.4, 0.66)
    assert (rules.min_customers, rules.discount_rate, rules.lapsed_days) == (77, 0.2, 60)
    assert {s.code: s.weight for s in rules.signals} == {s.code: s.weight for s in DEFAULT_SIGNALS} | {"refund": 2.5}
    assert (buyers["segments"], buyers["locale"], buyers["as_of"]) == (["age_band"], "ja", DAY)
    assert buyers["given"][0].column_names == ["customer_id", "age_band"]
    payers = asked(
        "analytics.churn.assess_contracts", monkeypatch, lambda: contract_assessment(own, db, signals, [DAY], [])
    )
    rules = payers["rules"]
    assert (rules.horizon_days, rules.high, rules.medium, rules.floor, rules.min_ended) == (45, 0.6, 0.3, 0.66, 12)
    changed = {"refund": 2.5, "payment_failed": 3.0}
    assert {s.code: s.weight for s in rules.signals} == {s.code: s.weight for s in CONTRACT_SIGNALS} | changed
    felt = set(payers["given"][1]["signal"].to_pylist())
    assert {"payment_failed", "urgent_open"} <= felt, "a payer feels what happens to the customer"


def test_the_rules_of_spikes_are_those_of_the_settings(
    db: duckdb.DuckDBPyConnection, session: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"z_alert": 5.0, "z_warn": 4.5, "min_effect": 0.08, "min_rise": 0.9, "min_count": 33,
             "min_history_days": 21, "level_shift_days": 4, "false_discovery_rate": 0.2}  # fmt: skip
    own = session(f"alerts: {{{', '.join(f'{k}: {v}' for k, v in given.items())}}}\n")
    rows = pa.table({"segment_type": ["overall"], "segment": ["all"], "day": [DAY]})
    none: Any = SimpleNamespace(daily=rows.slice(0, 0), model_of=lambda _: "m")
    found: Any = SimpleNamespace(daily=rows, model_of=lambda _: "m")
    called = asked("analytics.alerts.rules.evaluate", monkeypatch, lambda: churn_daily(own, db, found, none))
    assert {name: getattr(called["given"][1], name) for name in given} == given
