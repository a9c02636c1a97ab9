"""Connected components, and the limits that keep a component from becoming a mega-person.

Components within their limits, nearly all, are taken as they are. Where a limit is broken the component is built
again from its strongest evidence down, and what would break a limit is left out: the weakest evidence goes, every
piece is within its limits, and nothing left out could be put back. Evidence is ordered by its own content, so the
result is the same in every input order.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analytics.identity.decisions import Rulings
from analytics.identity.evidence import Bools, Edges, Evidence, Ints
from analytics.identity.links import Links
from analytics.identity.sharing import Refusal


@dataclass(frozen=True, slots=True)
class Limited:
    """`refusal` per edge as given and grown by limits; `label` is a component number per record."""

    refusal: Ints
    label: Ints


def components(record: Ints, value: Ints, records: int, values: int) -> Ints:
    """Component number of every record, then of every value, of the graph record -> value."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # A value is one of its records, and an edge to each other one: fewer nodes and edges than if it were a node, and
    # none at all for what stands on one record, as the ids do that systems issue.
    holder = np.full(values, -1, np.int64)
    holder[value] = record
    meets = holder[value]
    rows = np.flatnonzero(meets != record)
    ones = np.ones(len(rows))
    graph = coo_array((ones, (record[rows], meets[rows])), shape=(records, records)).tocsr()
    count, found = connected_components(graph, directed=False)
    label = np.empty(records + values, np.int64)
    label[:records] = found
    held = holder >= 0
    of_value = label[records:]
    of_value[held] = found[holder[held]]
    of_value[~held] = count + np.arange(values - np.count_nonzero(held))
    return label


def within_limits(
    evidence: Evidence,
    refusal: Ints,
    retired: Bools,
    sharer_limit: int,
    why: dict[tuple[int, int], str],
    rulings: Rulings | None = None,
    links: Links | None = None,
) -> Limited:
    """Components of the edges not refused, cut where one would break a limit or a steward's `forbid`.

    `retired` marks values that do not count (ids that the vendor merged away); `why` is filled for each refusal.
    """
    edges = evidence.edges
    records, values = len(evidence.records), len(evidence.values)
    rulings, links = rulings or Rulings(), links or Links.none(evidence)
    sound = np.flatnonzero(refusal == Refusal.NONE)
    label = components(edges.record[sound], edges.value[sound], records, values)
    over = np.union1d(
        _over_limit(evidence, edges.record[sound], edges.value[sound], label, retired, links),
        _torn(label, rulings),
    )
    if not len(over):
        return Limited(refusal, label[:records])
    broken = np.zeros(int(label.max()) + 1, np.bool_)
    broken[over] = True
    inside = sound[broken[label[edges.record[sound]]]]
    refusal = refusal.copy()
    _Builder(evidence, retired, sharer_limit, why, rulings, links).build(inside, refusal)
    return Limited(refusal, _relabelled(label[:records], broken, edges, inside[refusal[inside] == Refusal.NONE]))


def _relabelled(label: Ints, broken: Bools, edges: Edges, sound: Ints) -> Ints:
    """Labels of all records, those of broken components found anew from their `sound` edges."""
    label = label.copy()
    alone = np.flatnonzero(broken[label])
    first = len(broken)
    label[alone] = first + np.arange(len(alone))
    record, of_record = np.unique(edges.record[sound], return_inverse=True)
    value, of_value = np.unique(edges.value[sound], return_inverse=True)
    if len(record):
        found = components(of_record, of_value, len(record), len(value))[: len(record)]
        label[record] = first + len(alone) + found
    return label


def _over_limit(evidence: Evidence, record: Ints, value: Ints, label: Ints, retired: Bools, links: Links) -> Ints:
    """Labels of the components that break a limit."""
    holder = np.full(len(evidence.values), -1, np.int64)
    holder[value] = record
    used = np.flatnonzero((holder >= 0) & ~retired)
    of_used, kinds = label[holder[used]], evidence.values.type_code[used]
    customers = int(of_used.max()) + 1 if len(used) else 0
    # Whom a steward joins brings his limits along.
    allowed = np.ones(customers, np.int64)
    linked = np.flatnonzero(used >= links.first)
    np.add.at(allowed, of_used[linked], links.extra[used[linked] - links.first])
    broken = np.zeros(customers, np.bool_)
    for code, rule in enumerate(evidence.types):
        held = np.bincount(of_used[kinds == code], minlength=customers)
        broken |= held > rule.limit_per_customer * allowed
    return np.flatnonzero(broken)


