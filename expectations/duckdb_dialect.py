"""Makes Great Expectations run inside DuckDB; nothing but the runner imports this module (it costs the 6 s import).

Out of the box every expectation fails on SQLAlchemy 2.1: reflection raises, so Great Expectations drops the schema from
schema-qualified tables (and may read a same-named table elsewhere), and regex and LIKE are "not supported for dialect
duckdb". What closes the gaps:

- a dialect whose `do_begin` and `do_rollback` do nothing: Great Expectations reads a result after it has given the
  connection back, and a rollback would throw that result away;
- columns by `DESCRIBE`, and no primary keys;
- an execution engine whose `dialect_module` says `DremioDialect`, the branch that renders `REGEXP_MATCHES`. Posing as
  PostgreSQL would be wrong: its `~` is a full match in DuckDB;
- one type class per DuckDB type name, so that a type check compares exact names (`DECIMAL(18,2)`).

`tests/unit/expectations/test_duckdb_dialect_canaries.py` holds one canary per internal thing used here.
"""

from __future__ import annotations

import builtins
import hashlib
import json
from functools import cache
from types import ModuleType
from typing import Any, Literal

import duckdb
import sqlalchemy as sa
from duckdb_engine import ConnectionWrapper, Dialect
from great_expectations.core.id_dict import IDDict
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import Expectation
from sqlalchemy.dialects import registry as dialect_registry
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedPrimaryKeyConstraint
from sqlalchemy.types import UserDefinedType

DRIVER = "duckdb+kizuna"


@cache
def type_class(name: str) -> type[UserDefinedType[Any]]:
    """The one SQLAlchemy type class that stands for a DuckDB type, e.g. `DECIMAL(18,2)`; the same object every time."""

    def get_col_spec(_self: object, **_kw: object) -> str:
        return name

    return type(name, (UserDefinedType,), {"get_col_spec": get_col_spec, "cache_ok": True})


class TypeModule(ModuleType):
    """What Great Expectations takes for the dialect's module: regex branch by attribute, types by name."""

    DremioDialect = True

    def __getattr__(self, name: str) -> type[UserDefinedType[Any]]:
        if name.startswith("_") or not name.isupper():  # dialect probes such as `TrinoDialect` must find nothing
            raise AttributeError(name)
        return type_class(name)


class KizunaDuckDBDialect(Dialect):
    """duckdb-engine's dialect, read-only and without transactions."""

    supports_statement_cache = False

    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        """Open the file exactly as `duckdb.connect(path, read_only=True)` does.

        DuckDB refuses a second connection of one process with another configuration, and duckdb-engine would add a
        user agent of its own. Limits are set once by the runner's own connection; they hold for the whole instance.
        """
        del cparams
        return ConnectionWrapper(duckdb.connect(cargs[0], read_only=True))

    def create_connect_args(self, url: sa.URL) -> Any:
        return (url.database,), {}

    def do_begin(self, connection: Any) -> None:
        """Nothing: see the module's docstring."""

    def do_rollback(self, connection: Any) -> None:
        """Nothing: see the module's docstring."""

    def get_columns(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_kw: Any
    ) -> list[ReflectedColumn]:
        quote = self.identifier_preparer.quote_identifier
        relation = ".".join(quote(part) for part in (schema, table_name) if part)
        described = connection.execute(sa.text(f"describe {relation}")).fetchall()
        return [
            ReflectedColumn(name=row[0], type=type_class(row[1])(), nullable=True, default=None) for row in described
        ]

    def get_pk_constraint(self, *_args: Any, **_kw: Any) -> ReflectedPrimaryKeyConstraint:
        return ReflectedPrimaryKeyConstraint(constrained_columns=[], name=None)


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Great Expectations' SQL engine with DuckDB's types and regex."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dialect_module = TypeModule("kizuna_duckdb_types")


class DuckDBDatasource(SQLDatasource):
    """Defining the class registers it: `context.data_sources.add_duckdb(name, connection_string=…, schema_name=…)`
    exists from here on. One datasource reads one schema of one file.
    """

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]
    schema_name: str

    @property
    def schema_(self) -> str | None:
        return self.schema_name

    @classmethod
    def _get_exec_engine_excludes(cls) -> set[str]:
        return {*super()._get_exec_engine_excludes(), "schema_name"}

    @property
    def execution_engine_type(self) -> builtins.type[SqlAlchemyExecutionEngine]:
        return DuckDBExecutionEngine

    def release(self) -> None:
        """Close every connection, so that the next stage can open the file for writing."""
        if self._execution_engine is not None:
            self._execution_engine.close()
        if self._engine is not None:
            self._engine.dispose()


class ExpectNoRows(UnexpectedRowsExpectation):
    """`UnexpectedRowsExpectation` that only counts.

    The stock class also fetches up to 200 failing rows with every format; here no row ever leaves the database, and the
    query runs once instead of twice.
    """

    metric_dependencies = ("unexpected_rows_query.row_count",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        del runtime_configuration, execution_engine
        count = metrics["unexpected_rows_query.row_count"]
        return {"success": count == 0, "result": {"observed_value": count}}


def connection_string(path: str) -> str:
    """The URL of a database file, whatever characters its path has."""
    return sa.URL.create(DRIVER, database=path).render_as_string(hide_password=False)


dialect_registry.register("duckdb.kizuna", __name__, KizunaDuckDBDialect.__name__)


class _Remembered:
    """`Expectation.configuration`, made once per expectation.

    The stock property builds it anew whenever a single argument is asked for, twenty thousand times in the gates of a
    small company: a quarter of their processor time. An expectation does not change once it is in a suite; the copy
    keeps what a validation writes into its arguments to that validation.
    """

    def __init__(self, stock: property) -> None:
        self._stock = stock
        self._made: dict[int, tuple[Any, dict[str, Any], Any]] = {}

    def __get__(self, expectation: Any, owner: Any = None) -> Any:
        if expectation is None:
            return self
        found = self._made.get(id(expectation))
        if found is None or found[0] is not expectation or found[1] != vars(expectation):
            assert self._stock.fget is not None
            found = (expectation, dict(vars(expectation)), self._stock.fget(expectation))
            self._made[id(expectation)] = found
        return found[2]

    def forget(self) -> None:
        """Let go of every expectation, after a validation."""
        self._made.clear()


REMEMBERED = _Remembered(vars(Expectation)["configuration"])
Expectation.configuration = REMEMBERED  # type: ignore[assignment,method-assign]


#: What JSON writes as it is.
_PLAIN = frozenset({str, int, bool, type(None)})
_stock_id = IDDict.to_id


def _id_of_plain_values(found: IDDict, id_keys: Any = None, id_ignore_keys: Any = None) -> Any:
    """`IDDict.to_id`, the same text sooner where all keys are texts and all values plain.

    A metric is named by such ids of its arguments, twenty thousand times in the gates of a small company, and the stock
    method looks at every argument for types of numpy and pandas before it writes them.
    """
    if (
        id_keys is None
        and id_ignore_keys is None
        and len(found) > 1
        and not found._id_ignore_keys
        and {type(key) for key in found} == {str}
        and {type(value) for value in found.values()} <= _PLAIN
    ):
        return hashlib.md5(json.dumps(found, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    return _stock_id(found, id_keys, id_ignore_keys)


IDDict.to_id = _id_of_plain_values  # type: ignore[assignment,method-assign]
