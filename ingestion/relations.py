"""Schema `raw` of a build: one relation per entity over an explicit list of batch files.

An entity without a file is an empty table with the contract's columns, so that a company that lacks a source runs the
same models. Mapping contracts feed `raw.mapped__<entity>` together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion import doubled
from ingestion.contract import Column, Contract
from ingestion.contract_files import canonical_entities, load_contracts
from ingestion.typing_sql import identifier, literal
from kizuna.control import ledger
from kizuna.control.ledger import BatchRecord, FileRecord
from kizuna.errors import InputError
from kizuna.files import has_hash

if TYPE_CHECKING:
    import duckdb

    from kizuna.control.store import Store
    from kizuna.settings import Settings

_ORIGIN = (
    ("_extra", "VARCHAR"),
    ("_file", "VARCHAR"),
    ("_line", "BIGINT"),
    ("_batch", "VARCHAR"),
    ("_loaded_at", "TIMESTAMP"),
)
_BATCHES = (
    "batch_id VARCHAR, source VARCHAR, entity VARCHAR, relation VARCHAR, file VARCHAR, content_hash VARCHAR, "
    "bytes BIGINT, "
    "rows_in BIGINT, accepted BIGINT, quarantined BIGINT, duplicates BIGINT, first_event_at TIMESTAMP, "
    "last_event_at TIMESTAMP, loaded_at TIMESTAMP, doubled_rows BIGINT, doubled_taken VARCHAR"
)


@dataclass(frozen=True)
class Batch:
    """One input of a build. `path` is the Parquet file relative to the home, `file` the landing file it came from."""

    batch_id: str
    source: str
    entity: str
    relation: str
    namespace: str | None
    path: str
    parquet_hash: str
    file: str
    content_hash: str
    contract_version: str | None
    bytes: int
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    loaded_at: datetime
    doubled_rows: int
    doubled_taken: str | None


def list_inputs(store: Store, known_as_of: datetime | None = None) -> list[Batch]:
    """Batches a build reads, by relation and file. `known_as_of` (naive UTC) leaves out what was loaded later."""
    with store.read() as connection:
        pairs = ledger.list_batches(connection, known_as_of=known_as_of)
    return [_batch(batch, file) for batch, file in pairs]


def _batch(batch: BatchRecord, file: FileRecord) -> Batch:
    return Batch(
        batch_id=batch.batch_id,
        source=batch.source,
        entity=batch.entity,
        relation=batch.relation,
        namespace=batch.namespace,
        path=batch.path,
        parquet_hash=batch.parquet_hash,
        file=file.path,
        content_hash=batch.content_hash,
        contract_version=file.contract_version,
        bytes=batch.bytes,
        rows_in=batch.rows_in,
        accepted=batch.accepted,
        quarantined=batch.quarantined,
        duplicates=batch.duplicates,
        first_event_at=batch.first_event_at,
        last_event_at=batch.last_event_at,
        loaded_at=batch.known_at,
        doubled_rows=doubled.rows_of(file),
        doubled_taken=doubled.taken_of(file),
    )


def relation_columns(contracts: Sequence[Contract]) -> dict[str, list[tuple[str, str]]]:
    """Columns with types of every raw relation: `raw.<source>__<entity>` and `raw.mapped__<entity>`, files or not."""
    relations: dict[str, list[tuple[str, str]]] = {}
    for contract in contracts:
        if not contract.mapped:
            typed = [(column.name, column.sql_type) for column in contract.columns]
            relations[contract.relation] = [*typed, *_ORIGIN, ("_source", "VARCHAR")]
    for name, entity in canonical_entities().items():
        typed = [(key, Column(name=key, type=column.type).sql_type) for key, column in entity.columns.items()]
        relations[f"raw.mapped__{name}"] = [*typed, *_ORIGIN, ("_source", "VARCHAR"), ("_namespace", "VARCHAR")]
    return dict(sorted(relations.items()))


def relation_names() -> dict[str, str]:
    """Relations of schema `raw` that exist in every build, by name, with what a row is."""
    vendors = {contract.relation: contract.description for contract in load_contracts()}
    mapped = {f"raw.mapped__{name}": entity.description for name, entity in canonical_entities().items()}
    return {name.removeprefix("raw."): text for name, text in sorted((vendors | mapped).items())}


def create_raw_relations(con: duckdb.DuckDBPyConnection, settings: Settings, batches: Sequence[Batch]) -> None:
    """Create schema `raw` in `con`: relations over exactly `batches`, and the table `raw.batches`.

    Raises `InputError` when a batch's file is gone: a build never goes on with less than it was asked for.
    """
    home = settings.home
    missing = [batch.path for batch in batches if not (home / batch.path).is_file()]
    if missing:
        raise InputError(
            f"{home / missing[0]} is missing ({len(missing)} of {len(batches)} batch files). Run `kizuna ingest`, "
            "which loads it again from landing."
        )
    changed = [batch.path for batch in batches if not has_hash(home / batch.path, batch.parquet_hash)]
    if changed:
        raise InputError(
            f"{home / changed[0]} is not the file that was loaded ({len(changed)} of {len(batches)} differ). Delete"
            " it and run `kizuna ingest`, which loads it again from landing."
        )
    con.execute("CREATE SCHEMA IF NOT EXISTS raw")
    by_relation: dict[str, list[Batch]] = defaultdict(list)
    for batch in batches:
        by_relation[batch.relation].append(batch)
    contracts = load_contracts(settings.contracts_dir, timezone=settings.company.timezone)
    for relation, columns in relation_columns(contracts).items():
        _create_relation(con, relation, columns, by_relation.get(relation, []), home)
    _create_batches(con, batches)


def _create_relation(
    con: duckdb.DuckDBPyConnection, relation: str, columns: list[tuple[str, str]], batches: list[Batch], home: Path
) -> None:
    name = ".".join(identifier(part) for part in relation.split("."))
    typed = ", ".join(f"{identifier(column)} {kind}" for column, kind in columns)
    if not batches:
        con.execute(f"CREATE OR REPLACE TABLE {name} ({typed})")
        return
    # Files of one contract version share their columns; older versions may lack some, which become NULL by name.
    groups: dict[tuple[str, str, str], list[Batch]] = defaultdict(list)
    for batch in batches:
        groups[(batch.source, batch.namespace or "", batch.contract_version or "")].append(batch)
    empty = ", ".join(f"NULL::{kind} AS {identifier(column)}" for column, kind in columns)
    parts = [f"(SELECT {empty} WHERE false)"]
    mapped = any(column == "_namespace" for column, _ in columns)
    for (source, namespace, _), members in sorted(groups.items()):
        files = ", ".join(
            literal(str(home / batch.path)) for batch in sorted(members, key=lambda b: (b.file, b.batch_id))
        )
        constants = f"{literal(source)} AS _source" + (f", {literal(namespace)} AS _namespace" if mapped else "")
        parts.append(
            f"(SELECT *, {constants} FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false))"
        )
    chosen = ", ".join(f"CAST({identifier(column)} AS {kind}) AS {identifier(column)}" for column, kind in columns)
    con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {chosen} FROM ({' UNION ALL BY NAME '.join(parts)})")


def _create_batches(con: duckdb.DuckDBPyConnection, batches: Sequence[Batch]) -> None:
    con.execute(f"CREATE OR REPLACE TABLE raw.batches ({_BATCHES})")
    rows = [
        (b.batch_id, b.source, b.entity, b.relation, b.file, b.content_hash, b.bytes, b.rows_in, b.accepted,
         b.quarantined, b.duplicates, b.first_event_at, b.last_event_at, b.loaded_at, b.doubled_rows, b.doubled_taken)
        for b in sorted(batches, key=lambda b: (b.relation, b.file, b.batch_id))
    ]  # fmt: skip
    if rows:
        con.executemany(f"INSERT INTO raw.batches VALUES ({', '.join('?' * len(rows[0]))})", rows)
