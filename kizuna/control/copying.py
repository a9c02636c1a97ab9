"""The content of a control store as one SQLite file, and back into any store: what a backup holds of it.

The copy has the tables of `schema.py` whatever the store runs on, so that a backup of PostgreSQL needs no tool of the
same version, and a company can move from SQLite to PostgreSQL by a backup and a restore.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, func, insert, select, text, update

from kizuna.control.schema import lease, metadata
from kizuna.control.store import Store, open_store_at
from kizuna.errors import InputError

_ROWS_AT_ONCE = 5_000


def save_store(store: Store, target: Path) -> dict[str, int]:
    """Write every row of one moment into the new SQLite file `target`; rows by table. Nobody holds a lease in it."""
    copy = open_store_at(f"sqlite:///{target}")
    try:
        with store.read() as source, copy.begin() as into:
            if source.dialect.name == "postgresql":
                source.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            rows = _copy(source, into)
            into.execute(
                update(lease).values(holder=None, host=None, pid=None, process_started=None, heartbeat_at=None)
            )
        # One file without a log beside it.
        raw = copy.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=DELETE")
        finally:
            raw.close()
    finally:
        copy.close()
    return rows


def fill_store(copy: Path, store: Store) -> dict[str, int]:
    """Put the rows of a saved file into an empty store; rows by table. The file is brought to the newest schema first.

    Raises `InputError` when the store holds anything already.
    """
    source = open_store_at(f"sqlite:///{copy}")
    try:
        with source.read() as out, store.begin() as into:
            held = [t.name for t in metadata.sorted_tables if into.execute(select(t).limit(1)).first() is not None]
            if held:
                raise InputError(
                    f"The control store is not empty (rows in {', '.join(held)}). A restore writes into a new one: "
                    "point KIZUNA_CONTROL_URL to an empty database."
                )
            rows = _copy(out, into)
            if into.dialect.name == "postgresql":
                _continue_numbers(into)
    finally:
        source.close()
    return rows


def _copy(source: Connection, into: Connection) -> dict[str, int]:
    rows: dict[str, int] = {}
    for table in metadata.sorted_tables:
        rows[table.name] = 0
        found = source.execution_options(stream_results=True).execute(select(table))
        for part in found.mappings().partitions(_ROWS_AT_ONCE):
            into.execute(insert(table), [dict(row) for row in part])
            rows[table.name] += len(part)
    return rows


def _continue_numbers(connection: Connection) -> None:
    """Rows came with their numbers; the next row must not get one of them."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None or column.autoincrement is False:
            continue
        sequence = connection.execute(
            text("SELECT pg_get_serial_sequence(:name, :column)"), {"name": table.name, "column": column.name}
        ).scalar()
        highest = connection.execute(select(func.max(column))).scalar()
        if sequence is not None and highest is not None:
            connection.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})
