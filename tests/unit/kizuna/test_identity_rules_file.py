"""A company's rules lie over the shipped ones, key by key; nothing misspelt is taken for an opinion."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.identity.rules import default_rules
from expectations.context import GateLimits
from kizuna.errors import InputError
from kizuna.identity_rules import FILE_NAME, company_rules, stated_limits
from kizuna.settings import Company

COMPANY = Company(name="c")


def write(home: Path, text: str) -> Path:
    file = home / FILE_NAME
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return home


def test_without_a_file_the_shipped_table_holds(tmp_path: Path) -> None:
    assert company_rules(tmp_path, COMPANY) == default_rules()
    assert stated_limits(tmp_path, COMPANY) == {}


def test_what_the_file_says_is_changed_and_nothing_else(tmp_path: Path) -> None:
    write(
        tmp_path,
        "sharer_limit: 3\ndevice_login_confidence: 0.5\n"
        "types:\n"
        "  email: {limit_per_customer: 9, value_limit: null, partner_limit: 4, confidence: 0.9, priority: 6}\n"
        "  phone:\n    time_to_live_days: 365\n    blocked_values: [03-3580-3311]\n    blocked_patterns: ['^\\+8150']\n"
        "  user_id: {limit_per_customer: 2}\n"
        "  loyalty_card: {based_on: fallback, unique: true}\n"
        "  hubspot_contact_id: {based_on: vendor_id, merge_trail: false, limit_per_customer: 2}\n",
    )
    table = company_rules(tmp_path, COMPANY)
    email, phone = table.rule("email"), table.rule("phone")
    assert (email.limit_per_customer, email.value_limit, email.partner_limit) == (9, None, 4)
    assert (email.confidence, email.priority, email.form) == (0.9, 6, "email")
    assert phone.time_to_live_days == 365
    assert "+81335803311" in phone.blocked_values > default_rules().rule("phone").blocked_values
    assert phone.blocked_patterns[-1][1] == "^\\+8150"
    assert (table.rule("user_id").unique, table.rule("user_id").limit_per_customer) == (False, 2)
    assert (table.rule("loyalty_card").unique, table.rule("loyalty_card").limit_per_customer) == (True, 1)
    assert (table.sharer_limit, table.device_login_confidence) == (3, 0.5)
    assert table.rule("device_id") == default_rules().rule("device_id")
    assert stated_limits(tmp_path, COMPANY) == {
        "email": 9,
        "phone": 5,
        "user_id": 2,
        "loyalty_card": 1,
        "hubspot_contact_id": 2,
    }


def test_the_gate_takes_the_limits_that_the_company_states(tmp_path: Path) -> None:
    write(tmp_path, "types:\n  email: {limit_per_customer: 2}\n  device_id: {limit_per_customer: 7}\n")
    limits = GateLimits(identifiers_per_customer_stated=stated_limits(tmp_path, COMPANY))
    assert [limits.identifier_limit(kind) for kind in ("email", "device_id", "phone")] == [2, 7, 5]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- x", 1, "expected the keys types"),
        ("type:\n  email: {}", 1, "'type' is an unknown key"),
        ("types:\n  e-mail: {priority: 1}", 2, "'e-mail' is no type of the table"),
        ("types:\n  email: {limit: 1}", 2, "'limit' is an unknown key; allowed here: based_on"),
        ("types:\n  email:\n    priority: 0", 3, "types.email.priority: 0 is not allowed: 1 (strongest) to 99"),
        ("types:\n  email: {limit_per_customer: many}", 2, "'many' is not allowed: a whole number"),
        ("types:\n  email: {limit_per_customer: null}", 2, "None is not allowed: a whole number"),
        ("types:\n  email: {unique: 1}", 2, "true or false"),
        ("types:\n  email: {unique: true, limit_per_customer: 2}", 2, "a unique type has one value"),
        ("types:\n  email: {confidence: 2}", 2, "a share from 0 to 1"),
        ("types:\n  email: {blocked_values: [nobody]}", 2, "no valid email"),
        ("types:\n  email: {blocked_patterns: ['(']}", 2, "not a regular expression"),
        ("types:\n  card: {based_on: cards}", 2, "'cards' is not allowed: fallback"),
        ("types:\n  steward: {priority: 3}", 2, "have no limits"),
        ("types:\n  device_id: {time_to_live_days: 9}", 2, "time slices"),
        ("sharer_limit: true", 1, "True is not allowed"),
    ],
)
def test_a_malformed_file_is_refused_with_line_and_what_is_allowed(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    with pytest.raises(InputError) as raised:
        company_rules(write(tmp_path, text), COMPANY)
    assert str(raised.value).startswith(f"{tmp_path / FILE_NAME}:{line}:")
    assert words in str(raised.value)


def test_likeness_joins_records_of_one_source_each_with_a_number_of_its_own(tmp_path: Path) -> None:
    alike = Company.model_validate({"name": "c", "identity": {"probabilistic": True}})
    table = company_rules(tmp_path, alike)
    assert table.rule("customer_key").limit_per_customer == table.rule("stripe_customer_id").limit_per_customer == 50
    assert table.rule("email") == default_rules().rule("email")
    assert table.rule("user_id").limit_per_customer == 1
    assert stated_limits(tmp_path, alike)["customer_key"] == 50 or table.rule("customer_key").merge_trail
