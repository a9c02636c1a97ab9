"""The table of gates, as orchestration and readers see it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import date

import pytest

from expectations.context import GateContext, GateLimits
from expectations.registry import GATE_NAMES, GATES, GateRow, asset_key_of, relations_of, rows_of, specs
from expectations.rules import NO_ROWS, Writer
from expectations.runner import describe_error
from expectations.suites.raw import RELATIONS

WITHHELD = "(message withheld: it may quote data)"
CONTEXT = GateContext(as_of=date(2026, 6, 30), timezone="Asia/Tokyo", currency="JPY")


def test_listing_the_gates_imports_nothing_heavy() -> None:
    code = (
        "import sys, expectations.registry as r, expectations.runner; list(r.specs());"
        "print([m for m in ('great_expectations', 'duckdb', 'dagster', 'pandas', 'sqlalchemy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("relation", "key"),
    [
        ("raw.shopify__orders", ("raw", "shopify", "orders")),
        ("raw.amazon_connect__contact_records", ("raw", "amazon_connect", "contact_records")),
        ("raw.batches", ("raw", "batches")),
        ("identity.customer_map", ("identity", "customer_map")),
        ("core.fct_orders", ("core", "fct_orders")),
        ("marts.churn_risk", ("marts", "churn_risk")),
    ],
)
def test_asset_keys(relation: str, key: tuple[str, ...]) -> None:
    assert asset_key_of(relation) == key


def test_every_row_is_one_check_of_one_asset() -> None:
    listed = list(specs())
    assert len(listed) == len(GATES)
    assert max(Counter((spec.asset_key, spec.name) for spec in listed).values()) == 1
    assert all(spec.name.startswith("gate_") and spec.description for spec in listed)
    assert [spec.relation for spec in specs("core")] == list(relations_of("core"))
    assert [row for gate in GATE_NAMES for row in rows_of(gate)] == list(GATES)


def test_relations_lie_in_the_schema_of_their_gate() -> None:
    """The datasource of a gate reads one schema."""
    assert [row.relation for row in GATES if row.relation.split(".")[0] != row.gate] == []


def test_raw_suites_name_columns_that_their_contracts_have() -> None:
    """An absent vendor's suite is not run, so a misspelt column would show only in the first company that has it."""
    from ingestion.contract_files import load_contracts
    from ingestion.relations import relation_columns

    columns = {name: {column for column, _ in found} for name, found in relation_columns(load_contracts()).items()}
    named = {f"raw.{spec.name}": {*spec.key, *spec.event_times, *spec.amounts} for spec in RELATIONS}
    assert {name: sorted(used - columns[name]) for name, used in named.items() if used - columns[name]} == {}


@pytest.mark.parametrize("row", GATES, ids=lambda row: row.relation)
def test_every_rule_says_why_and_whose(row: GateRow) -> None:
    rules = row.suite(CONTEXT, row.relation)
    assert rules
    assert max(Counter(rule.name for rule in rules).values()) == 1
    assert all(rule.reason and rule.owner for rule in rules)
    assert any(rule.severity == "error" for rule in rules)
    assert all("{batch}" in rule.kwargs["unexpected_rows_query"] for rule in rules if rule.kind == NO_ROWS)


def test_identifier_limits_agree_with_the_identity_rules() -> None:
    from analytics.identity.rules import PROBABLE, STEWARD, default_rules

    for default in (5, 7, 100):
        limits = GateLimits(identifiers_per_customer_default=default)
        for rule in default_rules(default).rules:
            limit = limits.identifier_limit(rule.identifier_type)
            unlimited = rule.merge_trail or rule.identifier_type in (STEWARD, PROBABLE)
            assert limit == (None if unlimited else rule.limit_per_customer), rule.identifier_type


def test_as_of_ends_at_local_midnight() -> None:
    assert CONTEXT.as_of_end_utc.isoformat() == "2026-06-30T15:00:00"


def test_braces_of_sql_stand_for_themselves() -> None:
    rule = Writer("o").never("n", "x = '{a}'", "r")
    query = rule.kwargs["unexpected_rows_query"]
    assert query.format(batch="core.t") == "select 1 from core.t where x = '{a}'"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Conversion Error: Could not convert string 'a@b.jp' to INT32", f"Conversion Error {WITHHELD}"),
        ("Constraint Error: Duplicate key \"email: a@b.jp\"", f"Constraint Error {WITHHELD}"),
        ("Invalid Input Error: Tanaka Error", f"Invalid Input Error {WITHHELD}"),
        ("Out of Memory Error: failed to allocate", f"Out of Memory Error {WITHHELD}"),
        ("KeyError: 'a@b.jp'", "error (message withheld)"),
        ('x\nBinder Error: column "y" not found\nLINE 1: a@b.jp', 'Binder Error: column "y" not found'),
        ('Error: The column "y" in BatchData does not exist.', "column y does not exist"),
        ("", "error (message withheld)"),
    ],
)  # fmt: skip
def test_errors_are_told_without_values(message: str, said: str) -> None:
    assert describe_error(message) == said
