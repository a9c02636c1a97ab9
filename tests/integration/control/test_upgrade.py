"""A company of the first release goes on: its control store is brought to today's schema and nothing in it is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, select, text

from kizuna.control import ledger
from kizuna.control.lease import acquire
from kizuna.control.schema import metadata
from kizuna.control.store import HEAD, open_store_at
from kizuna.delivery import outbox
from kizuna.errors import KizunaError
from kizuna.incident_history import incidents_before

FIRST = Path(__file__).with_name("first_schema.sql")


def first_release(kind: str, folder: Path, database: Callable[[str], str]) -> str:
    """URL of a store as the first release left it."""
    sql = FIRST.read_text(encoding="utf-8")
    if kind == "sqlite":
        sql = sql.replace("{serial}", "INTEGER NOT NULL").replace("{datetime}", "DATETIME")
        with sqlite3.connect(folder / "control.db") as db:
            db.executescript(sql)
        return f"sqlite:///{folder / 'control.db'}"
    url = database("first")
    sql = sql.replace("{serial}", "BIGSERIAL NOT NULL").replace("{datetime}", "TIMESTAMP WITHOUT TIME ZONE")
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.connection.driver_connection.execute(sql)  # type: ignore[union-attr]
    engine.dispose()
    return url


def rows_of(url: str) -> dict[str, list[dict[str, Any]]]:
    """What the first release wrote, table by table, in plain SQL."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    names = [t.name for t in metadata.sorted_tables if f"CREATE TABLE {t.name} " in FIRST.read_text(encoding="utf-8")]
    with engine.connect() as connection:
        found = {n: [dict(row) for row in connection.execute(text(f"SELECT * FROM {n}")).mappings()] for n in names}
    engine.dispose()
    return found


def as_known_today(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the first release under today's names: 0003 tells hashes of contents by what made them."""
    renamed = {"sha256": "content_hash", "parquet_sha256": "parquet_hash"} if table in ("files", "batches") else {}
    return {renamed.get(k, k): f"sha256:{value}" if k in renamed and value else value for k, value in row.items()}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    database = request.getfixturevalue("database") if request.param == "postgresql" else lambda name: name
    return first_release(request.param, tmp_path, database)


def test_a_store_of_the_first_release_is_upgraded_and_keeps_every_row(url: str) -> None:
    before = rows_of(url)
    assert all(before.values()), "the fixture has rows in every table"
    store = open_store_at(url)
    with store.read() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == [], "the same tables as in a new store"
    before = {n: [as_known_today(n, row) for row in rows] for n, rows in before.items()}
    after = rows_of(url)
    kept = {n: [{k: row[k] for k in old} for row, old in zip(after[n], before[n], strict=True)] for n in before}
    assert kept == before

    with store.begin() as connection:
        (batch, file) = ledger.list_batches(connection)[0]
        assert (file.path, file.bytes, batch.active) == ("shopify/注文.csv", 5_000_000_000, True)
        (waiting,) = outbox.listing(connection, *outbox.UNSENT)
        assert (waiting.key, outbox.thread_root(connection, waiting)) == ("m2", "C0/1")
        at = datetime(2026, 6, 3)
        assert outbox.enqueue(connection, key="m3", channel="#cx-alerts", payload={"text": "次"}, now=at)
        assert not outbox.enqueue(connection, key="m1", channel="#cx-alerts", payload={"text": "again"}, now=at)
        assert incidents_before(connection, 3) == [], "0002 keeps states by version; the first release had none"
    assert acquire(store, "build", "run-3", heartbeat=False).fence == 3, "the fencing number goes on growing"
    with store.read() as connection:
        as_of = connection.execute(select(metadata.tables["builds"].c.as_of)).scalars().all()
    assert sorted(as_of) == [date(2026, 5, 31), date(2026, 6, 1)]
    with store.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(KizunaError, match="a newer release opened it"):
        open_store_at(url)
