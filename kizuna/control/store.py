"""Opening the control store: one engine per process, migrated to the newest schema.

Every write is a small transaction. SQLite takes its write lock at BEGIN, so that two processes wait for each other
instead of failing half-way; PostgreSQL needs nothing special.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.exc import OperationalError

from kizuna.errors import KizunaError

if TYPE_CHECKING:
    from kizuna.settings import Settings

#: Newest revision under `migrations/versions`; a test keeps it in step with the scripts.
HEAD = "0003"

_BUSY_SECONDS = 30

#: Any number that nothing else in the database uses for an advisory lock.
_MIGRATION_LOCK = 7_116_485_274


def utcnow() -> datetime:
    """Now as naive UTC, the form of every instant in the store."""
    return datetime.now(UTC).replace(tzinfo=None)


class Store:
    """Control store of one company. Use `begin()` for a transaction that commits on leaving without an error."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries only."""
        with self.engine.connect().execution_options(kizuna_reading=True) as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def open_store(settings: Settings) -> Store:
    """Engine on `settings.control_url`, its schema migrated to `HEAD`. Raises `KizunaError` when unreachable."""
    return open_store_at(settings.control_url)


def open_store_at(url: str) -> Store:
    """Like `open_store`, for a bare SQLAlchemy URL."""
    engine = (
        _sqlite_engine(url)
        if url.startswith("sqlite")
        else create_engine(_with_driver(url), pool_pre_ping=True, hide_parameters=True)
    )
    try:
        found = _revision(engine)
        if found is not None and found > HEAD:
            raise KizunaError(
                f"The control store has schema {found}, this release knows up to {HEAD}: a newer release opened it. "
                "Install that release again, or restore the backup made before the upgrade (docs/operating.md)."
            )
        if found != HEAD:
            _migrate(engine)
    except OperationalError as error:
        raise KizunaError(
            f"The control store {engine.url.render_as_string(hide_password=True)} cannot be opened: {error.orig}. "
            "Check KIZUNA_CONTROL_URL and that the folder or server can be written."
        ) from error
    return Store(engine)


def _with_driver(url: str) -> str:
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _sqlite_engine(url: str) -> Engine:
    path = url.removeprefix("sqlite:///")
    if path and path != ":memory:":
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.touch(mode=0o600)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    # The driver's own BEGIN is deferred: two transactions that read first and write later would fail with
    # "database is locked" instead of waiting. So BEGIN is sent here, and takes the write lock unless only reading.
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("kizuna_reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _revision(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.execute(select(text("version_num")).select_from(text("alembic_version"))).scalar()


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two processes that open a fresh store at once would both create its tables; on SQLite BEGIN waits.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
