"""The write path as a process: landing files to a published version, with two marts made by hand in between.

`python write_path.py HOME`. What R1 kills a hundred times, since a whole run would take a minute each.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import duckdb

from ingestion import whole
from ingestion.load import ingest
from ingestion.relations import create_raw_relations, list_inputs
from kizuna.builds import build_id_of, record_gate, record_stage, start_build
from kizuna.control.lease import acquire
from kizuna.control.store import open_store
from kizuna.errors import KizunaError
from kizuna.flow import STEPS
from kizuna.machine import refusal
from kizuna.publishing import publish
from kizuna.settings import load_settings
from kizuna.versions import current, reconcile

AS_OF, NOW = date(2026, 6, 30), datetime(2026, 7, 1, 3)
KEY = {"KIZUNA_PSEUDONYM_KEY": "k" * 64}
MARTS = {"orders": ("order_id",), "totals": ("scope",)}


def run(home: Path) -> None:
    """Load what is new, build, publish; nothing where nothing is new."""
    settings = load_settings(home, KEY)
    store = open_store(settings)
    lease = acquire(store, "build", f"run-{os.getpid()}")
    try:
        reconcile(store, settings)
        whole.PAUSE_SECONDS = 0.0
        ingest(settings, store, now=NOW)
        batches = list_inputs(store)
        ids = [batch.batch_id for batch in batches]
        shown = current(settings)
        if shown is not None and shown.manifest["build_id"] == build_id_of(settings, AS_OF, ids):
            return
        build = start_build(store, settings, as_of=AS_OF, batch_ids=ids, fence=lease.fence, run_id=lease.holder)
        with closing(duckdb.connect(str(build.db))) as db:
            create_raw_relations(db, settings, batches)
            db.execute("CREATE SCHEMA marts")
            db.execute(
                "CREATE TABLE marts.orders AS SELECT order_key AS order_id, gross_amount FROM raw.mapped__order;"
                "CREATE TABLE marts.totals AS SELECT 'all' AS scope, count(*) AS orders, sum(gross_amount) AS total "
                "FROM raw.mapped__order"
            )
        for kind, name in STEPS:
            if kind == "stage":
                record_stage(store, build, name)
            else:
                record_gate(store, build, name, "passed", [])
        publish(store, settings, build, lease, tables=MARTS, scorecard=lambda _db, _manifest: "<p>proof</p>")
    finally:
        lease.release()


def told(home: Path) -> int:
    """Run, and say what went wrong as the command line does; the exit code."""
    try:
        run(home)
    except Exception as error:
        refused = error if isinstance(error, KizunaError) else refusal(error)
        if refused is None:
            raise
        sys.stderr.write(f"error {type(refused).__name__}\n{refused}\n")
        return refused.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(told(Path(sys.argv[1])))
