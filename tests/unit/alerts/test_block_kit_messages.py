"""Golden payloads: run with WRITE_GOLDEN=1 to write them anew, then read the difference."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest

from analytics.alerts import (
    AlertsWithheld,
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
    render_block_kit,
)
from analytics.alerts.blockkit import context, data, fitted, link, payload
from analytics.alerts.compose import worst_customers
from analytics.alerts.words import WORDS, money
from analytics.churn import DriverChange
from analytics.churn.assess import SCORES_SCHEMA

GOLDEN = Path(__file__).parent / "golden"
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
MESSAGES: dict[str, Message] = {
    "spike": SPIKE,
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
    "silence": Silence(
        reason="source",
        subject="shopify",
        since=datetime(2026, 6, 28, 6, 2),
        expected_hours=24.0,
        detail="",
        runbook="docs/runbooks/silence.md",
    ),
}


@pytest.mark.parametrize("locale", ["ja", "en"])
@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_golden(name: str, locale: Any) -> None:
    rendered = json.dumps(render_block_kit(MESSAGES[name], locale), ensure_ascii=False, indent=2) + "\n"
    path = GOLDEN / f"{name}.{locale}.json"
    if os.environ.get("WRITE_GOLDEN") == "1":
        path.write_text(rendered, encoding="utf-8")
    assert rendered == path.read_text(encoding="utf-8")


def test_every_kind_of_message_has_a_golden_file() -> None:
    assert {type(m) for m in MESSAGES.values()} == set(get_args(Message))


def test_every_state_of_a_target_and_every_reason_has_words() -> None:
    states = ("not_started", "on_track", "at_risk", "missed", "met", "unknown")
    reasons = ("below_floor", "leak_suspected", "too_little_history", "fit_failed")
    for locale in ("ja", "en"):
        words = [WORDS[locale][f"target_{s}"] for s in states] + [WORDS[locale][f"scores_{r}"] for r in reasons]
        assert len(set(words)) == len(words)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [s for v in value.values() for s in strings(v)]
    if isinstance(value, list):
        return [s for v in value for s in strings(v)]
    return [value] if isinstance(value, str) else []


#: Fields whose words are the program's own, or the company's.
NO_DATA = ("outcome", "reason", "currency", "measure", "url", "kind", "every", "unit", "status")


def poisoned(message: Message, text: str) -> Message:
    """Every string that comes from data replaced, nested ones too."""

    def change(value: Any, name: str) -> Any:
        if isinstance(value, str) and name not in NO_DATA:
            return text
        if isinstance(value, tuple):
            return tuple(change(v, name) for v in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.replace(
                value, **{f.name: change(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
            )
        return value

    result: Message = change(message, "")
    return result


ATTACKS = [
    "<!channel> & <@U123|boss>",
    "<https://evil.example|here>",
    "a\n*Fake line*\r\nb",
    "\u202etxt\u2028x",
    "&lt;!here&gt;",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_nothing_from_data_is_live(name: str, attack: str) -> None:
    for locale in ("ja", "en"):
        rendered = render_block_kit(poisoned(MESSAGES[name], attack), locale)  # type: ignore[arg-type]
        headers = [b for b in rendered["blocks"] if b["type"] == "header"]
        own = {c.url for c in MESSAGES[name].customers} if isinstance(MESSAGES[name], SpikeAlert) else set()
        for text in strings([b for b in rendered["blocks"] if b["type"] != "header"] + [rendered["text"]]):
            for url in filter(None, own):
                # The company's own address is the only link, and what it is called cannot break out of it.
                text = re.sub(rf"<{re.escape(url.replace('&', '&amp;'))}\|[^<>]*>", "", text)
            assert "<" not in text and ">" not in text
            assert "\n*Fake" not in text and "\u202e" not in text and "\u2028" not in text
            assert "&lt;!here" not in text or attack != ATTACKS[4]
        # A header is plain text, in which Slack resolves nothing; it must still be one line.
        assert all(h["text"]["type"] == "plain_text" and "\n" not in h["text"]["text"] for h in headers)


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_slacks_limits_hold_whatever_the_size(name: str) -> None:
    message = poisoned(MESSAGES[name], "&<長い" * 3000)
    if isinstance(message, GateFailure):
        message = dataclasses.replace(message, causes=message.causes * 400, blocked=message.blocked * 400)
    if isinstance(message, SpikeAlert):
        message = dataclasses.replace(
            message, customers=message.customers * 500, drivers=message.drivers * 100, sources=message.sources * 300,
            children=message.children * 300,
        )  # fmt: skip
    if isinstance(message, KpiDigest):
        message = dataclasses.replace(message, kpis=message.kpis * 50, targets=message.targets * 50)
    if isinstance(message, SourcesLate):
        message = dataclasses.replace(message, late=message.late * 400)
    if isinstance(message, Recovered):
        message = dataclasses.replace(message, names=message.names * 400)
    rendered = render_block_kit(message, "ja")
    assert 0 < len(rendered["text"]) <= 4000 and 0 < len(rendered["blocks"]) <= 50
    for block in rendered["blocks"]:
        if block["type"] == "header":
            assert 0 < len(block["text"]["text"]) <= 150
        if block["type"] == "image":
            assert 0 < len(block["alt_text"]) <= 2000
        for text in [block.get("text", {}), *block.get("fields", []), *block.get("elements", [])]:
            assert len(text.get("text", "x")) <= (2000 if "fields" in block else 3000)
            if text.get("type") == "mrkdwn":
                assert text["verbatim"] is True and text["text"]
                assert text["text"].count("&") == text["text"].count(";"), "an entity was cut"
        assert len(block.get("fields", [])) <= 10 and len(block.get("elements", [])) <= 10


def test_five_customers_at_most_and_only_by_label() -> None:
    n = 9
    rows = {
        "customer_id": [f"id-{k}" for k in range(n)], "band": ["high"] * 7 + ["low"] * 2,
        "probability": [0.7] * n, "value_at_risk": [Decimal(k) for k in range(n)],
        "driver_1": ["late"] * n, "driver_1_effect": [1.0] * n,
        "driver_2": ["promoter"] * n, "driver_2_effect": [-0.9] * n,
    }  # fmt: skip
    scores = pa.table(
        {f.name: pa.array(rows.get(f.name, [None] * n), f.type) for f in SCORES_SCHEMA}, schema=SCORES_SCHEMA
    )
    customers = pa.table(
        {
            "customer_id": rows["customer_id"],
            "display_label": [f"C-{k}" for k in range(n)],
            "region": ["east"] * 6 + [None] * 3,
        }
    )
    everybody = worst_customers(scores, customers, "overall", "all")
    assert [c.label for c in everybody] == ["C-6", "C-5", "C-4", "C-3", "C-2"]
    assert {c.drivers for c in everybody} == {("late",)}
    assert [c.label for c in worst_customers(scores, customers, "region", "unknown")] == ["C-6"]
    linked = worst_customers(scores, customers, "overall", "all", "https://crm.example.com/{customer_id}?x=1")
    assert linked[0].url == "https://crm.example.com/id-6?x=1"
    assert "id-" not in json.dumps(render_block_kit(dataclasses.replace(SPIKE, customers=everybody), "en"))


def test_links_are_only_web_addresses() -> None:
    assert link("https://a.example/x?y=1&z=2", "page") == "<https://a.example/x?y=1&amp;z=2|page>"
    assert link("https://a.example/x|y>z", "page") == "<https://a.example/x%7Cy%3Ez|page>"
    assert link("javascript:alert(1)", "page") == "page: javascript:alert(1)"


def test_money_as_people_write_it() -> None:
    assert money(Decimal("1234567.50"), "JPY", "ja") == "1,234,568円"
    assert money(Decimal("1234567.50"), "JPY", "en") == "¥1,234,568"
    assert money(Decimal("-0.5"), "EUR", "en") == "-0.50 EUR"


def test_cutting_never_splits_an_entity() -> None:
    assert fitted([data("&" * 100)], 23) == "&amp;&amp;&amp;&amp;…"


def test_both_languages_say_the_same_things() -> None:
    assert set(WORDS["ja"]) == set(WORDS["en"])


def test_fifty_blocks_and_a_mark_that_there_was_more() -> None:
    blocks = payload("x", [context(f"{k}") for k in range(60)])["blocks"]
    assert len(blocks) == 50 and blocks[-1]["elements"][0]["text"] == "…"
