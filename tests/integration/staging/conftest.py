"""From a vendor's file to its staging models: one small company with a sample of every vendor, staged once by dbt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from ingestion.load import IngestReport, ingest
from ingestion.relations import create_raw_relations, list_inputs
from kizuna.control.store import open_store
from kizuna.settings import load_settings

NOW = datetime(2026, 7, 1, 3, 0, 0)
SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Staged:
    """What became of the samples."""

    report: IngestReport
    db: duckdb.DuckDBPyConnection

    def rows(self, relation: str, columns: str, order: str = "1", where: str = "true") -> list[tuple[Any, ...]]:
        """Rows of `staging.<relation>` or `raw.<relation>`."""
        return self.db.execute(f"SELECT {columns} FROM {relation} WHERE {where} ORDER BY {order}").fetchall()


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    """Every sample through its contract and the staging models of the vendors, as of 2026-06-30 in Tokyo."""
    import shutil

    from orchestration.dbt_child import DbtChild
    from orchestration.manifest import DBT_PROJECT, packed_manifest

    home = tmp_path_factory.mktemp("vendors")
    (home / "kizuna.yaml").write_text("name: Test\ntimezone: Asia/Tokyo\ncurrency: JPY\n", encoding="utf-8")
    shutil.copytree(SAMPLES / "landing", home / "landing")
    shutil.copytree(SAMPLES / "contracts", home / "contracts")
    settings = load_settings(home, {"KIZUNA_PSEUDONYM_KEY": "k" * 64})
    store = open_store(settings)
    report = ingest(settings, store, now=NOW)
    db = home / "build.duckdb"
    with duckdb.connect(str(db)) as con:
        create_raw_relations(con, settings, list_inputs(store))
    store.close()
    variables = {"as_of": "2026-06-30", "as_of_end_utc": "2026-06-30 15:00:00", "timezone": "Asia/Tokyo"}
    # With what they are read by, so that a column that the canonical layer lacks is found here.
    args = ["build", "--select", "fqn:kizuna.staging"]
    args += ["--exclude", "resource_type:unit_test", "--indirect-selection", "buildable"]
    args += ["--vars", orjson.dumps(variables).decode(), "--project-dir", str(DBT_PROJECT)]
    args += ["--profiles-dir", str(DBT_PROJECT), "--target-path", str(home / "dbt"), "--log-level-file", "none"]
    args += ["--no-write-json"]
    child = DbtChild(args, env={"KIZUNA_BUILD_DB": str(db)}, cwd=DBT_PROJECT, manifest=packed_manifest())
    events = [orjson.loads(line) for line in child.stdout]
    messages = [event["info"]["msg"] for event in events if event["info"]["level"] == "error"]
    assert child.wait() == 0, "\n".join(messages)
    with duckdb.connect(str(db), read_only=True) as con:
        yield Staged(report, con)
