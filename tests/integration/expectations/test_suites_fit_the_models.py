"""Suites name columns of dbt models that others write: empty tables after their contracts must run and pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from expectations.context import GateContext
from expectations.registry import relations_of
from expectations.runner import run_gate

MODELS = Path(__file__).parents[3] / "dbt_project" / "models"


def models(folder: str) -> Iterator[dict[str, Any]]:
    for path in sorted((MODELS / folder).rglob("*.yml")):
        yield from yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])


@pytest.fixture(scope="module")
def after_contracts(tmp_path_factory: pytest.TempPathFactory, empty_company: Path) -> Path:
    path = tmp_path_factory.mktemp("contracts") / "build.duckdb"
    path.write_bytes(empty_company.read_bytes())
    with duckdb.connect(str(path)) as con:
        for schema in ("core", "marts"):
            con.execute(f"drop schema {schema} cascade; create schema {schema}")
            for model in models(schema):
                columns = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in model["columns"])
                con.execute(f"create table {schema}.{model['name']} ({columns})")
    return path


@pytest.mark.parametrize("gate", ["core", "marts"])
def test_every_column_a_suite_names_is_in_the_contract(after_contracts: Path, context: GateContext, gate: Any) -> None:
    report = run_gate(gate, after_contracts, context=context)
    assert [verdict.summary for verdict in report.verdicts if verdict.problems] == []
    # The one table that is never empty.
    failed = {found.name for verdict in report.verdicts for found in verdict.failed}
    assert failed == ({"is_not_empty"} if gate == "marts" else set())


def test_every_mart_has_a_gate() -> None:
    assert {f"marts.{model['name']}" for model in models("marts")} == set(relations_of("marts"))


def test_staging_columns_that_core_is_reconciled_with_exist(empty_company: Path) -> None:
    declared = {model["name"]: {column["name"] for column in model["columns"]} for model in models("staging")}
    with duckdb.connect(str(empty_company), read_only=True) as con:
        used = con.execute(
            "select table_name, column_name from information_schema.columns where table_schema = 'staging'"
        ).fetchall()
    assert [(table, column) for table, column in used if column not in declared.get(table, set())] == []