def _torn(label: Ints, rulings: Rulings) -> Ints:
    """Labels of the components that hold two ends of a `forbid`."""
    torn = []
    for _, ends in rulings.apart:
        found, count = np.unique(label[list(ends)], return_counts=True)
        torn += found[count > 1].tolist()
    return np.array(torn, np.int64)


@dataclass(frozen=True, slots=True)
class _Broken:
    refusal: Refusal
    why: str


class _Builder:
    """Union-find over the records and values of broken components; each root knows how many values it holds."""

    def __init__(
        self,
        evidence: Evidence,
        retired: Bools,
        sharer_limit: int,
        why: dict[tuple[int, int], str],
        rulings: Rulings,
        links: Links,
    ) -> None:
        self._evidence = evidence
        self._rulings = rulings
        self._links = links
        self._retired = retired
        self._sharers = sharer_limit
        self._why = why
        self._limits = [rule.limit_per_customer for rule in evidence.types]
        self._parent: dict[int, int] = {}
        self._held: dict[int, list[int]] = {}
        # Of roots that hold any: which end of which `forbid` they hold; how many customers a steward made one.
        self._ends: dict[int, dict[int, int]] = {}
        self._extra: dict[int, int] = {}

    def build(self, positions: Ints, refusal: Ints) -> None:
        """Decide about the edges at `positions`, strongest first; what must go is marked in `refusal`."""
        edges = self._evidence.edges
        records = len(self._evidence.records)
        self._start(edges, positions, records)
        by_kind: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        logins: dict[int, list[int]] = defaultdict(list)
        kinds = self._evidence.values.type_code
        for position in positions.tolist():
            value = int(edges.value[position])
            target = logins if edges.login[position] else by_kind[int(kinds[value])]
            target[value].append(position)
        for kind in sorted(by_kind):
            for value in self._strongest_first(by_kind[kind], edges):
                for position, reason in self._join(value, by_kind[kind][value], edges):
                    refusal[position] = reason
        # A login on a device is the weakest evidence: it ties a browser to a person who is built by now.
        for value in self._strongest_first(logins, edges):
            for position in self._by_record(logins[value], edges):
                pair = [self._root(records + value), self._root(int(edges.record[position]))]
                broken = self._broken(set(pair))
                if broken is None:
                    self._union(pair)
                else:
                    refusal[position] = broken.refusal
                    self._why[value, int(broken.refusal)] = broken.why

    def _start(self, edges: Edges, positions: Ints, records: int) -> None:
        width = len(self._limits)
        for record in np.unique(edges.record[positions]).tolist():
            self._parent[record] = record
            self._held[record] = [0] * width
        for value in np.unique(edges.value[positions]).tolist():
            held = [0] * width
            if not self._retired[value]:
                held[int(self._evidence.values.type_code[value])] = 1
            self._parent[records + value] = records + value
            self._held[records + value] = held
            if value >= self._links.first and self._links.extra[value - self._links.first]:
                self._extra[records + value] = int(self._links.extra[value - self._links.first])
        for number, (_, ends) in enumerate(self._rulings.apart):
            for place, node in enumerate(ends):
                if node in self._parent:
                    self._ends.setdefault(node, {})[number] = place

    def _strongest_first(self, groups: dict[int, list[int]], edges: Edges) -> list[int]:
        """Surest first, then least shared between people known by stronger evidence, best supported, by text."""
        wanted = sorted(groups)
        texts = self._evidence.values.text.take(pa.array(wanted, pa.int64())).to_pylist()
        ranked = []
        for value, text in zip(wanted, texts, strict=True):
            roots = {self._root(int(edges.record[position])) for position in groups[value]}
            sharers = sum(1 for root in roots if any(self._held[root]))
            linked = value - self._links.first
            strength = float(self._links.strength[linked]) if linked >= 0 else 1.0
            ranked.append((-strength, sharers, -len(groups[value]), text, value))
        return [value for *_, value in sorted(ranked)]

    def _by_record(self, positions: list[int], edges: Edges) -> list[int]:
        """Positions of one value in the order of their records' own names."""
        rows = pa.array(edges.record[positions])
        records = self._evidence.records
        names = zip(records.source.take(rows).to_pylist(), records.record_key.take(rows).to_pylist(), strict=True)
        return [position for _, position in sorted(zip(names, positions, strict=True))]

    def _names(self, positions: list[int], edges: Edges) -> list[tuple[str, str]]:
        """The names of the records at these positions, ordered."""
        rows = pa.array(edges.record[positions])
        records = self._evidence.records
        return sorted(
            zip(records.source.take(rows).to_pylist(), records.record_key.take(rows).to_pylist(), strict=True)
        )

    def _join(self, value: int, positions: list[int], edges: Edges) -> list[tuple[int, Refusal]]:
        """Join all records of a value, or name the edges that must go.

        A contested value stays with the customer that has at least twice the records of any other on it; without such
        an owner nobody gets it, and records known by nothing else form a customer of their own.
        """
        node = len(self._evidence.records) + value
        held_by: dict[int, list[int]] = defaultdict(list)
        for position in positions:
            held_by[self._root(int(edges.record[position]))].append(position)
        broken = self._broken({*held_by, self._root(node)})
        if broken is None:
            self._union([self._root(node), *held_by])
            return []
        if value >= self._links.first:
            # A link without one of its ends says nothing.
            self._why[value, int(broken.refusal)] = broken.why
            return [(position, broken.refusal) for position in positions]
        claimants = {root: found for root, found in held_by.items() if any(self._held[root]) or root in self._ends}
        if len(claimants) > self._sharers:
            self._why[value, int(Refusal.BLOCKED_VALUE)] = f"shared by {len(claimants)} customers"
            return [(position, Refusal.BLOCKED_VALUE) for position in positions]
        if broken.refusal == Refusal.STEWARD_FORBID:
            return self._divide(value, held_by, edges)
        self._why[value, int(Refusal.OVER_LIMIT)] = broken.why
        self._union([self._root(node), *(root for root in held_by if root not in claimants)])
        owner = self._owner(claimants, self._root(node))
        if owner is not None:
            self._union([self._root(node), owner])
        return [(p, Refusal.OVER_LIMIT) for root, found in claimants.items() if root != owner for p in found]

    def _divide(self, value: int, held_by: dict[int, list[int]], edges: Edges) -> list[tuple[int, Refusal]]:
        """A value between people whom a steward keeps apart: only as many of its edges go as must.

        First come those with most records on it, then those that hold the least besides, then by name of record.
        """
        node = len(self._evidence.records) + value
        ranked = sorted(
            held_by.items(),
            key=lambda item: (-len(item[1]), sum(self._held[item[0]]), min(self._names(item[1], edges))),
        )
        gone = []
        for root, found in ranked:
            pair = [self._root(node), self._root(root)]
            broken = self._broken(set(pair))
            if broken is None:
                self._union(pair)
                continue
            self._why[value, int(broken.refusal)] = broken.why
            gone += [(position, broken.refusal) for position in found]
        return gone

    def _owner(self, claimants: dict[int, list[int]], node: int) -> int | None:
        ranked = sorted(((len(found), root) for root, found in claimants.items()), reverse=True)
        if not ranked or (len(ranked) > 1 and ranked[0][0] < 2 * ranked[1][0]):
            return None
        owner = ranked[0][1]
        return owner if self._broken({owner, node}) is None else None

    def _broken(self, roots: set[int]) -> _Broken | None:
        """What joining these would break; None when all limits and decisions hold."""
        if len(roots) < 2:
            return None
        seen: dict[int, int] = {}
        met = [
            self._rulings.apart[number][0]
            for root in roots
            for number, place in self._ends.get(root, {}).items()
            if seen.setdefault(number, place) != place
        ]
        if met:
            return _Broken(Refusal.STEWARD_FORBID, f"decisions.yaml, line {min(met)}, keeps these apart")
        allowed = 1 + sum(self._extra.get(root, 0) for root in roots)
        for kind, counts in enumerate(zip(*(self._held[root] for root in roots), strict=True)):
            if sum(counts) > self._limits[kind] * allowed:
                name = self._evidence.types[kind].identifier_type
                limit = self._limits[kind] * allowed
                return _Broken(
                    Refusal.OVER_LIMIT, f"one customer would hold {sum(counts)} values of {name}, limit {limit}"
                )
        return None

    def _root(self, node: int) -> int:
        root = node
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[node] != root:
            self._parent[node], node = root, self._parent[node]
        return root

    def _union(self, roots: list[int]) -> None:
        first, *others = dict.fromkeys(roots)
        for other in others:
            self._parent[other] = first
            self._held[first] = [a + b for a, b in zip(self._held[first], self._held[other], strict=True)]
            if other in self._extra:
                self._extra[first] = self._extra.get(first, 0) + self._extra[other]
            if other in self._ends:
                self._ends[first] = self._ends.get(first, {}) | self._ends[other]
