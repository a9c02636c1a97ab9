"""What the gates cost beside the build they judge, and how much memory they take.

The build is the part of one that `bench/kpis.py` makes: the KPI models over the records of a large company. It has no
ingestion, staging, identity, scores and publishing, so a whole build takes longer and the share printed here is more
than the gates' share of it. Orders, contacts, answers and subscriptions also stand in schema raw as mapped rows in
daily batches; identity has its map, identifiers and links; relations that nothing was drawn for are empty. What was
drawn need not hold all rules; a rule that does not hold costs more, not less, since a sample of its rows is taken.

Usage: python bench/gates.py [customers], a million by default. KIZUNA_BENCH_FOLDER keeps the files (2 GB a million).
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import kpis_data
import kpis_marts

from expectations.context import GateContext
from expectations.registry import GATE_NAMES, GATES
from expectations.runner import _load, run_gate
from kizuna.state import STATE_OF_THE_BUILD, STATE_TABLES
from orchestration.manifest import manifest

SEED = 20260630
#: Share of a full build that the gates may take.
BAR = 0.20
MEMORY = "1GB"

_DAY = "substr(cast({at} as varchar), 1, 10)"
_TAIL = (
    "'b' || {day} AS _batch, NULL::VARCHAR AS _extra, 'f.csv' AS _file, row_number() OVER () AS _line,"
    " TIMESTAMP '2026-07-01' AS _loaded_at"
)
_RAW = {
    "raw.mapped__order": (
        "SELECT order_key, person_record_key AS customer_key, ordered_at, NULL::TIMESTAMP AS cancelled_at,"
        " currency, gross_amount, discount_amount, 1 AS quantity, {tail} FROM staging.canonical__order",
        "ordered_at", "ordered_at"),
    "raw.mapped__interaction": (
        "SELECT interaction_id AS interaction_key, opened_at, NULL::TIMESTAMP AS first_response_at, NULL::TIMESTAMP AS"
        " resolved_at, reopens, 0 AS talk_seconds, 0 AS hold_seconds, 0 AS acw_seconds, {tail}"
        " FROM core.fct_interactions", "opened_at", "opened_at"),
    "raw.mapped__survey_response": (
        "SELECT response_id AS response_key, survey_type AS kind, score, responded_at AS submitted_at, {tail}"
        " FROM staging.canonical__survey_response", "responded_at", "submitted_at"),
    "raw.mapped__web_event": (
        "SELECT session_id AS device_id, 'visit' AS event_name, started_at AS occurred_at, {tail}"
        " FROM core.fct_sessions", "started_at", "occurred_at"),
}  # fmt: skip
#: What a column holds that the records of the bench lack and a rule asks for.
_FILLED = {"attribution": "'login'", "events": "1", "source": "'shop'", "has_time_conflict": "false"}
_MADE = """
CREATE OR REPLACE TABLE raw.batches (batch_id VARCHAR, source VARCHAR, entity VARCHAR, relation VARCHAR, file VARCHAR,
    content_hash VARCHAR, bytes BIGINT, rows_in BIGINT, accepted BIGINT, quarantined BIGINT, duplicates BIGINT,
    first_event_at TIMESTAMP, last_event_at TIMESTAMP, loaded_at TIMESTAMP);
CREATE OR REPLACE TABLE identity.unmapped (source VARCHAR, record_key VARCHAR, reason VARCHAR);
CREATE OR REPLACE TABLE identity.decision_conflicts (line BIGINT, decision VARCHAR, problem VARCHAR,
    what_to_do VARCHAR);
CREATE OR REPLACE TABLE identity.identity_drops (identifier_type VARCHAR, identifier_hash VARCHAR, reason VARCHAR);
CREATE OR REPLACE TABLE identity.identity_changes AS FROM state.identity_changes;
CREATE OR REPLACE TABLE identity.customer_identifiers AS SELECT customer_id, source, 'email' AS identifier_type,
    md5(record_key) AS identifier_hash, TIMESTAMP '2026-01-01' AS first_seen_at, TIMESTAMP '2026-02-01' AS last_seen_at
    FROM identity.customer_map;
