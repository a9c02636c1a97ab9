"""The event store with kept connections: Dagster's own storage reads it, a batch is whole, a kill loses nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from kizuna.builds import PROJECT_ROOT
from orchestration import sqlite_storage

CONFIG = PROJECT_ROOT / "orchestration" / "dagster.yaml"

WRITER = """
import os, sys
import dagster as dg

@dg.asset(check_specs=[dg.AssetCheckSpec("is_there", asset="thing")])
def thing():
    yield dg.MaterializeResult(metadata={"rows": 3})
    yield dg.AssetCheckResult(check_name="is_there", passed=True)

if __name__ == "__main__":
    instance = dg.DagsterInstance.get()
    result = dg.materialize([thing], instance=instance)
    print(result.run_id, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Dagster home with the project's configuration in which a killed process ran one asset with one check."""
    (tmp_path / "dagster.yaml").write_text(CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def run_and_die(home: Path) -> str:
    script = home / "writer.py"
    script.write_text(WRITER, encoding="utf-8")
    env = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT), "DAGSTER_EVENT_BATCH_SIZE": "1000"}
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == -9, done.stderr[-2000:]
    return done.stdout.split()[0]


def test_the_projects_configuration_uses_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, sqlite_storage.PooledSqliteEventLog)


def test_dagsters_own_storage_reads_what_a_killed_process_wrote(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_and_die(home)
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    del config["storage"]
    (home / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as plain:
        assert type(plain.event_log_storage).__module__.startswith("dagster.")
        kinds = Counter(str(entry.dagster_event_type) for entry in plain.all_logs(run_id) if entry.is_dagster_event)
        for kind in ("ASSET_MATERIALIZATION", "ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION"):
            assert kinds[f"DagsterEventType.{kind}"] == 1, kinds
        assert kinds["DagsterEventType.RUN_SUCCESS"] == 1
        latest = plain.get_latest_materialization_event(dg.AssetKey("thing"))
        assert latest is not None
        assert latest.asset_materialization is not None
        assert latest.asset_materialization.metadata["rows"].value == 3
        key = dg.AssetCheckKey(dg.AssetKey("thing"), "is_there")
        records = plain.event_log_storage.get_asset_check_execution_history(key, limit=10)
        assert [record.status.value for record in records] == ["SUCCEEDED"]


def test_a_batch_is_stored_as_a_whole_or_not_at_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_and_die(home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        storage: Any = instance.event_log_storage
        before = len(instance.all_logs(run_id))
        entries = list(instance.all_logs(run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)) * 3
        assert len(entries) == 3
        with pytest.raises(Exception, match="EventLogEntry"):
            storage.store_event_batch([*entries, "no event"])
        assert len(instance.all_logs(run_id)) == before
        storage.store_event_batch(entries)
        assert len(instance.all_logs(run_id)) == before + 3


def test_few_files_stay_open(tmp_path: Path) -> None:
    """A daemon sees thousands of runs; each has a file of its own."""
    storage = sqlite_storage.PooledSqliteEventLog(str(tmp_path))
    for number in range(20):
        assert storage.get_logs_for_run(f"run-{number}") == []
    assert len(storage._engines) == sqlite_storage.KEPT
    held = [path for path in map(os.readlink, _descriptors()) if path.startswith(str(tmp_path))]
    assert len({path.removesuffix("-wal").removesuffix("-shm") for path in held}) <= sqlite_storage.KEPT
    storage.dispose()
    assert not [path for path in map(os.readlink, _descriptors()) if path.startswith(str(tmp_path))]


def test_files_of_earlier_runs_are_opened_without_asking_the_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That took 85 s of the minute that a sensor has, for 1,000 runs that failed while the daemon was away."""
    first = sqlite_storage.PooledSqliteEventLog(str(tmp_path))
    for number in range(3):
        first.get_logs_for_run(f"run-{number}")
    first.dispose()
    # A process died between making the tables and writing down of which release they are.
    with sqlite3.connect(tmp_path / "run-1.db") as died:
        died.execute("DELETE FROM alembic_version")
    storage = sqlite_storage.PooledSqliteEventLog(str(tmp_path))
    made: list[str] = []
    make = storage._initdb
    monkeypatch.setattr(storage, "_initdb", lambda engine: made.append(Path(engine.url.database).stem) or make(engine))
    for number in range(5):
        assert storage.get_logs_for_run(f"run-{number}") == []
    storage.dispose()
    assert made == ["run-1", "run-3", "run-4"]
    for number in range(5):
        with sqlite3.connect(tmp_path / f"run-{number}.db") as shard:
            assert shard.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def _descriptors() -> list[str]:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to see open files")
    return [str(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink() and os.path.lexists(path)]
