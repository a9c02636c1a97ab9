"""From likely pairs to persons: strongest pairs first, and a person grows only where the whole of the evidence agrees.

One pair above the threshold must not chain two groups whose other members contradict each other. So groups join when
the mean log odds over all pairs between them is not clearly negative (average linkage; pairs nobody formed count as
evidence against).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.linkage.blocking import Ints
from analytics.linkage.mixture import Floats

#: Mean log odds between two groups that still lets one strong pair join them: about one chance in eight.
LEAST_MEAN = -2.0
#: A single pair counts no more than this, for or against.
_MOST = 12.0
#: Log odds of a pair that shares no key.
_NEVER_FORMED = -6.0


def components(records: int, left: Ints, right: Ints) -> Ints:
    """Component number per record."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(records, records)).tocsr()
    label: Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return label


def unscored(label: Ints, left: Ints, right: Ints, largest: int = 60) -> tuple[Ints, Ints]:
    """Pairs within components of three to `largest` records that are not among those given, in order."""
    records = len(label)
    order = np.argsort(label, kind="stable")
    sizes = np.bincount(label)
    starts = np.cumsum(sizes) - sizes
    found = [np.empty(0, np.int64)]
    for size in np.unique(sizes[(sizes > 2) & (sizes <= largest)]).tolist():
        members = np.sort(order[starts[sizes == size][:, None] + np.arange(size)], axis=1)
        one, other = np.triu_indices(size, k=1)
        found.append((members[:, one] * records + members[:, other]).ravel())
    missing = np.setdiff1d(np.concatenate(found), left * records + right)
    return missing // max(records, 1), missing % max(records, 1)


def join(left: Ints, right: Ints, odds: Floats, order: Sequence[int]) -> tuple[list[int], list[int]]:
    """Walk the pairs at `order`, strongest first: positions that joined two groups, and those that were refused.

    Pairs within a group that is already one are in neither list. `odds` of all pairs given are the evidence.
    """
    group: dict[int, int] = {}
    size: dict[int, int] = {}
    # Between two groups: sum of log odds and number of the pairs known.
    between: dict[int, dict[int, tuple[float, int]]] = {}
    inside = {int(row) for position in order for row in (left[position], right[position])}
    for row in sorted(inside):
        group[row], size[row], between[row] = row, 1, {}
    capped = np.clip(odds, -_MOST, _MOST)
    for one, other, value in zip(left.tolist(), right.tolist(), capped.tolist(), strict=True):
        if one in group and other in group:
            between[one][other] = between[other][one] = (value, 1)
    joined, refused = [], []
    for position in order:
        keep, drop = _root(group, int(left[position])), _root(group, int(right[position]))
        if keep == drop:
            continue
        total, known = between[keep].get(drop, (0.0, 0))
        pairs = size[keep] * size[drop]
        if total + (pairs - known) * _NEVER_FORMED < LEAST_MEAN * pairs:
            refused.append(position)
            continue
        joined.append(position)
        if len(between[keep]) < len(between[drop]):
            keep, drop = drop, keep
        group[drop] = keep
        size[keep] += size.pop(drop)
        between[keep].pop(drop, None)
        for third, (value, count) in between.pop(drop).items():
            if third != keep:
                had, number = between[keep].get(third, (0.0, 0))
                between[keep][third] = between[third][keep] = (had + value, number + count)
                del between[third][drop]
    return joined, refused


def _root(group: dict[int, int], row: int) -> int:
    root = row
    while group[root] != root:
        root = group[root]
    while group[row] != root:
        group[row], row = root, group[row]
    return root
