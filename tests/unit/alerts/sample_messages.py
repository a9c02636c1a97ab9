"""One message of every kind, as data: what the golden files and the limits are tried on."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from decimal import Decimal

from analytics.alerts import (
    AlertsWithheld,
    ContractsBeside,
    CustomerLine,
    DigestKpi,
    DigestTarget,
    GateCause,
    GateFailure,
    KpiDigest,
    Message,
    Recovered,
    RunFailure,
    ScoresWithheld,
    Silence,
    SourcesLate,
    SourceState,
    SpikeAlert,
    SpikeResolved,
    SpikeUpdate,
)
from analytics.churn import DriverChange

DAY = date(2026, 6, 30)

SPIKE = SpikeAlert(
    segment_type="region",
    segment="関東",
    day=DAY,
    since=DAY,
    scored=412,
    at_risk=143,
    share=0.347087,
    baseline=0.121,
    value_at_risk=Decimal("2345678.00"),
    currency="JPY",
    drivers=(DriverChange("urgent_open", 96, 4), DriverChange("negative_csat", 88, 11)),
    customers=(
        CustomerLine(
            "C-1a2b3c",
            0.913,
            Decimal("98000.00"),
            ("優先度の高い問い合わせが未解決（3日経過）", "低い満足度評価（1日前）"),
        ),
        CustomerLine("C-4d5e6f", 0.742, Decimal("45500.00"), ()),
    ),
    children=(),
    build_id="b-3f9c2a",
    link="https://kizuna.example/scorecard.html?v=12&lang=ja",
    sources=(
        SourceState("Zendesk", DAY),
        SourceState("Shopify", date(2026, 6, 28), late=True),
        SourceState("Delighted", None),
    ),
)
DIGEST = KpiDigest(
    every="weekly",
    first=date(2026, 6, 22),
    last=date(2026, 6, 28),
    day=DAY,
    kpis=(
        DigestKpi("純売上", "money", Decimal("457370.00"), Decimal("580110.00"), whole=True),
        DigestKpi("注文数", "count", Decimal(67), Decimal(67), whole=True),
        DigestKpi("NPS", "nps", Decimal("-31.04"), Decimal("-28.5"), whole=True),
        DigestKpi("離反リスク「高」", "share", Decimal("0.1334"), Decimal("0.1216"), whole=True),
        DigestKpi("顧客満足度", "score", Decimal("4.125"), None, whole=True),
        DigestKpi("セッション数", "count", Decimal(12345), Decimal(20000), whole=False),
    ),
    targets=(
        DigestTarget(
            "純売上", "money", "overall", "all", "2026-Q2", Decimal(30_000_000), Decimal(28_000_000),
            Decimal("29100000.5"), "at_risk",
        ),
        DigestTarget("純売上", "money", "region", "関東", "2026-07", Decimal(4_000_000), None, None, "not_started"),
        DigestTarget("応答率", "share", "overall", "all", "2026", Decimal("0.95"), Decimal("0.971"), None, "met"),
    ),
    currency="JPY",
    build_id="b-3f9c2a",
    link="https://kizuna.example/s",
)  # fmt: skip
CONTRACTS = dataclasses.replace(
    SPIKE,
    segment_type="contracts",
    segment="all contracts",
    drivers=(DriverChange("payment_failed", 61, 3), DriverChange("contract_raised", 40, 9)),
    customers=(CustomerLine("C-1a2b3c", 0.713, Decimal("98000.00"), ("支払いに失敗（本日）",)),),
    sources=(),
)
BESIDE = ContractsBeside(600, 300, 0.5, 0.0412, Decimal("90000.00"))
MESSAGES: dict[str, Message] = {
    "spike": SPIKE,
    "spike_with_contracts": dataclasses.replace(SPIKE, beside=BESIDE),
    "spike_with_contracts_number": dataclasses.replace(
        SPIKE, beside=dataclasses.replace(BESIDE, measure="number", usual_at_risk=25.4)
    ),
    "spike_with_contracts_value": dataclasses.replace(
        SPIKE, beside=dataclasses.replace(BESIDE, measure="value", usual_value=Decimal("40000.00"))
    ),
    "spike_contracts": CONTRACTS,
    "spike_contracts_number": dataclasses.replace(CONTRACTS, measure="number", usual_at_risk=50.4),
    "spike_contracts_value": dataclasses.replace(
        CONTRACTS, measure="value", usual_at_risk=50.4, usual_value=Decimal("1100000.00")
    ),
    "update_contracts": SpikeUpdate(
        "contracts",
        "all contracts",
        DAY,
        96,
        143,
        412,
        0.347087,
        Decimal("2345678.00"),
        "JPY",
        (),
        "b-3f9c2a",
        "https://kizuna.example/s",
    ),
    "resolved_contracts": SpikeResolved(
        "contracts",
        "all contracts",
        DAY,
        date(2026, 6, 24),
        "back_to_normal",
        49,
        0.119,
        143,
        "b-3f9c2a",
        "https://kizuna.example/s",
    ),
    "new_level_contracts": SpikeResolved(
        "contracts",
        "all contracts",
        DAY,
        date(2026, 6, 24),
        "new_level",
        140,
        0.34,
        143,
        "b-3f9c2a",
        "https://kizuna.example/s",
    ),
    "spike_overall": dataclasses.replace(
        SPIKE,
        segment_type="overall",
        segment="all",
        drivers=(),
        customers=(),
        sources=(),
        link="var/published/scorecard.html",
        children=tuple(("region", f"r{k}") for k in range(7)),
    ),
    "spike_number": dataclasses.replace(SPIKE, measure="number", usual_at_risk=50.4, drivers=(), sources=()),
    "spike_value": dataclasses.replace(
        SPIKE,
        segment_type="value_tier",
        segment="top 20 %",
        measure="value",
        usual_at_risk=120.0,
        usual_value=Decimal("1100000.00"),
        children=(("region", "関東"),),
        customers=tuple(
            dataclasses.replace(c, url=f"https://crm.example.com/find?q={c.label}&lang=ja") for c in SPIKE.customers
        ),
    ),
    "resolved": SpikeResolved(
        "region",
        "関東",
        DAY,
        date(2026, 6, 20),
        "back_to_normal",
        51,
        0.1237,
        143,
        "b-3f9c2a",
        "https://kizuna.example/s",
    ),
    "new_level": SpikeResolved(
        "region", "unknown", DAY, date(2026, 6, 28), "new_level", 150, 0.36, 155, "b-3f9c2a", "https://kizuna.example/s"
    ),
    "update": SpikeUpdate(
        "overall",
        "all",
        DAY,
        143,
        260,
        4120,
        0.0631,
        Decimal("4345678.00"),
        "JPY",
        (("region", "関西"),),
        "b-3f9c2a",
        "https://kizuna.example/s",
    ),
    "withheld": AlertsWithheld(DAY, date(2026, 6, 28), 3, "b-3f9c2a", "https://kizuna.example/s", SPIKE.sources),
    "gate_failed": GateFailure(
        gate="core",
        outcome="failed",
        day=DAY,
        build_id="b-3f9c2a",
        causes=(
            GateCause("orders without a customer", ("core.fct_orders",), 1, 37),
            GateCause("negative amounts", ("core.fct_orders", "core.fct_refunds"), 2, 1204),
        ),
        blocked=("scores", "marts", "published"),
        runbook="https://kizuna.example/runbooks/gate-core",
    ),
    "gate_could_not_run": GateFailure(
        gate="raw",
        outcome="could_not_run",
        day=DAY,
        build_id="b-3f9c2a",
        causes=(GateCause("out of memory", ("raw.ga4__events",), 3, None),),
        blocked=(),
        runbook="docs/runbooks/gate.md",
    ),
    "digest_weekly": DIGEST,
    "digest_daily": dataclasses.replace(
        DIGEST, every="daily", first=DAY, last=DAY, targets=(), kpis=(*DIGEST.kpis[:1], *DIGEST.kpis[4:])
    ),
    "sources_late": SourcesLate(
        DAY,
        (SourceState("shopify", date(2026, 6, 26), late=True), SourceState("delighted", None, late=True)),
        "b-3f9c2a",
        "docs/runbooks/source-late.md",
    ),
    "scores_withheld": ScoresWithheld("below_floor", DAY, "b-3f9c2a", "https://kizuna.example/s"),
    "contract_scores_withheld": ScoresWithheld(
        "below_floor", DAY, "b-3f9c2a", "https://kizuna.example/s", kind="contractual"
    ),
    **{
        f"again_{kind}": Recovered(kind, names, date(2026, 6, 27), DAY, "b-3f9c2a", "https://kizuna.example/s")  # type: ignore[arg-type]
        for kind, names in {
            "source": ("shopify", "zendesk"),
            "gate": ("core",),
            "run": ("daily",),
            "scores": ("churn",),
        }.items()
    },
    "run_failed": RunFailure(
        step="marts",
        error="OutOfMemory",
        day=DAY,
        build_id="b-3f9c2a",
        resume="kizuna run --resume b-3f9c2a",
        runbook="docs/runbooks/run-failed.md",
    ),
    "past_gate_failed": GateFailure(
        gate="core",
        outcome="failed",
        day=date(2026, 5, 31),
        build_id="b-3f9c2a",
        causes=(GateCause("orders without a customer", ("core.fct_orders",), 1, 37),),
        blocked=(),
        runbook="docs/runbooks/gate-failed.md",
        past_days=(date(2026, 5, 31),),
    ),
    "past_gate_could_not_run": GateFailure(
        gate="raw",
        outcome="could_not_run",
        day=date(2026, 5, 31),
        build_id="b-3f9c2a",
        causes=(GateCause("out of memory", ("raw.ga4__events",), 3, None),),
        blocked=(),
        runbook="docs/runbooks/gate-failed.md",
        past_days=(date(2026, 5, 31),),
    ),
    "past_run_failed": RunFailure(
        step="marts",
        error="OutOfMemory",
        day=date(2026, 5, 31),
        build_id="b-3f9c2a",
        resume="kizuna run --as-of 2026-05-31",
        runbook="docs/runbooks/run-failed.md",
        runs=7,
        past_days=tuple(date(2026, 5, 25 + k) for k in range(7)),
    ),
    "silence": Silence(
        reason="source",
        subject="shopify",
        since=datetime(2026, 6, 28, 6, 2),
        expected_hours=24.0,
        detail="",
        runbook="docs/runbooks/silence.md",
    ),
}
