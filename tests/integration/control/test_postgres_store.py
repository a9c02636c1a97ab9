"""The control store on a real PostgreSQL: the same schema, fencing, outbox and ledger as on SQLite."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text, update

from kizuna.control import ledger
from kizuna.control.lease import acquire
from kizuna.control.ledger import BatchRecord, FileRecord
from kizuna.control.schema import builds, lease, metadata
from kizuna.control.store import HEAD, Store
from kizuna.delivery import outbox
from kizuna.errors import LeaseHeld

AT = datetime(2026, 6, 30, 12, 0, 0)


def test_migrations_give_exactly_the_tables_of_the_schema_on_postgresql(store: Store) -> None:
    assert store.engine.dialect.name == "postgresql"
    with store.read() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []


def test_a_lease_fences_on_postgresql(store: Store) -> None:
    late = acquire(store, "build", "run-1", heartbeat=False)
    with pytest.raises(LeaseHeld, match="run-1"):
        acquire(store, "build", "run-2", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(process_started=1.0))
    taken = acquire(store, "build", "run-2", heartbeat=False)
    assert taken.fence == late.fence + 1
    with store.begin() as connection, pytest.raises(LeaseHeld, match="declared dead"):
        late.verify(connection)
    with store.begin() as connection:
        taken.verify(connection)


def test_a_host_whose_clock_is_wrong_takes_no_lease_of_a_living_worker(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signs of life are written and read by the clock of the server, not by those of two hosts."""
    acquire(store, "build", "run-1", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(host="elsewhere"))
    monkeypatch.setattr("kizuna.control.lease.utcnow", lambda: datetime(2099, 1, 1))
    with pytest.raises(LeaseHeld, match="run-1"):
        acquire(store, "build", "run-2", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(heartbeat_at=lease.c.heartbeat_at - timedelta(minutes=3)))
    monkeypatch.setattr("kizuna.control.lease.utcnow", lambda: datetime(2020, 1, 1))
    assert acquire(store, "build", "run-2", heartbeat=False).fence == 2


@pytest.mark.parametrize("known", [True, False], ids=["lease exists", "very first lease"])
def test_of_many_builders_at_once_exactly_one_gets_the_lease(store: Store, known: bool) -> None:
    if known:
        with store.begin() as connection:
            connection.execute(lease.insert().values(name="build", fence=0))
    ready = Barrier(8)

    def attempt(number: int) -> int | None:
        with store.read() as connection:
            connection.execute(select(lease)).all()
        ready.wait(timeout=30)
        try:
            return acquire(store, "build", f"run-{number}", heartbeat=False).fence
        except LeaseHeld:
            return None

    with ThreadPoolExecutor(8) as pool:
        fences = list(pool.map(attempt, range(8)))
    assert [fence for fence in fences if fence is not None] == [1]


def test_messages_are_queued_once_and_in_order_from_many_writers(store: Store) -> None:
    def queue(number: int) -> bool:
        with store.begin() as connection:
            return outbox.enqueue(
                connection,
                key=f"key-{number % 10}",
                channel="#cx-alerts",
                payload={"text": f"離反 {number}", "blocks": []},
                now=AT,
            )

    with ThreadPoolExecutor(6) as pool:
        added = list(pool.map(queue, range(40)))
    assert sum(added) == 10
    with store.read() as connection:
        messages = outbox.listing(connection)
        assert [message.seq for message in messages] == list(range(1, 11))
        assert len({message.key for message in messages}) == 10
        assert messages[0].payload["text"].startswith("離反")
        assert outbox.counts(connection)["pending"] == 10


def test_a_file_and_its_batch_are_recorded_read_back_and_replaced(store: Store) -> None:
    file = FileRecord(
        file_id="f" * 32, source="shopify", path="shopify/注文.csv", content_hash="a" * 71, bytes=5_000_000_000,
        status="accepted", first_seen_at=AT, entity="orders", contract="shopify__orders", contract_version="1",
        rows_in=3, accepted=2, quarantined=1, batch_id="b" * 32, loaded_at=AT,
        detail={"relation": "raw.shopify__orders", "drift": {"added": ["Employee"]}},
    )  # fmt: skip
    batch = BatchRecord(
        batch_id="b" * 32, file_id="f" * 32, source="shopify", entity="orders", relation="raw.shopify__orders",
        namespace=None, path="raw/x.parquet", content_hash="a" * 71, parquet_hash="c" * 71, bytes=10, rows_in=3,
        accepted=2, quarantined=1, duplicates=0, first_event_at=AT, last_event_at=None, known_at=AT,
    )  # fmt: skip
    with store.begin() as connection:
        ledger.record(connection, file, batch)
    with store.read() as connection:
        assert ledger.find_file(connection, file.file_id) == file
        assert ledger.list_batches(connection) == [(batch, file)]
    with store.begin() as connection:
        ledger.record(connection, file, None)
    with store.read() as connection:
        assert ledger.list_batches(connection) == []
        assert [found.active for found, _ in ledger.list_batches(connection, active=False)] == [False]


def test_a_failing_transaction_leaves_nothing_on_postgresql(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.begin() as connection:
        connection.execute(lease.insert().values(name="x", fence=0))
        _ = 1 / 0
    with store.read() as connection:
        assert connection.execute(select(lease)).all() == []
        assert connection.execute(select(builds)).all() == []


def test_processes_that_open_a_fresh_store_at_once_all_find_it_migrated(store: Store) -> None:
    with store.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            table.drop(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    url = store.engine.url.render_as_string(hide_password=False)
    code = (
        "import sys, alembic.command, kizuna.control.schema; from kizuna.control.store import open_store_at\n"
        "sys.stdin.readline(); open_store_at(sys.argv[1])"
    )
    command = [sys.executable, "-c", code, url]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    time.sleep(3)  # all of them have imported and wait
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    errors = [child.communicate(timeout=60)[1] for child in children]
    assert [child.returncode for child in children] == [0] * 4, errors
    with store.read() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == HEAD
