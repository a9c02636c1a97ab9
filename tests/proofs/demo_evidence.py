"""The evidence of a demo company as stage identity hands it over: real exports, ingested and staged, not yet resolved.

Shared by the rows about identity; the company is made once per size, seed and process.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import orjson
import pyarrow as pa
from torture import beside

from analytics.identity.resolve import Resolution, resolve
from analytics.identity.rules import default_rules
from ingestion.demo import generate
from ingestion.relations import create_raw_relations, list_inputs

KEY = "k" * 64
REGISTRY = ["customer_id", "source", "identifier_type", "identifier_hash", "first_seen_at"]
Record = tuple[str, str]
homes = beside("homes")


@dataclass(frozen=True)
class Company:
    """Tables of the stage, and for each record of a person: who it is, and which records its identifiers can reach."""

    records: pa.Table
    identifiers: pa.Table
    logins: pa.Table
    person: Mapping[Record, str]
    reachable: Mapping[Record, str]

    def resolve(self, registry: pa.Table | None = None, as_of: date = date(2026, 6, 30)) -> Resolution:
        """Resolve under the rules that ship."""
        return resolve(
            self.records,
            self.identifiers,
            self.logins,
            default_rules(),
            registry,
            key=KEY,
            default_country="JP",
            as_of=as_of,
        )

    def shuffled(self, dice: np.random.Generator) -> Company:
        """The same rows in another order."""
        tables = [
            table.take(pa.array(dice.permutation(len(table))))
            for table in (self.records, self.identifiers, self.logins)
        ]
        return Company(*tables, self.person, self.reachable)

    def arrived(self, here: np.ndarray) -> Company:
        """The company with the records of this mask alone; logins come with their device's record."""
        records = self.records.filter(pa.array(here))
        names = set(zip(records["source"].to_pylist(), records["record_key"].to_pylist(), strict=True))
        devices = {key for source, key in names if source.endswith(".device")}
        owners = zip(self.identifiers["source"].to_pylist(), self.identifiers["record_key"].to_pylist(), strict=True)
        told = [owner in names for owner in owners]
        logged = [device in devices for device in self.logins["device_id"].to_pylist()]
        return Company(
            records,
            self.identifiers.filter(pa.array(told, pa.bool_())),
            self.logins.filter(pa.array(logged, pa.bool_())),
            self.person,
            self.reachable,
        )


@cache
def company(people: int, seed: int, days: int = 730) -> Company:
    """Generate, ingest and stage a demo company; its files go away again."""
    folder = Path(tempfile.mkdtemp(prefix="kizuna-identity-"))
    try:
        generate(folder / "demo", people=people, seed=seed, days=days)
        home = homes.make_home(folder / "home")
        with (home.settings.home / "kizuna.yaml").open("a", encoding="utf-8") as handle:
            handle.write("country: JP\n")
        shutil.copytree(folder / "demo" / "landing", home.settings.landing, dirs_exist_ok=True)
        shutil.copytree(folder / "demo" / "deliveries" / "day2", home.settings.landing, dirs_exist_ok=True)
        home.ingest(datetime(2026, 7, 1))
        tables = staged(home, folder)
        with (folder / "demo" / "truth" / "who_is_who.csv").open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        named = {(row["source"], row["record_key"]): row for row in rows}
        return Company(
            *tables,
            {name: row["person"] for name, row in named.items() if row["person"] and row["component_day2"]},
            {name: row["component_day2"] for name, row in named.items() if row["component_day2"]},
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def staged(home: homes.Home, folder: Path) -> list[pa.Table]:
    """Source records, identifiers and logins of all that the home has ingested."""
    with closing(duckdb.connect(str(_build(home, folder)), read_only=True)) as db:
        return [
            db.execute(f"SELECT * FROM identity.{name} ORDER BY ALL").to_arrow_table()
            for name in ("source_records", "identifiers", "device_logins")
        ]


def _build(home: homes.Home, folder: Path) -> Path:
    """A build file with what dbt makes of the raw files, up to the evidence of identity. Closes the home's store."""
    from orchestration.dbt_child import DbtChild
    from orchestration.manifest import DBT_PROJECT, packed_manifest

    build = folder / "build.duckdb"
    build.unlink(missing_ok=True)
    with closing(duckdb.connect(str(build))) as con:
        create_raw_relations(con, home.settings, list_inputs(home.store))
    home.store.close()
    variables = {"as_of": "2026-06-30", "as_of_end_utc": "2026-06-30 15:00:00", "timezone": "Asia/Tokyo"}
    variables["user_id_is"] = home.settings.company.kpi.user_id_is
    args = [
        "run",
        "--select",
        "fqn:kizuna.staging",
        "fqn:kizuna.identity",
        "--vars",
        orjson.dumps(variables).decode(),
        "--no-write-json",
    ]
    args += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--log-level-file", "none"]
    args += ["--target-path", str(folder / "dbt")]
    child = DbtChild(args, env={"KIZUNA_BUILD_DB": str(build)}, cwd=DBT_PROJECT, manifest=packed_manifest())
    errors = [event for event in map(orjson.loads, child.stdout) if event["info"]["level"] == "error"]
    if child.wait() != 0:
        raise RuntimeError(f"dbt: {[event['info']['msg'] for event in errors][:3]}")
    return build


def customer_of(found: Resolution) -> dict[Record, str]:
    """Record -> customer id."""
    table = found.customer_map
    names = zip(table["source"].to_pylist(), table["record_key"].to_pylist(), strict=True)
    return dict(zip(names, table["customer_id"].to_pylist(), strict=True))


def partition(customers: Mapping[Record, str]) -> frozenset[frozenset[Record]]:
    """Which records are together, whatever the ids."""
    groups: dict[str, set[Record]] = {}
    for record, customer in customers.items():
        groups.setdefault(customer, set()).add(record)
    return frozenset(map(frozenset, groups.values()))


@dataclass(frozen=True)
class Pairs:
    """Pairwise agreement of a partition with the truth, over records that stand for a person."""

    precision: float
    recall: float
    ceiling: float
    true_pairs: int


def pairs(company: Company, customers: Mapping[Record, str]) -> Pairs:
    """`ceiling` is the recall of whoever joins exactly the records that shared identifiers can tie together."""
    people = company.person
    together = _pairs((customers[name], people[name]) for name in people if name in customers)
    joined = _pairs(customers[name] for name in people if name in customers)
    true = _pairs(people.values())
    reachable = _pairs((company.reachable[name], person) for name, person in people.items())
    return Pairs(together / max(joined, 1), together / max(true, 1), reachable / max(true, 1), true)


def _pairs(labels: Iterable[object]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())
