"""State that crosses builds is that of the version readers see: it advances by publishing and goes back with it."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta
from typing import Any

import duckdb

from kizuna.builds import Build
from kizuna.control.lease import Lease, acquire
from kizuna.flow import STEPS
from kizuna.publishing import publish
from kizuna.rebuilt import base_of
from kizuna.state import STATE_OF_THE_BUILD, STATE_TABLES, prepare_state
from kizuna.versions import reconcile, rollback

AS_OF = date(2026, 6, 30)


def build_with(company: Any, lease: Lease, rows: int) -> Build:
    """A build whose every table of state has so many rows."""
    build: Build = company.build(lease, rows)
    with closing(duckdb.connect(str(build.db))) as db:
        for table, columns in STATE_TABLES.items():
            db.execute(f"CREATE TABLE marts.{table} ({columns})")
            names = [part.split(" ")[0] for part in columns.split(", ")]
            day = AS_OF - timedelta(days=1)
            values = ", ".join(f"DATE '{day}'" if name == "day" else "NULL" for name in names)
            db.execute(f"INSERT INTO marts.{table} SELECT {values} FROM range({rows})")
    company.record(build, STEPS)
    return build


def publish_state(company: Any, rows: int) -> None:
    lease = company.lease()
    build = build_with(company, lease, rows)
    tables = dict.fromkeys(STATE_TABLES, ())
    publish(company.store, company.settings, build, lease, tables=tables, scorecard=lambda _db, _manifest: "")
    lease.release()


def next_state(company: Any) -> dict[str, int]:
    """Rows per table that the next build would go on from."""
    lease = company.lease("next")
    build = company.build(lease, 99)
    lease.release()
    with closing(duckdb.connect()) as db:
        prepare_state(company.settings, db, AS_OF, build.base_version)
        names = [*STATE_TABLES, *STATE_OF_THE_BUILD]
        found = {name: db.execute(f"SELECT count(*) FROM state.{name}").fetchall()[0][0] for name in names}
        del found["published_batches"], found["published_build"]  # of the manifest, which goes with the version
    base = base_of(company.settings, build)
    assert base is None or {name: base.manifest["tables"][name]["rows"] for name in found} == found
    return found


def test_every_table_of_state_moves_with_the_version_and_with_nothing_else(company: Any) -> None:
    assert set(next_state(company).values()) == {0}
    publish_state(company, 1)
    publish_state(company, 2)
    assert next_state(company) == dict.fromkeys(STATE_TABLES, 2)

    lease = company.lease("stopped")
    build_with(company, lease, 3)
    lease.release()
    assert next_state(company) == dict.fromkeys(STATE_TABLES, 2), "a build that was never published left a trace"

    lease = acquire(company.store, "build", "rollback of a test", heartbeat=False)
    rollback(company.store, company.settings, lease)
    reconcile(company.store, company.settings)
    lease.release()
    assert next_state(company) == dict.fromkeys(STATE_TABLES, 1)

    publish_state(company, 4)
    assert next_state(company) == dict.fromkeys(STATE_TABLES, 4)
