"""Values on which a customer hangs: without them two big parts of it would be two customers.

A wrong merge nearly always looks like this, since strangers have one thing in common and the records of a person many.
The parts are found by one walk over the graph (articulation points by low-link: Hopcroft and Tarjan, Communications of
the ACM 16(6), 1973), without recursion, and only over what can be a bridge: a value on one record and a record with one
value part nothing but themselves, and records with the same values stay together.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from analytics.identity.evidence import Ints


@dataclass(frozen=True, slots=True)
class Bridge:
    """A value, and the records of the largest and of the second largest part that would be left without it."""

    value: int
    larger: int
    smaller: int


def bridges(record: Ints, value: Ints, least: int) -> list[Bridge]:
    """Values of the graph record -> value whose removal leaves two parts of `least` (at least 2) records or more.

    One row per edge, none twice. Ordered by value. Linear in the edges but for their sorting.
    """
    # Values on one record tie nothing, and a record with one value left is a part of its own without it.
    shared = np.bincount(value)[value] > 1 if len(value) else np.zeros(0, np.bool_)
    record, value = record[shared], value[shared]
    single = (np.bincount(record)[record] == 1) if len(record) else np.zeros(0, np.bool_)
    hanging = np.bincount(value[single], minlength=int(value.max()) + 1 if len(value) else 0)
    record, value = record[~single], value[~single]
    if not len(record):
        return []
    record, value, weight = _alike(record, value)
    names, value = np.unique(value, return_inverse=True)
    found = _walk(record, value, weight, hanging[names])
    rows = []
    for place, parts in found.items():
        ranked = sorted(parts, reverse=True)
        if len(ranked) > 1 and ranked[1] >= least:
            rows.append(Bridge(int(names[place]), ranked[0], ranked[1]))
    return sorted(rows, key=lambda one: one.value)


def _alike(record: Ints, value: Ints) -> tuple[Ints, Ints, Ints]:
    """The edges of one record of each set of values, numbered anew, and how many records have that set."""
    order = np.lexsort((value, record))
    record, value = record[order], value[order]
    begin = np.flatnonzero(np.diff(record, prepend=-1))
    # Two sums of random numbers stand for a set; that two sets share both does not happen.
    dice = np.random.default_rng(0).integers(1, 2**62, (2, int(value.max()) + 1), dtype=np.uint64)
    one, other = (np.add.reduceat(row[value], begin) for row in dice)
    turn = np.lexsort((other, one))
    new = np.append(True, (np.diff(one[turn]) != 0) | (np.diff(other[turn]) != 0))
    group = np.empty(len(turn), np.int64)
    group[turn] = np.cumsum(new) - 1
    stands = np.zeros(len(turn), np.bool_)
    stands[turn[new]] = True
    of_edge = np.repeat(np.arange(len(begin)), np.diff(np.append(begin, len(record))))
    kept = stands[of_edge]
    return group[of_edge[kept]], value[kept], np.bincount(group)


def _walk(record: Ints, value: Ints, weight: Ints, hanging: Ints) -> dict[int, list[int]]:
    """Sizes of the parts that each value ties together; only values that part something."""
    groups, size = len(weight), len(weight) + len(hanging)
    ends = np.concatenate([record, value + groups])
    order = np.argsort(ends, kind="stable")
    near = np.concatenate([value + groups, record])[order].tolist()
    begin = np.searchsorted(ends[order], np.arange(size + 1)).tolist()
    mass = np.concatenate([weight, hanging]).tolist()
    place, low, held = [0] * size, [0] * size, list(mass)
    at = begin[:-1].copy()
    clock = 0
    parts: dict[int, list[int]] = {}
    for root in range(groups):
        if place[root]:
            continue
        cut: dict[int, list[int]] = defaultdict(list)
        clock += 1
        place[root] = low[root] = clock
        path = [root]
        while path:
            node = path[-1]
            if at[node] < begin[node + 1]:
                other = near[at[node]]
                at[node] += 1
                if not place[other]:
                    clock += 1
                    place[other] = low[other] = clock
                    path.append(other)
                elif len(path) < 2 or other != path[-2]:
                    low[node] = min(low[node], place[other])
                continue
            path.pop()
            if path:
                above = path[-1]
                held[above] += held[node]
                low[above] = min(low[above], low[node])
                if above >= groups and low[node] >= place[above]:
                    cut[above].append(held[node])
        for node, below in cut.items():
            parts[node - groups] = [*below, held[root] - mass[node] - sum(below)]
    return parts
