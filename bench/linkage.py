"""Probable links against sets of people whose answers are known: FEBRL 1 to 3 and fake_1000, one setting for all.

Each set is the only file of a company of its own, read by a mapping contract (`bench/linkage_contracts`), staged by dbt
and resolved with `identity.probabilistic: true` and nothing else changed. Precision, recall and F1 are those of all
pairs of records on one customer of the identity map. The answers (the number in FEBRL's rec_id, fake_1000's cluster)
are read here, after the map is made; they are no field of the contracts, and keys are no feature of the model.

Usage: python bench/linkage.py [set ...]
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = Path(__file__).parent / "linkage_contracts"
KEY = "bench-" + "k" * 40


@dataclass(frozen=True)
class Set:
    """A file below the folder of test data, its contract, and the column that holds the answer."""

    file: str
    contract: str
    key: str
    answer: str


SETS: Mapping[str, Set] = {
    "febrl1": Set("febrl/dataset1.csv", "febrl", "rec_id", "rec_id"),
    "febrl2": Set("febrl/dataset2.csv", "febrl", "rec_id", "rec_id"),
    "febrl3": Set("febrl/dataset3.csv", "febrl", "rec_id", "rec_id"),
    "fake_1000": Set("fake_1000/fake_1000.csv", "fake_1000", "unique_id", "cluster"),
}


@dataclass(frozen=True)
class Measured:
    """Pairs of records on one customer against pairs of records of one person."""

    records: int
    true_pairs: int
    precision: float
    recall: float
    f1: float
    seconds: float
    notes: Mapping[str, str]


def company(home: Path, one: Set, data: Path) -> None:
    """A company in `home` with one file, its contract, and probable links turned on."""
    (home / "kizuna.yaml").write_text(
        "name: Bench\ntimezone: UTC\ncurrency: USD\ncountry: US\nidentity: {probabilistic: true}\n", encoding="utf-8"
    )
    landing = home / "landing" / one.contract
    landing.mkdir(parents=True)
    (home / "contracts").mkdir()
    shutil.copy(CONTRACTS / f"{one.contract}.yml", home / "contracts")
    shutil.copyfile(data / one.file, landing / Path(one.file).name)


def identity_map(home: Path) -> tuple[dict[str, str], dict[str, str], float]:
    """Ingest, stage, collect the evidence, resolve: record key -> customer id, notes of the linkage, its seconds."""
    import orjson

    from ingestion.load import ingest
    from ingestion.relations import create_raw_relations, list_inputs
    from kizuna.control.store import open_store
    from kizuna.identity_rules import company_rules
    from kizuna.settings import load_settings
    from orchestration.dbt_child import DbtChild
    from orchestration.linkage import link_probable
    from orchestration.manifest import DBT_PROJECT, packed_manifest

    settings = load_settings(home, {"KIZUNA_PSEUDONYM_KEY": KEY})
    store = open_store(settings)
    ingest(settings, store, now=datetime(2026, 7, 1))
    file = home / "build.duckdb"
    with duckdb.connect(str(file)) as db:
        create_raw_relations(db, settings, list_inputs(store))
    store.close()
    variables = {"as_of": "2026-06-30", "as_of_end_utc": "2026-07-01 00:00:00", "timezone": "UTC"}
    args = ["run", "--select", "+source_records", "+identifiers", "+device_logins"]
    args += ["--vars", orjson.dumps(variables).decode(), "--project-dir", str(DBT_PROJECT)]
    args += ["--profiles-dir", str(DBT_PROJECT), "--target-path", str(home / "dbt"), "--log-level-file", "none"]
    args += ["--no-write-json"]
    child = DbtChild(args, env={"KIZUNA_BUILD_DB": str(file)}, cwd=DBT_PROJECT, manifest=packed_manifest())
    errors = [event["info"]["msg"] for event in map(orjson.loads, child.stdout) if event["info"]["level"] == "error"]
    if child.wait() != 0:
        raise SystemExit("\n".join(errors))

    from analytics.identity.resolve import resolve

    with duckdb.connect(str(file)) as db:
        rules = company_rules(settings.home, settings.company)
        start = time.monotonic()
        linkage = link_probable(db, settings.company, rules)
        seconds = time.monotonic() - start
        tables = [
            db.execute(f"SELECT * FROM identity.{name}").to_arrow_table()
            for name in ("source_records", "identifiers", "device_logins")
        ]
        notes = dict(db.execute("SELECT note, value FROM identity.probable_notes").fetchall())
    resolution = resolve(
        *tables,
        rules,
        None,
        key=KEY,
        default_country=settings.company.country,
        as_of=date(2026, 6, 30),
        probable=None if linkage is None else linkage.links,
    )
    found = resolution.customer_map
    return dict(zip(_texts(found, "record_key"), _texts(found, "customer_id"), strict=True)), notes, seconds


def answers(one: Set, data: Path) -> dict[str, str]:
    """Record key -> person."""
    with (data / one.file).open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, skipinitialspace=True))
    return {row[one.key]: row[one.answer].split("-")[1] if one.answer == "rec_id" else row[one.answer] for row in rows}


def measure(one: Set, data: Path, home: Path) -> Measured:
    """Make the company in the empty folder `home`, resolve it, compare."""
    company(home, one, data)
    customers, notes, seconds = identity_map(home)
    truth = answers(one, data)
    true, made, both = (
        _pairs(Counter(keys))
        for keys in (
            truth.values(),
            # A record that did not arrive is alone.
            [customers.get(key, key) for key in truth],
            [(customers.get(key, key), person) for key, person in truth.items()],
        )
    )
    precision, recall = both / max(made, 1), both / true
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return Measured(len(truth), true, precision, recall, f1, seconds, notes)


def _pairs(sizes: Counter[object]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())


def _texts(table: pa.Table, column: str) -> list[str]:
    return [str(value) for value in table[column].to_pylist()]


if __name__ == "__main__":
    folder = Path(os.environ.get("KIZUNA_TEST_DATA") or ROOT.parent / "shared" / "data")
    for name in sys.argv[1:] or SETS:
        with tempfile.TemporaryDirectory() as home:
            result = measure(SETS[name], folder, Path(home))
        print(
            f"{name}: {result.records} records, {result.true_pairs} true pairs: precision {result.precision:.4f}, "
            f"recall {result.recall:.4f}, F1 {result.f1:.4f}; linkage {result.seconds:.1f} s"
        )
        print(f"  {json.dumps(result.notes)}")
