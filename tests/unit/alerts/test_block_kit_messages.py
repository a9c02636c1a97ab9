"""Golden payloads: run with WRITE_GOLDEN=1 to write them anew, then read the difference."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest
from sample_messages import MESSAGES, SPIKE

from analytics.alerts import (
    GateFailure,
    KpiDigest,
    Message,
    Recovered,
    SourcesLate,
    SpikeAlert,
    render_block_kit,
)
from analytics.alerts.blockkit import context, data, fitted, link, payload
from analytics.alerts.compose import worst_customers
from analytics.alerts.contract_words import actions_for, words_for
from analytics.alerts.rules import CONTRACTS
from analytics.alerts.words import WORDS, money
from analytics.churn import CONTRACT_SIGNALS, DEFAULT_SIGNALS
from analytics.churn.assess import SCORES_SCHEMA
from analytics.churn.contracts import DRIVER_OF
from analytics.churn.drivers import PURCHASES

GOLDEN = Path(__file__).parent / "golden"


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
        words += [words_for(CONTRACTS, locale)[f"scores_{r}"] for r in ("below_floor", "too_few_ended")]
        assert len(set(words)) == len(words)


def test_every_driver_that_can_rise_has_advice_of_its_own() -> None:
    buyers = {PURCHASES, *(s.code for s in DEFAULT_SIGNALS if s.weight > 0)}
    contracts = {*DRIVER_OF.values(), *(s.code for s in CONTRACT_SIGNALS if s.weight > 0)}
    for locale in ("ja", "en"):
        for segment_type, codes in (("region", buyers), (CONTRACTS, contracts)):
            known = actions_for(segment_type, locale)
            assert codes - set(known) == set()
            assert len({known[code] for code in codes} - {known[""]}) == len(codes)


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
