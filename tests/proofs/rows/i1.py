"""I1: the evidence of a demo company in a random order: the same partition, ids, links and refusals, row for row.

A trial is one order of the rows of all three tables of evidence. Compared with the order in which dbt wrote them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from torture import Trial, beside

from analytics.identity.resolve import Resolution

PROOF_TRIALS = 50
PEOPLE, COMPANY = 2_000, 1
evidence = beside("demo_evidence")
_reference: dict[str, pa.Table] = {}


def run_trial(seed: int, _folder: Path) -> Trial:
    """One order."""
    company = evidence.company(PEOPLE, COMPANY)
    if not _reference:
        _reference.update(_tables(company.resolve()))
    found = _tables(company.shuffled(np.random.default_rng(seed)).resolve())
    failures = [f"{name} differs" for name, table in _reference.items() if not found[name].equals(table)]
    rows = f"{company.records.num_rows:,} records of {PEOPLE} people" if seed == 1 else ""
    return Trial(1, tuple(failures), rows)


def _tables(found: Resolution) -> dict[str, pa.Table]:
    tables = {name: getattr(found, name) for name in type(found).__dataclass_fields__}
    return {
        name: _decoded(table).sort_by([(column, "ascending") for column in table.column_names])
        for name, table in tables.items()
        if isinstance(table, pa.Table)
    }


def _decoded(table: pa.Table) -> pa.Table:
    """Dictionaries are numbered as rows came; what they say is what counts."""
    kinds = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))
