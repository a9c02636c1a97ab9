from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from told_versions import Told

from kizuna.builds import Build, record_gate, record_stage, start_build
from kizuna.control.lease import Lease, acquire
from kizuna.control.store import Store, open_store
from kizuna.flow import STEPS
from kizuna.publishing import publish
from kizuna.settings import Settings, load_settings
from kizuna.versions import Publication

TABLES = {"orders": ("order_id",), "customers": ("customer_id",)}


@dataclass
class Company:
    """A company with builds of two small marts, enough to publish for real."""

    settings: Settings
    store: Store

    def lease(self, run: str = "run") -> Lease:
        return acquire(self.store, "build", run, heartbeat=False)

    def build(
        self,
        lease: Lease,
        rows: int,
        *,
        steps: tuple[tuple[str, str], ...] = STEPS,
        as_of: date = date(2026, 6, 30),
        sql: str = "",
    ) -> Build:
        build = start_build(
            self.store,
            self.settings,
            as_of=as_of,
            batch_ids=[f"batch-{rows}"],
            fence=lease.fence,
            run_id=lease.holder,
        )
        with duckdb.connect(str(build.db)) as db:
            db.execute("CREATE SCHEMA marts; CREATE SCHEMA staging; CREATE TABLE staging.secret AS SELECT 1 AS a")
            db.execute(f"CREATE TABLE marts.orders AS SELECT range AS order_id, {rows} AS stamp FROM range({rows})")
            db.execute(f"CREATE TABLE marts.customers AS SELECT range AS customer_id, {rows} AS stamp FROM range(3)")
            db.execute(sql)
        self.record(build, steps)
        return build

    def record(self, build: Build, steps: tuple[tuple[str, str], ...], outcome: str = "passed") -> None:
        for kind, name in steps:
            if kind == "stage":
                record_stage(self.store, build, name)
            else:
                record_gate(self.store, build, name, outcome, [])

    def publish(self, build: Build, lease: Lease, tables: Mapping[str, tuple[str, ...]] = TABLES) -> Publication:
        return publish(
            self.store,
            self.settings,
            build,
            lease,
            tables=tables,
            scorecard=lambda _db, manifest: f"<p>v-{manifest['version']}</p>",
        )

    def publish_rows(self, rows: int) -> Publication:
        lease = self.lease()
        try:
            return self.publish(self.build(lease, rows), lease)
        finally:
            lease.release()


@pytest.fixture
def make_company(tmp_path: Path) -> Callable[..., Company]:
    def make(yaml: str = "") -> Company:
        (tmp_path / "kizuna.yaml").write_text(f"name: Test\ntimezone: Asia/Tokyo\n{yaml}\n", encoding="utf-8")
        settings = load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": "k" * 40})
        return Company(settings, open_store(settings))

    return make


@pytest.fixture
def company(make_company: Callable[..., Company]) -> Company:
    return make_company()


@pytest.fixture
def told(make_company: Callable[..., Company]) -> Callable[..., Told]:
    return lambda yaml="digest: {every: never}": Told(make_company(yaml))