CREATE OR REPLACE TABLE identity.identity_links AS SELECT customer_id, source, identifier_hash, 'same email' AS rule,
    0.98 AS confidence FROM identity.customer_identifiers;
CREATE OR REPLACE TABLE state.customer_360 AS SELECT customer_id, is_known, 'active' AS lifecycle_segment,
    'A' AS value_tier, '' AS rfm_segment, age_band, region, '' AS channel_preference, '' AS device_mix
    FROM core.dim_customers;
INSERT INTO state.customer_identifiers SELECT * FROM identity.customer_identifiers;
INSERT INTO state.kpi_daily SELECT kpi, segment_type, segment, day, value, numerator, denominator FROM marts.kpi_daily
    WHERE day < DATE '{as_of}';
"""


def complete(db: Path) -> None:
    """Give the database what the gates read and the KPI models do not make."""
    with duckdb.connect(str(db)) as con:
        con.execute("SET threads = 2; SET preserve_insertion_order = false; SET enable_progress_bar = false")
        for schema in ("raw", "state", "staging", "identity", "core", "scores", "marts"):
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for table, columns in {**STATE_TABLES, **STATE_OF_THE_BUILD}.items():
            con.execute(f"CREATE OR REPLACE TABLE state.{table} ({columns})")
        there = {
            f"{schema}.{name}"
            for schema, name in con.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
        }
        for node in manifest()["nodes"].values():
            name = f"{node['schema']}.{node['alias']}"
            if node["resource_type"] == "model" and name not in there:
                columns = ", ".join(f'"{c["name"]}" {_type_of(c)}' for c in node["columns"].values())
                con.execute(f"CREATE TABLE {name} ({columns})")
        for name in [*re.findall(r"OR REPLACE TABLE (\S+)", _MADE), *_RAW]:
            _drop(con, name)
        con.execute(_MADE.format(as_of=kpis_data.AS_OF))
        for relation, (sql, at, happened) in _RAW.items():
            con.execute(f"CREATE TABLE {relation} AS {sql.format(tail=_TAIL.format(day=_DAY.format(at=at)))}")
            con.execute(
                f"INSERT INTO raw.batches SELECT _batch, 'shop', '', '{relation}', 'f.csv', 'x', 1, count(*), count(*),"
                f" 0, 0, min({happened}), max({happened}), max({happened}) FROM {relation} GROUP BY _batch"
            )
        con.execute(
            f"INSERT INTO state.published_batches SELECT DISTINCT batch_id FROM raw.batches WHERE batch_id <>"
            f" 'b{kpis_data.AS_OF}'"
        )
        _as_in_a_build(con)
        con.execute("CHECKPOINT")


def _type_of(column: dict[str, Any]) -> str:
    return column["data_type"] or ("BOOLEAN" if column["name"].startswith(("is_", "has_")) else "VARCHAR")


def _as_in_a_build(con: duckdb.DuckDBPyConnection) -> None:
    """Tables in place of views over files, with every column of their model: what cannot be judged is tried again."""
    models = {
        f"{node['schema']}.{node['alias']}": node["columns"].values()
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "model"
    }
    for row in GATES:
        kinds = con.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_schema || '.' || table_name = ?",
            [row.relation],
        ).fetchall()
        if kinds == [("VIEW",)]:
            con.execute(f"CREATE TABLE made AS FROM {row.relation}; DROP VIEW {row.relation}")
            schema, name = row.relation.split(".")
            con.execute(f"CREATE TABLE {schema}.{name} AS FROM made; DROP TABLE made")
        there = {found[0] for found in con.execute(f"DESCRIBE {row.relation}").fetchall()}
        for column in models.get(row.relation, ()):
            if column["name"] not in there:
                con.execute(f'ALTER TABLE {row.relation} ADD COLUMN "{column["name"]}" {_type_of(column)}')
                con.execute(f'UPDATE {row.relation} SET "{column["name"]}" = {_FILLED.get(column["name"], "NULL")}')


def _drop(con: duckdb.DuckDBPyConnection, name: str) -> None:
    found = con.execute(
        "SELECT table_type FROM information_schema.tables WHERE table_schema || '.' || table_name = ?", [name]
    ).fetchall()
    if found:
        con.execute(f"DROP {'VIEW' if found[0][0] == 'VIEW' else 'TABLE'} {name}")


def _judged(sender: Any, db: str, rows: dict[str, int]) -> None:
    as_of = date.fromisoformat(kpis_data.AS_OF)
    before = as_of.replace(day=as_of.day - 1)
    context = GateContext(as_of=as_of, timezone="Asia/Tokyo", currency="JPY", previous_as_of=before, previous_rows=rows)
    # The import of Great Expectations belongs to the start of a run (bench/startup.py), not to a gate.
    _load()
    sender.send("ready")
    for gate in GATE_NAMES:
        began, cpu = time.monotonic(), time.process_time()
        report = run_gate(gate, Path(db), context=context, memory_limit=MEMORY)
        took, used = time.monotonic() - began, time.process_time() - cpu
        sender.send((report, took - report.import_seconds, used, _peak_kb()))
    sender.close()


def _peak_kb() -> int:
    """Most memory of this process; what getrusage tells begins with that of the process which started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def gates(db: Path) -> tuple[float, float, float]:
    """Judge the build in a process of its own; seconds by the clock, of processors, and MB at the peak."""
    with duckdb.connect(str(db), read_only=True) as con:
        names = {row.relation for row in GATES}
        rows = {name: con.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in sorted(names)}
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_judged, args=(sender, str(db), rows))
    process.start()
    sender.close()
    receiver.recv()
    wall = cpu = peak = 0.0
    slowest: list[tuple[float, str]] = []
    for _ in GATE_NAMES:
        report, took, used, memory = receiver.recv()
        wall, cpu, peak = wall + took, cpu + used, max(peak, memory / 1024)
        outcomes = Counter(verdict.outcome for verdict in report.verdicts)
        told = ", ".join(f"{n} {outcome.replace('_', ' ')}" for outcome, n in sorted(outcomes.items()))
        evaluated = sum(verdict.evaluated for verdict in report.verdicts)
        size = sum(verdict.rows or 0 for verdict in report.verdicts)
        print(
            f"  {report.gate}: {took:.1f} s, {used:.1f} s of processor time, {evaluated} expectations, {size:,} rows,"
            f" {told}",
            flush=True,
        )
        for verdict in report.verdicts:
            slowest.append((verdict.seconds, verdict.relation))
            for problem in verdict.problems:
                print(f"    {verdict.relation}: {problem}")
    process.join()
    print("  slowest: " + ", ".join(f"{name} {took:.1f} s" for took, name in sorted(slowest)[-5:][::-1]))
    return wall, cpu, peak


