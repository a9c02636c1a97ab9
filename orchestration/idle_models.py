"""Models that can only be empty: everything they read comes from raw relations of which the build has no batch.

dbt takes about 30 ms for a table, whatever is in it, and a company lacks most of the vendors that Kizuna reads. The
columns of an empty table follow from the project alone. So they are written down when dbt makes the table for the first
time, beside the parsed project they belong to, and later builds of the same project create it without dbt.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ingestion.typing_sql import identifier
from orchestration.idle_tests import reads_only_absent
from orchestration.manifest import ensure_parsed, manifest


@dataclass(frozen=True)
class EmptyTable:
    """A table to create without dbt: `columns` as (name, type of DuckDB)."""

    unique_id: str
    schema: str
    name: str
    columns: Sequence[tuple[str, str]]

    @property
    def ddl(self) -> str:
        columns = ", ".join(f"{identifier(name)} {kind}" for name, kind in self.columns)
        return f"CREATE OR REPLACE TABLE {identifier(self.schema)}.{identifier(self.name)} ({columns})"


def empty_tables(stage: str, present: AbstractSet[str]) -> dict[str, EmptyTable]:
    """By unique_id, parents first: models of `stage` that are empty when only `present` has batches.

    Only those whose columns are known, and with them all models that they read.
    """
    known, models = _known(), _models(stage)
    found: dict[str, EmptyTable] = {}

    def add(unique_id: str) -> bool:
        if unique_id in found or unique_id not in models:
            return True
        if unique_id not in known or not reads_only_absent(unique_id, present):
            return False
        node = models[unique_id]
        if not all([add(parent) for parent in node["depends_on"]["nodes"]]):
            return False
        columns = [(name, kind) for name, kind in known[unique_id]]
        found[unique_id] = EmptyTable(unique_id, node["schema"], node["alias"], columns)
        return True

    for unique_id in models:
        add(unique_id)
    return found


def create(db: Path, tables: Iterable[EmptyTable]) -> None:
    """Make the tables in the build's database, in one transaction."""
    import duckdb

    statements = [(table.schema, table.ddl) for table in tables]
    if not statements:
        return
    with duckdb.connect(str(db)) as connection:
        connection.execute("BEGIN")
        for schema in sorted({schema for schema, _ in statements}):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}")
        for _, ddl in statements:
            connection.execute(ddl)
        connection.execute("COMMIT")


def remember(stage: str, present: AbstractSet[str], built: Mapping[str, Any]) -> None:
    """Write down the columns of tables that dbt has just made and that had nothing to read.

    `built`: unique_id -> {"rows", "columns"}. A table with rows although nothing feeds it is never left out.
    """
    known = _known()
    new = {
        unique_id: built[unique_id]["columns"]
        for unique_id in _models(stage)
        if unique_id in built
        and unique_id not in known
        and built[unique_id]["rows"] == 0
        and reads_only_absent(unique_id, present)
    }
    if not new:
        return
    path = _memory()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(orjson.dumps(known | new))
    temporary.replace(path)


def _memory() -> Path:
    return ensure_parsed() / "empty_tables.json"


def _known() -> dict[str, Any]:
    try:
        content: dict[str, Any] = orjson.loads(_memory().read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return content


def _models(stage: str) -> dict[str, Any]:
    return {
        unique_id: node
        for unique_id, node in sorted(manifest()["nodes"].items())
        if node["resource_type"] == "model" and node["fqn"][:2] == ["kizuna", stage]
    }
