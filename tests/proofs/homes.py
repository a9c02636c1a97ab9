"""A company's home for a proof over ingestion: land files, ingest them for real, and ask what became of each."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow.parquet as pq

from ingestion import whole
from ingestion.load import IngestReport, ingest
from ingestion.relations import create_raw_relations, list_inputs
from kizuna.control import ledger
from kizuna.control.ledger import FileRecord
from kizuna.control.store import Store, open_store
from kizuna.settings import Settings, load_settings

NOW = datetime(2026, 7, 1, 3, 0, 0)

TILL = """
source: {source}
maps_to: order
files: ["**/*.{{{suffixes}}}"]
format: {format}
dialect: {{encodings: [{encodings}]}}
drift: {drift}
hold: {{floor: 100000}}
fields:
  order_key: {{column: Receipt, aliases: [Receipt No]}}
  customer_key: {{column: Card}}
  ordered_at: {{column: When}}
  currency: {{value: EUR}}
  gross_amount: {{column: Total}}
  quantity: {{column: Pieces}}
  region: {{column: Town}}
"""


def till(source: str, **more: str) -> str:
    """A mapping contract of one source; `more` are `suffixes`, `format`, `encodings` and `drift`."""
    usual = {"suffixes": "csv,csv.gz", "format": "csv", "encodings": "utf-8", "drift": "{}"}
    return TILL.format(source=source, **usual | more)


@dataclass
class Home:
    """One company. Files are landed whole, so that no proof waits for a second look."""

    settings: Settings
    store: Store

    def land(self, path: str, content: bytes) -> None:
        target = self.settings.landing / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def contract(self, name: str, text: str) -> None:
        self.settings.contracts_dir.mkdir(exist_ok=True)
        (self.settings.contracts_dir / f"{name}.yml").write_text(text, encoding="utf-8")

    def ingest(self, now: datetime = NOW) -> IngestReport:
        pause, whole.PAUSE_SECONDS = whole.PAUSE_SECONDS, 0.0
        try:
            return ingest(self.settings, self.store, now=now)
        finally:
            whole.PAUSE_SECONDS = pause

    def records(self) -> dict[str, FileRecord]:
        with self.store.read() as connection:
            return {file.path: file for file in ledger.list_files(connection)}

    def rejected(self, record: FileRecord) -> list[dict[str, Any]]:
        if record.quarantine_path is None:
            return []
        rows: list[dict[str, Any]] = pq.read_table(self.settings.home / record.quarantine_path).to_pylist()
        return rows

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(duckdb.connect()) as con:
            create_raw_relations(con, self.settings, list_inputs(self.store))
            return con.execute(sql).fetchall()


def make_home(folder: Path) -> Home:
    """An empty company in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kizuna.yaml").write_text("name: Proof\ntimezone: Asia/Tokyo\ncurrency: JPY\n", encoding="utf-8")
    settings = load_settings(folder, {"KIZUNA_PSEUDONYM_KEY": "k" * 64})
    return Home(settings, open_store(settings))


def packed(*members: tuple[str, bytes]) -> bytes:
    """A ZIP of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def workbook(rows: Iterable[Iterable[Any]]) -> bytes:
    """An XLSX workbook of one sheet."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """NDJSON."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def unbalanced(record: FileRecord) -> bool:
    """True when a file's rows do not add up."""
    return record.rows_in != record.accepted + record.quarantined + record.duplicates
