"""Decisions are read line by line; what is not understood is named with its line and never with the value."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from analytics.identity.decisions import Decision, End
from kizuna.errors import InputError
from kizuna.stewardship import FILE_NAME, company_decisions


def write(home: Path, text: str) -> Path:
    file = home / FILE_NAME
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return home


def test_a_decision_is_one_line_and_an_end_is_a_record_an_identifier_or_a_customer(tmp_path: Path) -> None:
    write(
        tmp_path,
        "# ours\n"
        "- {forbid: [c_0123456789abcdef0123, salesforce.contact 003A x], reason: two, by: desk, on: 2026-06-30}\n"
        "- force:\n    - email taro@example.jp\n    - zendesk.user 42\n    - phone '+81 90'\n"
        "  reason: 結婚で改姓\n  by: desk\n  on: 2026-07-01\n",
    )
    assert company_decisions(tmp_path) == (
        Decision(
            "forbid",
            (End("customer", "", "c_0123456789abcdef0123"), End("record", "salesforce.contact", "003A x")),
            "two",
            "desk",
            date(2026, 6, 30),
            2,
        ),
        Decision(
            "force",
            (
                End("identifier", "email", "taro@example.jp"),
                End("record", "zendesk.user", "42"),
                End("identifier", "phone", "'+81 90'"),
            ),
            "結婚で改姓",
            "desk",
            date(2026, 7, 1),
            3,
        ),
    )


def test_no_file_and_an_empty_file_decide_nothing(tmp_path: Path) -> None:
    assert company_decisions(tmp_path) == ()
    assert company_decisions(write(tmp_path, "# nothing yet\n")) == ()


REST = "reason: r, by: b, on: 2026-01-01"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("force: x", 1, "is not a list"),
        ("\n- 7", 2, "expected the keys force, forbid"),
        (f"- {{{REST}}}", 1, "either `force:`"),
        (f"- {{force: [email a, email b], forbid: [email a, email b], {REST}}}", 1, "either `force:`"),
        (f"- {{force: [email a, email b], {REST}, because: x}}", 1, "'because' is an unknown key"),
        (f"- {{force: [email a, email b], {REST}, by: c}}", 1, "by stands there twice"),
        ("- {force: [email a, email b], reason: r, on: 2026-01-01}", 1, "`by:` is missing"),
        (f"- {{force: [email a], {REST}}}", 1, "force: a decision has two ends"),
        (
            "- forbid:\n    - email a\n    - secret@example.jp\n  reason: r\n  by: b\n  on: 2026-01-01",
            3,
            "not understood",
        ),
        (f"- {{force: [email a, 42], {REST}}}", 1, "an end is a text"),
        ("- {force: [email a, email b], reason: r, by: b, on: yesterday}", 1, "on: 'yesterday' is not a date"),
        ("- {force: [email a, email b], reason: '', by: b, on: 2026-01-01}", 1, "reason: '' is not a text"),
        ("- {force: [email a, email b], reason: is secret@example.jp, by: b, on: 2026-01-01}", 1, "is published"),
        ("- {force: [email a, email b], reason: calls 090-0000-0000, by: b, on: 2026-01-01}", 1, "is published"),
        ("- {force: [email a, email b]\n- x", 2, "not valid YAML"),
    ],
)
def test_a_malformed_file_is_refused_with_line_and_what_to_do(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as raised:
        company_decisions(write(tmp_path, text))
    said = str(raised.value)
    assert said.startswith(f"{tmp_path / FILE_NAME}:{line}:")
    assert words in said
    assert "secret" not in said
