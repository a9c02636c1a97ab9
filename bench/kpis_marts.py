"""The KPI marts by their models against one hand-written script over the same Parquet: seconds, memory, equal rows.

The models run as in a build: dbt in a preloaded child, one table each, contracts enforced. What they read lies in the
build as views over the files, so that both sides read Parquet. Not in it: staging, identity, gates, tests, publishing.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import kpis_data
import orjson

from ingestion.contract_files import load_contracts
from ingestion.relations import relation_columns
from kizuna.builds import DATABASE_CONFIG
from orchestration.dbt_child import DbtChild
from orchestration.manifest import DBT_PROJECT, manifest, packed_manifest

SCRIPT = Path(__file__).with_name("kpis.sql")
#: Marts that both sides make.
COMPARED = (
    "ltv_by_customer",
    "ltv_by_cohort",
    "ltv_by_segment",
    "customer_value_ranks",
    "customer_years",
    "revenue_reconciliation",
    "retention_cohorts",
    "retention_by_segment",
    "retention_within_days",
    "mrr_movements",
    "ltv_by_contract",
    "nps_by_period",
    "survey_scores_by_period",
    "survey_responses",
    "kpi_daily",
)
#: Models that only a company's own settings read (kpi.segments); the bench has the settings of a new company.
_UNREAD = ("customer_segments",)
#: What Python writes before the marts and the bench leaves empty, with the model whose contract names its columns.
_EMPTY = {"scores.churn_daily": "churn_risk_daily"}
#: Likewise; the hand-written script has no texts scored either.
_TEXTS = "text_id VARCHAR, customer_id VARCHAR, written_on DATE, score DOUBLE, language VARCHAR"
_VARS = {"as_of": kpis_data.AS_OF, "as_of_end_utc": f"{kpis_data.AS_OF} 15:00:00"}


@dataclass
class Side:
    """What one side took: seconds by the clock and of processors, peak memory in MB, seconds of each step."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)


def prepare(folder: Path, db: Path) -> list[str]:
    """A build's database with the inputs in it; returns the models that the marts need, without the inputs."""
    given = set(kpis_data.relations())
    nodes, sources = manifest()["nodes"], manifest()["sources"]
    wanted: dict[str, dict[str, Any]] = {}

    def add(unique_id: str) -> None:
        node = nodes.get(unique_id)
        if node is None or unique_id in wanted or f"{node['schema']}.{node['alias']}" in given:
            return
        if node["name"] in _UNREAD:
            return
        wanted[unique_id] = node
        for parent in node["depends_on"]["nodes"]:
            add(parent)

    for mart in COMPARED:
        add(f"model.kizuna.{mart}")
    staged = [node["name"] for node in wanted.values() if node["fqn"][1] == "staging"]
    with duckdb.connect(str(db), config=DATABASE_CONFIG) as connection:
        for name in {node["schema"] for node in nodes.values()} | {s["schema"] for s in sources.values()}:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
        for name, columns in relation_columns(load_contracts()).items():
            typed = ", ".join(f'"{column}" {kind}' for column, kind in columns)
            connection.execute(f"CREATE TABLE {name} ({typed})")
        for name, model in _EMPTY.items():
            promised = nodes[f"model.kizuna.{model}"]["columns"].values()
            typed = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in promised)
            connection.execute(f"CREATE TABLE {name} ({typed})")
        connection.execute(f"CREATE TABLE scores.text_sentiment ({_TEXTS})")
        for name in given:
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder}/{name}.parquet')")
    run_dbt(db, staged)
    return [node["name"] for node in wanted.values() if node["fqn"][1] != "staging"]


def run_dbt(db: Path, models: Iterable[str]) -> Side:
    """Run models on a build's database, as a stage does; the clock starts with the first model."""
    target = db.parent / "dbt"
    args = ["run", "--select", *models, "--vars", orjson.dumps(_VARS).decode(), "--target-path", str(target)]
    args += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    args += ["--log-level-file", "none", "--no-write-json"]
    packed = packed_manifest()
    child = DbtChild(args, env={"KIZUNA_BUILD_DB": str(db)}, cwd=DBT_PROJECT, manifest=packed)
    side, began = Side(), time.monotonic()
    watch = _Watch(child.pid or 0, side)
    started = False
    for line in child.stdout:
        event = orjson.loads(line)
        if event["info"]["name"] == "NodeStart" and not started:
            began, started = time.monotonic(), True
            watch.restart()
        if event["info"]["name"] == "NodeFinished":
            result = event["data"]["run_result"]
            side.steps[event["data"]["node_info"]["node_name"]] = result["execution_time"]
        if event["info"]["level"] == "error":
            print(event["info"]["msg"])
    side.wall = time.monotonic() - began
    child.wait()
    watch.end()
    if child.returncode != 0:
        raise SystemExit("dbt failed")
    return side


