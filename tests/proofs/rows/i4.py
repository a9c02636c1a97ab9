"""I4: the same files arriving in random schedules of builds: the same customers as one build over all files.

A trial deals the exports of a company of 60 over two or three builds; each ingests what has arrived, stages it by dbt
and resolves it from the ids of the build before.
"""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from torture import Trial, beside

from ingestion.demo import generate

PROOF_TRIALS = 2
PEOPLE, DAYS = 60, 200
evidence = beside("demo_evidence")
homes = beside("homes")
_whole: dict[str, frozenset[frozenset[tuple[str, str]]]] = {}


def run_trial(seed: int, folder: Path) -> Trial:
    """One schedule."""
    dice = random.Random(seed)
    generate(folder / "demo", people=PEOPLE, seed=7, days=DAYS)
    roots = (folder / "demo" / "landing", folder / "demo" / "deliveries" / "day2")
    files = sorted((path.relative_to(root), path) for root in roots for path in root.rglob("*") if path.is_file())
    if not _whole:
        _whole["at once"] = _arrive(folder / "plain", [files])[0]
    builds = dice.randint(2, 3)
    schedule: list[list[tuple[Path, Path]]] = [[] for _ in range(builds)]
    for file in dice.sample(files, len(files)):
        dice.choice(schedule).append(file)
    customers, failures = _arrive(folder / "dealt", schedule)
    apart = len(customers ^ _whole["at once"])
    if apart:
        failures.append(f"{apart} of {len(customers)} customers differ from those of one build")
    return Trial(1, tuple(failures), f"{len(files)} files in {builds} builds, {len(customers)} customers")


def _arrive(
    folder: Path, schedule: list[list[tuple[Path, Path]]]
) -> tuple[frozenset[frozenset[tuple[str, str]]], list[str]]:
    registry: pa.Table | None = None
    published: set[str] = set()
    failures: list[str] = []
    customers: dict[tuple[str, str], str] = {}
    for number, files in enumerate(schedule):
        home = homes.make_home(folder)
        for name, path in files:
            home.land(str(name), path.read_bytes())
        home.ingest(homes.NOW + timedelta(days=number))
        found = evidence.Company(*evidence.staged(home, folder), {}, {}).resolve(registry)
        registry = found.customer_identifiers.select(evidence.REGISTRY)
        customers = evidence.customer_of(found)
        changes = found.identity_changes.to_pylist()
        told = {change["customer_id" if change["change"] == "retired" else "other_customer_id"] for change in changes}
        lost = published - set(customers.values()) - told
        if lost:
            failures.append(f"build {number + 1}: {len(lost)} published ids vanished without a change")
        published = set(customers.values())
    return evidence.partition(customers), failures
