"""I3: customers of a demo company beside the people behind its records, and what a day of news does to their ids.

A trial is one company. Pairwise precision is .999 or more, recall within .01 of the ceiling (what shared identifiers
can tie together at all), no store or terminal holds two people's records by itself, and after the last 5 % of the
records, by time, 99.9 % of the published ids are those of before or were merged with a stated cause.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from torture import Trial, beside

PROOF_TRIALS = 1
PEOPLE = 2_000
NEWS = 0.05
evidence = beside("demo_evidence")


def run_trial(seed: int, _folder: Path) -> Trial:
    """One company."""
    company = evidence.company(PEOPLE, seed)
    found = company.resolve()
    now = evidence.customer_of(found)
    pairs = evidence.pairs(company, now)
    failures = []
    if pairs.precision < 0.999:
        failures.append(f"precision {pairs.precision:.5f}")
    if pairs.recall < pairs.ceiling - 0.01:
        failures.append(f"recall {pairs.recall:.5f}, ceiling {pairs.ceiling:.5f}")

    seen = pc.fill_null(pc.cast(company.records["seen_at"], "int64"), 0).to_numpy()
    old = seen <= np.quantile(seen, 1 - NEWS)
    first = company.arrived(old).resolve()
    then = evidence.customer_of(first)
    second = evidence.customer_of(company.resolve(first.customer_identifiers.select(evidence.REGISTRY)))
    ids = set(then.values())
    kept = ids & set(second.values())
    gone = ids - kept
    causes = company.resolve(first.customer_identifiers.select(evidence.REGISTRY)).identity_changes.to_pylist()
    explained = {change["other_customer_id"] for change in causes if change["change"] == "merged"}
    moved = sum(1 for record, customer in then.items() if second.get(record) not in (customer, None)) / len(then)
    if len(gone - explained) > 0.001 * len(ids):
        failures.append(f"{len(gone - explained)} of {len(ids)} ids vanished")
    figures = (
        f"{company.records.num_rows:,} records, {pairs.true_pairs:,} true pairs, precision {pairs.precision:.5f}, "
        f"recall {pairs.recall:.5f} of at most {pairs.ceiling:.5f}; after {1 - old.mean():.1%} news "
        f"{len(kept) / len(ids):.3%} of {len(ids):,} ids unchanged, {len(gone & explained)} merged, "
        f"{moved:.3%} of records under another id"
    )
    return Trial(1, tuple(failures), figures)
