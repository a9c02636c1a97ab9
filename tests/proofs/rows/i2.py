"""I2: records arrive in random builds, each build starting from the ids of the one before: the same people at the end.

A trial is one schedule: the records of a demo company are dealt over two to six builds, oldest not first. At the end
the partition is that of one build over everything; no id that was published vanishes without a word: it still names a
customer, or a change says what became of it; and nobody who had an id got a new one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from torture import Trial, beside

PROOF_TRIALS = 20
PEOPLE, COMPANY = 2_000, 1
evidence = beside("demo_evidence")


def run_trial(seed: int, _folder: Path) -> Trial:
    """One schedule."""
    dice = np.random.default_rng(seed)
    company = evidence.company(PEOPLE, COMPANY)
    builds = int(dice.integers(2, 7))
    turn = dice.integers(0, builds, company.records.num_rows)
    registry: pa.Table | None = None
    published: set[str] = set()
    told: set[str] = set()
    before: dict[tuple[str, str], str] = {}
    failures = []
    merged = 0
    for build in range(builds):
        found = company.arrived(turn <= build).resolve(registry)
        registry = found.customer_identifiers.select(evidence.REGISTRY)
        now = evidence.customer_of(found)
        changes = found.identity_changes.to_pylist()
        merged += sum(change["change"] == "merged" for change in changes)
        told |= {name for change in changes for name in (change["customer_id"], change["other_customer_id"]) if name}
        ids = set(now.values())
        lost = published - ids - told
        if lost:
            failures.append(f"build {build + 1}: {len(lost)} published ids vanished without a change")
        homes: dict[str, set[str]] = {}
        for record, customer in now.items():
            if record in before:
                homes.setdefault(customer, set()).add(before[record])
        strangers = [
            customer
            for customer, ids_before in homes.items()
            if customer not in published
            and not any(change["change"] == "split" and change["customer_id"] == customer for change in changes)
        ]
        if strangers:
            failures.append(f"build {build + 1}: {len(strangers)} customers with published records got a new id")
        published |= ids
        before = now
    whole = evidence.partition(evidence.customer_of(company.resolve()))
    apart = len(whole ^ evidence.partition(before))
    if apart:
        failures.append(f"{apart} customers differ from those of one build over everything")
    return Trial(1, tuple(failures), f"{builds} builds, {merged} merges" if seed <= 3 else "")
