"""One canary per internal thing of Great Expectations, SQLAlchemy or duckdb-engine that the dialect leans on.

When a pinned version moves and one of these falls, the dialect must be looked at again before anything else.
"""

from __future__ import annotations

import inspect
import logging
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

# One process, one import of Great Expectations (seconds): every canary shares it.
sa = pytest.importorskip("sqlalchemy")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dialect") / "build.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create schema core")
        con.execute("create table core.t as select 1 as id, 2::decimal(18,2) as amount, timestamp '2026-01-01' as at")
    return path


@pytest.fixture(scope="module")
def engine(database: Path) -> Any:
    from expectations.duckdb_dialect import connection_string

    engine = sa.create_engine(connection_string(str(database)))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def source(database: Path) -> Any:
    from expectations.duckdb_dialect import connection_string
    from expectations.runner import _ephemeral_context

    context = _ephemeral_context()
    made = context.data_sources.add_duckdb(
        "canary", connection_string=connection_string(str(database)), schema_name="core"
    )
    yield made
    made.release()
    context.data_sources.delete("canary")


def test_the_dialect_is_found_by_its_url(engine: Any) -> None:
    assert type(engine.dialect).__name__ == "KizunaDuckDBDialect"
    assert engine.dialect.name == "duckdb"


def test_a_result_outlives_its_connection(engine: Any) -> None:
    """Great Expectations fetches after it has given the connection back; a real rollback would lose the rows."""
    with engine.connect() as connection:
        result = connection.execute(sa.text("select * from range(3)"))
    assert [row[0] for row in result.fetchall()] == [0, 1, 2]


def test_connections_are_read_only_and_configured_like_plain_ones(engine: Any, database: Path) -> None:
    with engine.connect() as connection:
        with pytest.raises(sa.exc.DBAPIError, match="read-only"):
            connection.execute(sa.text("create table core.x as select 1"))
        with duckdb.connect(str(database), read_only=True) as plain:
            assert plain.execute("select count(*) from core.t").fetchone() == (1,)


def test_columns_are_reflected_with_exact_types(engine: Any) -> None:
    columns = sa.inspect(engine).get_columns("t", schema="core")
    assert [(c["name"], type(c["type"]).__name__) for c in columns] == [
        ("id", "INTEGER"),
        ("amount", "DECIMAL(18,2)"),
        ("at", "TIMESTAMP"),
    ]
    assert str(columns[1]["type"].compile(dialect=engine.dialect)) == "DECIMAL(18,2)"
    assert sa.inspect(engine).get_pk_constraint("t", schema="core")["constrained_columns"] == []


def test_type_classes_are_the_same_object_every_time() -> None:
    from expectations.duckdb_dialect import TypeModule, type_class

    assert getattr(TypeModule("x"), "DECIMAL(18,2)") is type_class("DECIMAL(18,2)")
    assert not hasattr(TypeModule("x"), "TrinoDialect")  # probes for other dialects must find nothing


def test_defining_the_class_registers_add_duckdb(source: Any) -> None:
    assert type(source).__name__ == "DuckDBDatasource"
    assert source.type == "duckdb"


def test_the_engine_carries_our_type_module(source: Any) -> None:
    execution_engine = source.get_execution_engine()
    assert type(execution_engine).__name__ == "DuckDBExecutionEngine"
    assert execution_engine.dialect_module.DremioDialect is True


def test_the_dremio_branch_renders_a_regex_that_duckdb_knows(source: Any) -> None:
    from great_expectations.expectations.metrics.util import get_dialect_regex_expression

    found = get_dialect_regex_expression(sa.column("name"), "@", source.get_execution_engine().dialect_module)
    assert str(found).startswith("REGEXP_MATCHES(name")


def test_tables_keep_their_schema(source: Any) -> None:
    asset = source.add_table_asset("t_in_core", table_name="t")
    assert asset.qualified_name == "core.t"


