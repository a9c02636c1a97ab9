"""Values that change hands: a silence longer than a type's time to live starts a new generation of the value.

Silence is counted between sightings, never until today, so that nothing changes on a day on which nothing arrives.
Records without a time say how things are now and belong to the newest generation; a record that spans years (a caller,
who is a number) leaves no gap.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa

from analytics.identity.evidence import NEVER_FIRST, Evidence, Ints

_SECOND = 10**6  # times are microseconds
_DAY = 86_400  # seconds


def by_generation(evidence: Evidence) -> Evidence:
    """The evidence with a value of its own for every generation but the newest, which keeps the value it had.

    `older` of the result names each new value and the value whose earlier generation it is.
    """
    edges, values = evidence.edges, evidence.values
    lives = np.array([rule.time_to_live_days or 0 for rule in evidence.types], np.int64) * _DAY
    if not lives.any():
        return evidence
    mortal = (lives > 0)[values.type_code] & ~values.invalid & ~values.blocked
    rows = np.flatnonzero(mortal[edges.value] & (edges.first != NEVER_FIRST))
    rows = rows[np.lexsort((edges.first[rows], edges.value[rows]))]
    if not len(rows):
        return evidence
    value = edges.value[rows]
    start = np.flatnonzero(np.diff(value, prepend=-1))
    group = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(rows))))
    first = edges.first[rows] // _SECOND
    last = np.maximum(edges.last[rows] // _SECOND, first)
    # One running maximum over all groups: each lies above the one before it.
    floor = int(first.min())
    span = int(last.max()) - floor + 1
    reach = np.maximum.accumulate(last - floor + group * span) - group * span + floor
    silent = np.zeros(len(rows), np.bool_)
    silent[1:] = (first[1:] - reach[:-1] > lives[values.type_code[value[1:]]]) & (group[1:] == group[:-1])
    if not silent.any():
        return evidence
    # Generations still to come in the group: none for the newest one.
    passed = np.cumsum(silent)
    left = passed[np.append(start[1:], len(rows)) - 1][group] - passed
    old = np.flatnonzero(left > 0)
    pairs, number = np.unique(np.stack([value[old], left[old]]), axis=1, return_inverse=True)
    base = pairs[0]
    moved = edges.value.copy()
    moved[rows[old]] = len(values) + number.ravel()
    grown = replace(
        values,
        type_code=np.concatenate([values.type_code, values.type_code[base]]),
        text=pa.concat_arrays([values.text, values.text.take(pa.array(base))]),
        invalid=np.concatenate([values.invalid, values.invalid[base]]),
        blocked=np.concatenate([values.blocked, values.blocked[base]]),
    )
    older = (np.arange(len(values), len(grown), dtype=np.int64), base.astype(np.int64))
    return replace(evidence, values=grown, edges=replace(edges, value=moved), older=older)


def reunited(evidence: Evidence, of_value: Ints) -> Ints:
    """Per value the one it stands under in tables: generations of one customer are one value again."""
    stands = np.arange(len(evidence.values), dtype=np.int64)
    seen: dict[tuple[int, int], int] = {}
    for base in np.unique(evidence.older[1]).tolist():
        seen[base, int(of_value[base])] = base
    for node, base in zip(*(column.tolist() for column in evidence.older), strict=True):
        stands[node] = seen.setdefault((base, int(of_value[node])), node)
    return stands


def expired(evidence: Evidence, of_value: Ints) -> list[tuple[int, int, str]]:
    """Value, records of its earlier generations, and why; only values whose generations are different people."""
    nodes, bases = evidence.older
    if not len(nodes):
        return []
    held = np.bincount(evidence.edges.value, minlength=len(evidence.values))
    older: dict[int, list[int]] = defaultdict(list)
    for node, base in zip(nodes.tolist(), bases.tolist(), strict=True):
        older[base].append(node)
    rows = []
    for base, found in sorted(older.items()):
        holders = {int(of_value[node]) for node in [base, *found]}
        if len(holders) > 1:
            records = int(held[found].sum())
            days = evidence.types[int(evidence.values.type_code[base])].time_to_live_days
            rows.append((base, records, f"{len(holders)} holders, silent in between for more than {days} days"))
    return rows
