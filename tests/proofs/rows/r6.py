"""R6: every file three times, in random orders, some of them 90 days late: the same rows in staging.

A trial is one order over the exports of a company of 50: each file arrives, again under another name, and again packed,
in five deliveries that the seed draws. Compared with a plain delivery of each file once: every relation of raw and
staging, without the columns that say where a row came from (their names begin with `_`).
"""

from __future__ import annotations

import random
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
from torture import Trial, beside

from ingestion.demo import generate
from ingestion.relations import create_raw_relations, list_inputs

PROOF_TRIALS = 3
PEOPLE, DAYS, DELIVERIES, LATE_DAYS = 50, 200, 5, 90
homes = beside("homes")
_reference: dict[str, str] = {}


def run_trial(seed: int, folder: Path) -> Trial:
    """One order."""
    dice = random.Random(seed)
    generate(folder / "demo", people=PEOPLE, seed=7, days=DAYS)
    files = sorted(path for path in (folder / "demo").rglob("*") if path.is_file() and "landing" in path.parts)
    names = {path: "/".join(path.parts[path.parts.index("landing") + 1 :]) for path in files}
    if not _reference:
        _reference.update(_plain(folder / "plain", names))
    home = homes.make_home(folder / "shuffled")
    arrivals = [(path, copy, dice.randrange(DELIVERIES)) for path in files for copy in range(3)]
    dice.shuffle(arrivals)
    failures = []
    for delivery in range(DELIVERIES):
        for path, copy, when in arrivals:
            if when == delivery:
                _land(home, path, names[path], copy, seed)
        report = home.ingest(homes.NOW + timedelta(days=LATE_DAYS * delivery // (DELIVERIES - 1)))
        if report.rows_in != report.accepted + report.quarantined + report.duplicates + report.held:
            failures.append(f"delivery {delivery}: rows do not add up")
    found = _staged(home, folder / "shuffled")
    failures += [f"{name} differs" for name in sorted(_reference) if found.get(name) != _reference[name]]
    rows = sum(int(value.partition(":")[0]) for value in found.values())
    figures = f"{len(arrivals)} arrivals of {len(files)} files, {rows:,} rows in {len(found)} relations"
    return Trial(1, tuple(failures), figures)


def _land(home: Any, path: Path, name: str, copy: int, seed: int) -> None:
    source, _, rest = name.partition("/")
    if copy == 0:
        home.land(name, path.read_bytes())
    elif copy == 1:
        home.land(f"{source}/again {seed}/{rest}", path.read_bytes())
    else:
        home.land(f"{source}/{rest.replace('/', ' ')} {seed}.zip", homes.packed((path.name, path.read_bytes())))


def _plain(folder: Path, names: dict[Path, str]) -> dict[str, str]:
    home = homes.make_home(folder)
    for path, name in names.items():
        target = home.settings.landing / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    home.ingest()
    return _staged(home, folder)


def _staged(home: Any, folder: Path) -> dict[str, str]:
    """Relation -> hash over its rows, after dbt has built staging over everything that was loaded."""
    from orchestration.dbt_child import DbtChild
    from orchestration.manifest import DBT_PROJECT, packed_manifest

    build = folder / "build.duckdb"
    with duckdb.connect(str(build)) as con:
        create_raw_relations(con, home.settings, list_inputs(home.store))
    home.store.close()
    variables = {"as_of": "2026-06-30", "as_of_end_utc": "2026-06-30 15:00:00", "timezone": "Asia/Tokyo"}
    args = ["run", "--select", "fqn:kizuna.staging", "--vars", orjson.dumps(variables).decode(), "--no-write-json"]
    args += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--log-level-file", "none"]
    args += ["--target-path", str(folder / "dbt")]
    child = DbtChild(args, env={"KIZUNA_BUILD_DB": str(build)}, cwd=DBT_PROJECT, manifest=packed_manifest())
    errors = [event for event in map(orjson.loads, child.stdout) if event["info"]["level"] == "error"]
    if child.wait() != 0:
        raise RuntimeError(f"dbt: {[event['info']['msg'] for event in errors][:3]}")
    with closing(duckdb.connect(str(build), read_only=True)) as con:
        return {name: _hash(con, name) for name in _relations(con)}


def _relations(con: duckdb.DuckDBPyConnection) -> list[str]:
    found = con.execute(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables "
        "WHERE table_schema = 'staging' ORDER BY 1"
    ).fetchall()
    return [name for (name,) in found]


def _hash(con: duckdb.DuckDBPyConnection, name: str) -> str:
    columns = [row[0] for row in con.execute(f"DESCRIBE {name}").fetchall() if not row[0].startswith("_")]
    chosen = ", ".join(f'"{column}"' for column in columns)
    rows = con.execute(f"SELECT {chosen} FROM {name}").fetchall()
    return f"{len(rows)}:{hash(tuple(sorted(map(repr, rows))))}"