def test_our_rule_class_counts_once_and_fetches_nothing() -> None:
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

    from expectations.duckdb_dialect import ExpectNoRows

    # The stock class still has both metrics; should `table` ever vanish there, our override can go too.
    assert UnexpectedRowsExpectation.metric_dependencies == (
        "unexpected_rows_query.table",
        "unexpected_rows_query.row_count",
    )
    assert ExpectNoRows.metric_dependencies == ("unexpected_rows_query.row_count",)


def test_a_partial_list_of_no_length_means_limit_zero(source: Any) -> None:
    """BASIC asks for sample values; with length 0 the database gives none."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    from expectations.runner import RESULT_FORMAT

    batch = source.add_table_asset("t_basic", table_name="t").add_batch_definition_whole_table("all").get_batch()
    suite = gx.ExpectationSuite("s", expectations=[gxe.ExpectColumnValuesToBeBetween(column="id", min_value=5)])
    result = batch.validate(suite, result_format=dict(RESULT_FORMAT)).results[0].result
    assert result["unexpected_count"] == 1
    assert result["partial_unexpected_list"] == []


def test_the_names_used_of_great_expectations_exist() -> None:
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

    assert isinstance(inspect.getattr_static(SQLDatasource, "schema_"), property)
    assert hasattr(SQLDatasource, "_get_exec_engine_excludes")
    assert {"_engine", "_execution_engine"} <= set(SQLDatasource.__private_attributes__)
    assert "dialect_module" in inspect.getsource(SqlAlchemyExecutionEngine.__init__)


def test_the_library_is_silent_and_stays_at_home(source: Any) -> None:
    """Its log lines quote queries and errors of the database, values included."""
    from expectations.runner import _ephemeral_context

    assert not logging.getLogger("great_expectations.validator.validation_graph").isEnabledFor(logging.CRITICAL)
    context = _ephemeral_context()
    assert context.config.analytics_enabled is False
    assert context.variables.progress_bars["globally"] is False


def test_every_rule_names_an_expectation_that_exists() -> None:
    from datetime import date

    import great_expectations.expectations as gxe

    from expectations.context import GateContext
    from expectations.registry import GATES
    from expectations.rules import NO_ROWS

    context = GateContext(as_of=date(2026, 6, 30), previous_rows={row.relation: 100 for row in GATES})
    kinds = {rule.kind for row in GATES for rule in row.suite(context, row.relation)}
    assert [kind for kind in kinds if kind != NO_ROWS and not hasattr(gxe, kind)] == []


def test_a_remembered_configuration_is_the_stock_one_and_follows_a_change() -> None:
    import great_expectations.expectations as gxe

    from expectations.duckdb_dialect import REMEMBERED

    between = gxe.ExpectColumnValuesToBeBetween(column="id", min_value=0, meta={"rule": "r"})
    first = between.configuration
    assert first is between.configuration
    assert first == REMEMBERED._stock.fget(between)
    between.min_value = 5
    assert between.configuration.kwargs["min_value"] == 5
    REMEMBERED.forget()
    assert between.configuration is not first


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"column": "id"},
        {"batch_id": "build-t", "column": "id", "row_condition": None, "min_value": 5, "strict_min": True},
        {"column": "名前", "mostly": 0.5},
        {"column": "id", "value_set": ["a", 2, None]},
        {"column": "day", "min_value": date(2026, 6, 30)},
        {"column": "id", 3: "three"},
    ],
)
def test_an_id_of_arguments_is_the_stock_one(arguments: dict[Any, Any]) -> None:
    from great_expectations.core.id_dict import IDDict

    from expectations import duckdb_dialect

    assert IDDict.to_id is duckdb_dialect._id_of_plain_values
    assert IDDict(arguments).to_id() == duckdb_dialect._stock_id(IDDict(arguments))
    assert IDDict(arguments).to_id(id_ignore_keys={"column"}) == duckdb_dialect._stock_id(
        IDDict(arguments), id_ignore_keys={"column"}
    )