def run_script(folder: Path, db: Path) -> Side:
    """Run the script in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_script, args=(sender, str(folder), str(db)))
    process.start()
    sender.close()
    receiver.recv()
    side, began = Side(), time.monotonic()
    watch = _Watch(process.pid or 0, side)
    try:
        side.steps = receiver.recv()
    except EOFError as error:
        raise SystemExit("the script failed") from error
    side.wall = time.monotonic() - began
    receiver.close()
    process.join()
    watch.end()
    return side


def _script(sender: Any, folder: str, db: str) -> None:
    sender.send("ready")
    steps: dict[str, float] = {}
    with duckdb.connect(db, config=DATABASE_CONFIG) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 2; SET enable_progress_bar = false")
        connection.execute("SET VARIABLE inputs = ?", [folder])
        connection.execute(f"SET VARIABLE as_of = DATE '{kpis_data.AS_OF}'")
        for statement in duckdb.extract_statements(SCRIPT.read_text(encoding="utf-8")):
            began = time.monotonic()
            connection.execute(statement)
            made = re.search(r"CREATE (?:TEMP )?TABLE (?:marts\.)?(\w+)", statement.query)
            if made:
                steps[made[1]] = time.monotonic() - began
        connection.execute("CHECKPOINT")
    sender.send(steps)
    # Whoever measures reads memory and time from the process's own records before it goes.
    time.sleep(0.5)


class _Watch:
    """Reads a process's peak memory and processor time until it ends, five times a second."""

    def __init__(self, pid: int, side: Side) -> None:
        self._folder, self._side = Path(f"/proc/{pid}"), side
        self._base = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def restart(self) -> None:
        self._base = self._cpu()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _cpu(self) -> float:
        fields = (self._folder / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _run(self) -> None:
        while not self._ended.wait(0.2):
            try:
                status = (self._folder / "status").read_text()
                self._side.cpu = self._cpu() - self._base
            except (OSError, IndexError):
                return
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    self._side.peak = int(line.split()[1]) / 1024


def differences(models: Path, script: Path) -> dict[str, tuple[int, int, bool]]:
    """Rows of each mart on both sides, and whether they are the same rows: sums of hashes over all of their columns."""
    found: dict[str, tuple[int, int, bool]] = {}
    with duckdb.connect() as db:
        db.execute(f"ATTACH '{models}' AS models (READ_ONLY); ATTACH '{script}' AS script (READ_ONLY)")
        for mart in COMPARED:
            names = [row[0] for row in db.execute(f"DESCRIBE models.marts.{mart}").fetchall()]
            there = {row[0] for row in db.execute(f"DESCRIBE script.marts.{mart}").fetchall()}
            columns = ", ".join(f'"{name}"' for name in names)
            if set(names) != there:
                raise SystemExit(f"{mart}: columns differ: {sorted(set(names) ^ there)}")
            sides = [
                db.execute(
                    f"SELECT count(*), sum(CAST(hash({columns}) AS HUGEINT)), bit_xor(hash({columns})) "
                    f"FROM (SELECT {_typed(db, mart, names)} FROM {side}.marts.{mart})"
                ).fetchall()[0]
                for side in ("models", "script")
            ]
            found[mart] = (sides[0][0], sides[1][0], sides[0] == sides[1])
    return found


def _typed(db: duckdb.DuckDBPyConnection, mart: str, names: Iterable[str]) -> str:
    kinds = {row[0]: row[1] for row in db.execute(f"DESCRIBE models.marts.{mart}").fetchall()}
    return ", ".join(f'CAST("{name}" AS {kinds[name]}) AS "{name}"' for name in names)


def report(models: Side, script: Side, rows: Mapping[str, tuple[int, int, bool]], slowest: int = 12) -> bool:
    """Print both sides; true when every table is equal."""
    for name, side in (("models", models), ("script", script)):
        print(f"  {name:<8} {side.wall:8.2f} s {side.cpu:8.2f} s CPU {side.peak:8,.0f} MB")
    print(f"  ratio    {models.wall / script.wall:8.2f}   {models.cpu / script.cpu:8.2f}   by CPU")
    for name, side in (("models", models), ("script", script)):
        costly = sorted(side.steps.items(), key=lambda step: -step[1])[:slowest]
        print(f"  {name}: " + ", ".join(f"{step} {seconds:.2f}" for step, seconds in costly))
    for mart, (ours, theirs, equal) in rows.items():
        print(f"  {'equal' if equal else 'DIFFERENT':<10}{mart:<26}{ours:>12,} {theirs:>12,}")
    return all(equal for *_, equal in rows.values())