def main(customers: int) -> int:
    """Print the figures; 0 when the share is below the bar."""
    kept = os.environ.get("KIZUNA_BENCH_FOLDER")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(kept or scratch)
        inputs, work = folder / f"kpis-{customers}-{SEED}", folder / "gates-work"
        if not (inputs / "done").exists():
            kpis_data.write(inputs, customers, SEED)
            (inputs / "done").touch()
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        print(f"{customers:,} customers, seed {SEED}, duckdb {duckdb.__version__}, load {os.getloadavg()[0]:.1f}")
        db = work / "build.duckdb"
        models = kpis_marts.run_dbt(db, kpis_marts.prepare(inputs, db))
        print(f"  models: {models.wall:.1f} s, {models.cpu:.1f} s of processor time, {models.peak:.0f} MB", flush=True)
        complete(db)
        wall, cpu, peak = gates(db)
        shutil.rmtree(work)
    share, by_cpu = wall / (wall + models.wall), cpu / (cpu + models.cpu)
    print(
        f"gates: {wall:.1f} s of {wall + models.wall:.1f} s, {share:.1%} by the clock, {by_cpu:.1%} by processor time;"
        f" bar {BAR:.0%} of a full build; peak {peak:.0f} MB with {MEMORY} for the engine;"
        f" load {os.getloadavg()[0]:.1f}"
    )
    return 0 if by_cpu < BAR else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
