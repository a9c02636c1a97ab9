"""A real process, really killed at each point of the write path; a plain re-run ends as a clean run does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from kizuna.control import ledger

HEADER = "Response ID,Survey Type,Score,Created At\n"
ROWS = "".join(f"r{n},nps,{n % 11},2026-06-30T00:00:00Z\n" for n in range(20)) + "bad,nps,9.5,2026-06-30T00:00:00Z\n"

SCRIPT = """
import sys
from pathlib import Path
from kizuna.settings import load_settings
from kizuna.control.store import open_store
from ingestion.load import ingest
settings = load_settings(Path(sys.argv[1]))
print(len(ingest(settings, open_store(settings)).files))
assert "dagster" not in sys.modules
"""


def ingest_in_a_process(shop: Any, kill_at: str | None = None) -> int:
    environment = {**os.environ, "KIZUNA_PSEUDONYM_KEY": "k" * 64} | ({"KIZUNA_KILL_AT": kill_at} if kill_at else {})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(shop.home)], env=environment, capture_output=True, text=True
    )
    assert kill_at or done.returncode == 0, done.stderr
    return done.returncode


@pytest.mark.parametrize(
    ("point", "recorded"),
    [("ingest.parquet_written", 0), ("ingest.parquet_renamed", 0), ("ingest.ledger_recorded", 1)],
)
def test_a_killed_ingest_heals(shop: Any, point: str, recorded: int) -> None:
    shop.land("delighted/a.csv", HEADER + ROWS)
    assert ingest_in_a_process(shop, kill_at=point) == -signal.SIGKILL
    with shop.store.read() as connection:
        assert len(ledger.list_files(connection)) == recorded
    report = shop.ingest()
    assert report.accepted == (0 if recorded else 20)
    assert len(shop.rows("delighted__responses")) == 20
    assert len(list(shop.settings.raw.rglob("*.parquet"))) == 1
    assert len(list(shop.settings.quarantine.rglob("*.parquet"))) == 1
    assert not [path for path in shop.home.rglob("*.tmp")]


def test_what_a_killed_ingest_left_half_written_goes_even_when_its_file_does_not_come_back(shop: Any) -> None:
    path = shop.land("delighted/a.csv", HEADER + ROWS)
    ingest_in_a_process(shop, kill_at="ingest.parquet_written")
    assert [found for found in shop.home.rglob("*.tmp")]
    path.unlink()
    assert shop.ingest().leftovers == 2
    assert not [found for found in shop.home.rglob("*.tmp")]


def test_an_orphan_parquet_file_is_replaced(shop: Any) -> None:
    first = shop.load("delighted/a.csv", HEADER + ROWS)
    path = shop.settings.raw / "delighted" / "responses" / f"{first.batch_id}.parquet"
    path.write_bytes(b"torn")
    with shop.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM batches")
        connection.exec_driver_sql("DELETE FROM files")
    (again,) = shop.ingest().files
    assert again.batch_id == first.batch_id, "the same file read by the same contract is the same batch"
    assert len(shop.rows("delighted__responses")) == 20


def test_a_lost_parquet_file_is_loaded_again_from_landing(shop: Any) -> None:
    record = shop.load("delighted/a.csv", HEADER + ROWS)
    (shop.settings.raw / "delighted" / "responses" / f"{record.batch_id}.parquet").unlink()
    assert shop.ingest().accepted == 20
    assert len(shop.rows("delighted__responses")) == 20


def test_an_ingest_runs_without_dagster(shop: Any) -> None:
    shop.land("delighted/a.csv", HEADER + ROWS)
    assert ingest_in_a_process(shop) == 0
