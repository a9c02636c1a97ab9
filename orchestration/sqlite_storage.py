"""Dagster's SQLite storage with its connections kept open.

A run of the line stores about a thousand events. Dagster's own SQLite event log makes an engine and a connection for
every insert, three inserts for a check, and closing the last connection of a file writes its journal back each time:
about 10 ms an event, a quarter of a small run. Here a shard's connection stays open, and the planned events of a run
are one transaction. Files, schema and contents are Dagster's own; without this class it reads them as before.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, _event_logs_directory
from dagster._serdes import ConfigurableClassData
from sqlalchemy import event, inspect
from sqlalchemy.engine import Connection, Engine, create_engine
from sqlalchemy.pool import QueuePool

#: Shards (the index and the latest runs) whose connection stays open.
KEPT = 4
BUSY_TIMEOUT_SECONDS = 15


class PooledSqliteEventLog(SqliteEventLogStorage):
    """Dagster's event log over SQLite with one kept connection per shard."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._batch = threading.local()
        self._tables: set[str] = set()
        super().__init__(base_dir, inst_data)
        # A batch holds the index and the run's shard at once.
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """All of `events` or, when one raises, none of them."""
        with self._db_lock, ExitStack() as stack:
            self._batch.open = {}
            self._batch.stack = stack
            try:
                for entry in events:
                    self.store_event(entry)
            finally:
                del self._batch.open, self._batch.stack

    def has_table(self, table_name: str) -> bool:
        """Asked at every event. Tables are made by migrations and never dropped, so a yes is kept."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        batch: dict[str, Connection] | None = getattr(self._batch, "open", None)
        if batch is None:
            with self._transaction(shard) as connection:
                yield connection
            return
        if shard not in batch:
            batch[shard] = self._batch.stack.enter_context(self._transaction(shard))
        yield batch[shard]

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                if not _is_made(engine):
                    self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool,
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _no_sync_per_commit)
        self._engines[shard] = engine
        while len(self._engines) > KEPT:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    def delete_events(self, run_id: str) -> None:
        """A deleted run's file goes too: Dagster empties it and leaves it, one for every run there ever was."""
        super().delete_events(run_id)
        with self._db_lock:
            engine = self._engines.pop(run_id, None)
            if engine is not None:
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)

    def wipe(self) -> None:
        self._tables.clear()
        self._close()
        super().wipe()

    def dispose(self) -> None:
        self._close()
        super().dispose()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _is_made(engine: Engine) -> bool:
    """Whether a shard has its tables and says of which release.

    Dagster's own look at that loads its migrations each time. Where many runs are looked at, one file each (runs that
    failed while the daemon was away), that is most of the time, and a sensor has one minute.
    """
    with engine.connect() as connection:
        return inspect(connection).has_table("alembic_version") and bool(
            connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar()
        )


def _no_sync_per_commit(connection: Any, _record: Any) -> None:
    """With a write-ahead log a kill loses nothing; a power cut may lose the last events, which are no data."""
    connection.execute("PRAGMA synchronous=NORMAL")


class PooledSqliteStorage(DagsterSqliteStorage):
    """`storage: custom` of `dagster.yaml`: runs and schedules as Dagster keeps them, events in the kept connections."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = PooledSqliteEventLog(_event_logs_directory(base_dir))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> Self:
        return cls.from_local(inst_data=inst_data, **config_value)
