"""The control store: migrations give the schema, transactions are whole, the lease fences."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, update

import kizuna.control as control
from kizuna.control.lease import (
    WAITS,
    acquire,
    acquire_after_errands,
    errand,
    living_holder,
    living_runs,
)
from kizuna.control.schema import lease, metadata
from kizuna.control.store import HEAD, Store, open_store, open_store_at, utcnow
from kizuna.errors import KizunaError, LeaseHeld
from kizuna.settings import Settings


def test_migrations_give_exactly_the_tables_of_the_schema(store: Store) -> None:
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    scripts = ScriptDirectory(str(Path(control.__file__).parent / "migrations"))
    assert scripts.get_current_head() == HEAD


def test_the_sqlite_file_is_nobody_else_s_to_read(settings: Settings, store: Store) -> None:
    assert (settings.home / "control.db").stat().st_mode & 0o077 == 0


def test_an_unreachable_store_is_a_clear_error_without_the_password() -> None:
    with pytest.raises(KizunaError, match="KIZUNA_CONTROL_URL") as error:
        open_store_at("postgresql://kizuna:sesame@127.0.0.1:1/none")
    assert "sesame" not in str(error.value)


def test_a_failing_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.begin() as connection:
        connection.execute(lease.insert().values(name="x", fence=0))
        _ = 1 / 0
    with store.read() as connection:
        assert connection.execute(select(lease)).all() == []


def test_a_second_builder_is_refused_and_told_who_builds(store: Store) -> None:
    first = acquire(store, "build", "run-1", heartbeat=False)
    with pytest.raises(LeaseHeld, match="run-1"):
        acquire(store, "build", "run-2", heartbeat=False)
    first.release()
    assert acquire(store, "build", "run-2", heartbeat=False).fence == first.fence + 1


def test_a_run_waits_for_a_backup_and_shows_life_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = acquire(store, "build", errand("backup"), heartbeat=False)
    told: list[str] = []

    def pause(_: float) -> None:
        assert living_runs(store) == {"run-1", backup.holder}
        backup.release()

    monkeypatch.setattr("kizuna.control.lease.time.sleep", pause)
    mine = acquire_after_errands(store, "build", "run-1", tell=told.append)
    mine.release()
    assert mine.fence == backup.fence + 1
    assert len(told) == 1 and told[0].startswith("waiting: A backup is at work (process ")
    assert living_runs(store) == set(), "nobody waits any more"


def test_a_run_does_not_wait_for_a_build(store: Store) -> None:
    acquire(store, "build", "run-1", heartbeat=False)
    told: list[str] = []
    with pytest.raises(LeaseHeld, match="Run run-1 is building"):
        acquire_after_errands(store, "build", "run-2", tell=told.append)
    assert told == []


def test_a_backup_that_hangs_is_not_waited_for_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kizuna.control.lease.PAUSE_SECONDS", 0.01)
    backup = acquire(store, "build", errand("backup"), heartbeat=False)
    told: list[str] = []
    with pytest.raises(LeaseHeld, match="A backup is at work"):
        acquire_after_errands(store, "build", "run-1", tell=told.append, patience=timedelta(seconds=0.2))
    assert len(told) == 1
    assert living_runs(store) == {backup.holder}


def test_one_run_waits_at_a_time(store: Store) -> None:
    acquire(store, "build", errand("rollback"), heartbeat=False)
    acquire(store, WAITS, "run-1", heartbeat=False)
    with pytest.raises(LeaseHeld, match="Run run-1 waits for the same already"):
        acquire_after_errands(store, "build", "run-2", tell=lambda _: None)


def test_the_lease_of_a_killed_process_is_free_at_once(settings: Settings, store: Store) -> None:
    code = (
        "import sys; from kizuna.control.store import open_store_at; from kizuna.control.lease import acquire; "
        "acquire(open_store_at(sys.argv[1]), 'build', 'run-1'); print('held', flush=True); import time; time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, settings.control_url], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(LeaseHeld):
            acquire(store, "build", "run-2", heartbeat=False)
        child.kill()
    assert acquire(store, "build", "run-2", heartbeat=False).fence == 2


def test_a_reused_process_id_is_not_a_living_holder(store: Store) -> None:
    acquire(store, "build", "run-1", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(process_started=1.0))
    assert acquire(store, "build", "run-2", heartbeat=False).fence == 2


def test_a_holder_on_another_host_counts_as_dead_when_its_heartbeat_is_old(store: Store) -> None:
    acquire(store, "build", "run-1", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(host="elsewhere", pid=os.getpid()))
    with pytest.raises(LeaseHeld):
        acquire(store, "build", "run-2", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(heartbeat_at=utcnow().replace(year=2020)))
    assert acquire(store, "build", "run-2", heartbeat=False).fence == 2


def test_a_process_id_of_another_container_says_nothing_here(store: Store) -> None:
    """Containers in the network of their host have its name, and each numbers its processes anew."""
    acquire(store, "build", "run-1", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(host=f"{socket.gethostname()}/0/0", pid=999_999_999))
    with pytest.raises(LeaseHeld, match=f"on {socket.gethostname()}, last sign of life"):
        acquire(store, "build", "run-2", heartbeat=False)
    assert living_holder(store, "build") == "run-1"


def test_a_clock_that_was_put_back_keeps_no_dead_holder_alive(store: Store) -> None:
    acquire(store, "build", "run-1", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(host="elsewhere", heartbeat_at=utcnow() + timedelta(days=1)))
    assert living_holder(store, "build") is None
    assert acquire(store, "build", "run-2", heartbeat=False).fence == 2


def test_a_worker_declared_dead_cannot_pass_the_fence(store: Store) -> None:
    late = acquire(store, "build", "run-1", heartbeat=False)
    with store.begin() as connection:
        connection.execute(update(lease).values(process_started=1.0))
    acquire(store, "build", "run-2", heartbeat=False)
    with store.begin() as connection, pytest.raises(LeaseHeld, match="declared dead"):
        late.verify(connection)
    late.release()
    with store.read() as connection:
        assert connection.execute(select(lease.c.holder)).scalar() == "run-2"


def test_two_processes_wait_for_each_other_instead_of_failing(settings: Settings, store: Store) -> None:
    code = (
        "import sys; from sqlalchemy import select; from kizuna.control.store import open_store_at;"
        "from kizuna.control.schema import lease\n"
        "store = open_store_at(sys.argv[1])\n"
        "for n in range(20):\n"
        "    with store.begin() as c:\n"
        "        count = c.execute(select(lease.c.fence).where(lease.c.name == 'n')).scalar()\n"
        "        c.execute(lease.update().where(lease.c.name == 'n').values(fence=count + 1))\n"
    )
    with store.begin() as connection:
        connection.execute(lease.insert().values(name="n", fence=0))
    children = [subprocess.Popen([sys.executable, "-c", code, settings.control_url]) for _ in range(3)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    with store.read() as connection:
        assert connection.execute(select(lease.c.fence).where(lease.c.name == "n")).scalar() == 60


def test_a_heartbeat_notices_a_takeover(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kizuna.control.lease.HEARTBEAT_SECONDS", 0.05)
    held = acquire(store, "build", "run-1")
    with store.begin() as connection:
        connection.execute(update(lease).values(holder="run-2", fence=lease.c.fence + 1))
    for _ in range(100):
        if held.lost.is_set():
            break
        time.sleep(0.05)
    assert held.lost.is_set()


def test_opening_twice_migrates_once(settings: Settings) -> None:
    open_store(settings).close()
    again = open_store(settings)
    with again.read() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == HEAD
