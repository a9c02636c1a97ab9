"""A company with an empty landing folder, and short ways to fill it and to look at what came of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from ingestion.load import IngestReport, ingest
from ingestion.relations import create_raw_relations, list_inputs
from kizuna.control.ledger import FileRecord
from kizuna.control.store import Store, open_store, open_store_at
from kizuna.settings import Settings, load_settings

NOW = datetime(2026, 7, 1, 3, 0, 0)


@dataclass
class Shop:
    settings: Settings
    store: Store

    @property
    def home(self) -> Path:
        return self.settings.home

    def land(self, path: str, content: bytes | str) -> Path:
        target = self.settings.landing / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def contract(self, name: str, text: str) -> None:
        self.settings.contracts_dir.mkdir(exist_ok=True)
        (self.settings.contracts_dir / name).write_text(text, encoding="utf-8")

    def ingest(self, **options: Any) -> IngestReport:
        return ingest(self.settings, self.store, now=NOW, **options)

    def load(self, path: str, content: bytes | str) -> FileRecord:
        """Land one file, ingest, and return what became of it; the accounting equation always holds."""
        self.land(path, content)
        (record,) = [file for file in self.ingest().files if file.path == path]
        assert record.rows_in == record.accepted + record.quarantined + record.duplicates
        return record

    def rows(self, relation: str, columns: str = "*") -> list[tuple[Any, ...]]:
        with duckdb.connect() as con:
            create_raw_relations(con, self.settings, list_inputs(self.store))
            return con.execute(f"SELECT {columns} FROM raw.{relation} ORDER BY _file, _line").fetchall()

    def rejected(self, record: FileRecord) -> list[tuple[Any, ...]]:
        """(line, column, code, raw) of the file's quarantined rows."""
        assert record.quarantine_path is not None
        table = pq.read_table(self.home / record.quarantine_path).to_pylist()
        return [(row["line"], row["column"], row["code"], row["raw"]) for row in table if row["scope"] == "row"]


@pytest.fixture(scope="session")
def empty_control_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated store without rows; copying it is cheaper than migrating for every test."""
    path = tmp_path_factory.mktemp("store") / "control.db"
    store = open_store_at(f"sqlite:///{path}")
    with store.begin() as connection:
        connection.exec_driver_sql("SELECT 1")
    store.close()
    return path


@pytest.fixture
def shop(tmp_path: Path, empty_control_store: Path) -> Iterator[Shop]:
    shutil.copy(empty_control_store, tmp_path / "control.db")
    (tmp_path / "kizuna.yaml").write_text("name: Test\ntimezone: Asia/Tokyo\ncurrency: JPY\n", encoding="utf-8")
    settings = load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": "k" * 64})
    store = open_store(settings)
    yield Shop(settings, store)
    store.close()
