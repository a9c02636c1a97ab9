"""Customer ids that outlive a rebuild: a published id stays with the oldest evidence it was published for.

Nothing here depends on build order alone: "older" is the earliest source time, then the id. A customer that no
published evidence belongs to gets an id from its oldest record, so the same files give the same ids again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.evidence import NEVER_FIRST, Bools, Evidence, Ints
from analytics.identity.pseudonym import SEPARATOR, customer_ids
from analytics.identity.sharing import Refusal

CHANGES = pa.schema(
    [
        ("change", pa.string()),
        ("customer_id", pa.string()),
        ("other_customer_id", pa.string()),
        ("cause", pa.string()),
        ("as_of", pa.date32()),
    ]
)
FIRST_BUILD, NEW_EVIDENCE, EVIDENCE_GONE, EVIDENCE_MOVED = "first_build", "new_evidence", "evidence_gone", "moved"
BY_STEWARD = "steward"


# change, customer_id, other_customer_id, cause
Change = tuple[str, str, str | None, str]


@dataclass(frozen=True, slots=True)
class Hashes:
    """Pseudonyms in the order of the evidence: of every record (as identifier `record`) and of every value."""

    record: pa.StringArray
    value: pa.StringArray


@dataclass(frozen=True, slots=True)
class Clusters:
    """`of_record` and `of_value` hold a customer number, -1 where the record or value belongs to nobody."""

    count: int
    of_record: Ints
    of_value: Ints


@dataclass(frozen=True, slots=True)
class _Published:
    """The registry as integers: rows that still meet a customer of this build."""

    ids: list[str]
    rank: Ints  # 0 = oldest id
    row_id: Ints
    row_customer: Ints
    row_record: Ints  # source record of the row, -1 where the evidence is an identifier
    row_seen: Ints
    row_hash: pa.StringArray


def assign_ids(
    evidence: Evidence,
    refusal: Ints,
    clusters: Clusters,
    hashes: Hashes,
    registry: pa.Table | None,
    key: str,
    as_of: date,
    former_ids: Iterable[str] = (),
) -> tuple[pa.StringArray, pa.Table]:
    """Customer id per customer number, and the changes against the registry.

    `former_ids`: every id ever published. A customer without a published id that holds the record such an id was made
    from gets it back: whoever undoes a merge finds the person under the old name.
    """
    fresh = _id_seeds(evidence, clusters)
    if registry is None or not registry.num_rows:
        ids = pa.array(customer_ids(key, fresh), pa.string())
        return ids, _changes([("created", name, None, FIRST_BUILD) for name in ids.to_pylist()], as_of)

    known = _published(registry, clusters, hashes, evidence.older[1])
    home = _homes(known, len(known.ids))
    owner, absorbed = _owners(known, home, clusters.count)
    ids = _ids(known, owner, _regained(evidence, clusters, owner, set(former_ids) - set(known.ids), fresh, key), key)
    causes = _Causes(evidence, refusal, clusters, known)
    rows: list[Change] = [
        ("merged", ids[home[old]], known.ids[old], causes.of_merge(old, int(home[old]))) for old in absorbed
    ]
    rows += _splits(known, home, owner, ids, causes)
    split = {name for change, name, *_ in rows if change == "split"}
    rows += [
        ("created", ids[number], None, NEW_EVIDENCE)
        for number in np.flatnonzero(owner < 0).tolist()
        if ids[number] not in split
    ]
    return pa.array(ids, pa.string()), _changes(rows, as_of)


def _id_seeds(evidence: Evidence, clusters: Clusters) -> list[str]:
    """`source` SEPARATOR `record_key` of each customer's oldest record; ties by source, then key."""
    records = evidence.records
    mapped = np.flatnonzero(clusters.of_record >= 0)
    customer, seen = clusters.of_record[mapped], records.seen[mapped]
    first = np.full(clusters.count, NEVER_FIRST, dtype=np.int64)
    np.minimum.at(first, customer, seen)
    oldest = mapped[seen == first[customer]]
    seeds = pc.binary_join_element_wise(
        records.source.take(pa.array(oldest)), records.record_key.take(pa.array(oldest)), SEPARATOR
    ).to_pylist()
    chosen: list[str | None] = [None] * clusters.count
    for number, seed in zip(clusters.of_record[oldest].tolist(), seeds, strict=True):
        held = chosen[number]
        if held is None or seed < held:
            chosen[number] = seed
    return [seed for seed in chosen if seed is not None]


def _published(registry: pa.Table, clusters: Clusters, hashes: Hashes, changed_hands: Ints) -> _Published:
    encoded = pc.dictionary_encode(registry["customer_id"].combine_chunks())
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    ids: list[str] = encoded.dictionary.to_pylist()
    row_id = np.asarray(encoded.indices.to_numpy(), dtype=np.int64)
    moments = registry["first_seen_at"].cast(pa.timestamp("us")).cast(pa.int64())
    seen = np.asarray(pc.fill_null(moments, NEVER_FIRST).to_numpy(), dtype=np.int64)
    first = np.full(len(ids), NEVER_FIRST, dtype=np.int64)
    np.minimum.at(first, row_id, seen)
    rank = np.empty(len(ids), dtype=np.int64)
    rank[sorted(range(len(ids)), key=lambda number: (first[number], ids[number]))] = np.arange(len(ids))

    everything = pa.concat_arrays([hashes.record, hashes.value])
    found = pc.fill_null(pc.index_in(registry["identifier_hash"].cast(pa.string()), value_set=everything), -1)
    node = np.array(found.to_numpy(), dtype=np.int64)
    # A value that changed hands says nothing about who was published with it.
    node[np.isin(node, len(hashes.record) + changed_hands)] = -1
    customer = np.concatenate([clusters.of_record, clusters.of_value, [-1]])[node]
    live = np.flatnonzero(customer >= 0)
    hash_column = registry["identifier_hash"].cast(pa.string()).take(pa.array(live))
    return _Published(
        ids=ids,
        rank=rank,
        row_id=row_id[live],
        row_customer=customer[live],
        row_record=np.where(node[live] < len(hashes.record), node[live], -1),
        row_seen=seen[live],
        row_hash=hash_column.combine_chunks() if isinstance(hash_column, pa.ChunkedArray) else hash_column,
    )


def _homes(known: _Published, ids: int) -> Ints:
    """The customer that holds each published id's oldest evidence; -1 where nothing of it is left."""
    home = np.full(ids, -1, dtype=np.int64)
    home[known.row_id] = known.row_customer
    torn = np.zeros(ids, np.bool_)
    torn[known.row_id[home[known.row_id] != known.row_customer]] = True
    rows = np.flatnonzero(torn[known.row_id])
    names = known.row_hash.take(pa.array(rows)).to_pylist()
    oldest: dict[int, tuple[int, bool, str]] = {}
    for row, name in zip(rows.tolist(), names, strict=True):
        old = int(known.row_id[row])
        # At the same moment the record itself says more than what it carries.
        age = (int(known.row_seen[row]), known.row_record[row] < 0, name)
        if old not in oldest or age < oldest[old]:
            oldest[old] = age
            home[old] = known.row_customer[row]
    return home


def _owners(known: _Published, home: Ints, customers: int) -> tuple[Ints, list[int]]:
    """The published id that each customer keeps (-1: none), and the ids that were absorbed, oldest first."""
    owner = np.full(customers, -1, dtype=np.int64)
    absorbed = []
    for old in np.argsort(known.rank).tolist():
        if home[old] < 0:
            continue
        if owner[home[old]] < 0:
            owner[home[old]] = old
        else:
            absorbed.append(old)
    return owner, absorbed


def _regained(
    evidence: Evidence, clusters: Clusters, owner: Ints, former: set[str], fresh: list[str], key: str
) -> list[str]:
    """`fresh`, but with the record that once gave a published id where a customer without one holds such a record."""
    records = evidence.records
    nameless = np.append(owner < 0, False)[clusters.of_record] if former else np.zeros(0, np.bool_)
    rows = np.flatnonzero(nameless)
    seeds = pc.binary_join_element_wise(
        records.source.take(pa.array(rows)), records.record_key.take(pa.array(rows)), SEPARATOR
    ).to_pylist()
    found: dict[int, tuple[int, str]] = {}
    for row, seed, name in zip(rows.tolist(), seeds, customer_ids(key, seeds), strict=True):
        if name in former:
            number, age = int(clusters.of_record[row]), (int(records.seen[row]), seed)
            found[number] = min(found.get(number, age), age)
    return [found[number][1] if number in found else seed for number, seed in enumerate(fresh)] if found else fresh


def _ids(known: _Published, owner: Ints, fresh: list[str], key: str) -> list[str]:
    taken = set(known.ids)
    new = np.flatnonzero(owner < 0).tolist()
    named = dict(zip(new, customer_ids(key, [fresh[number] for number in new]), strict=True))
    for number, name in named.items():
        attempt = 0
        # The record that once gave a published id can end up in another customer: that id is not given twice.
        while name in taken:
            attempt += 1
            (name,) = customer_ids(key, [f"{fresh[number]}{SEPARATOR}{attempt}"])
        named[number] = name
    return [named[number] if old < 0 else known.ids[old] for number, old in enumerate(owner.tolist())]


def _splits(known: _Published, home: Ints, owner: Ints, ids: list[str], causes: _Causes) -> list[Change]:
    """A customer that holds evidence of an id which stayed elsewhere: split off it, or took records over from it."""
    away = np.flatnonzero(home[known.row_id] != known.row_customer)
    # A customer with an id of its own lost or won a person only if a record moved; identifiers alone do so often.
    told = away[(owner[known.row_customer[away]] < 0) | (known.row_record[away] >= 0)]
    pairs = sorted({(int(known.row_customer[row]), int(known.row_id[row])) for row in told})
    return [
        ("split", ids[number], known.ids[old], causes.of_split(number) if owner[number] < 0 else EVIDENCE_MOVED)
        for number, old in pairs
    ]


class _Causes:
    """Why customers changed, in terms of identifier types; looked up only for those that did."""

    def __init__(self, evidence: Evidence, refusal: Ints, clusters: Clusters, known: _Published) -> None:
        self._evidence = evidence
        self._refusal = refusal
        edges = evidence.edges
        rows = np.flatnonzero(known.row_record >= 0)
        self._before = np.full(len(evidence.records), -1, dtype=np.int64)
        self._before[known.row_record[rows]] = known.row_id[rows]
        forbidden = np.flatnonzero(refusal == Refusal.STEWARD_FORBID)
        # Either side of the evidence that a steward's `forbid` took away.
        sides = [clusters.of_record[edges.record[forbidden]], clusters.of_value[edges.value[forbidden]]]
        self._parted = np.zeros(clusters.count + 1, np.bool_)
        self._parted[np.concatenate(sides)] = True
        customer = clusters.of_record[edges.record]
        self._order = np.argsort(customer, kind="stable")
        self._customer = customer[self._order]

    def of_merge(self, absorbed: int, customer: int) -> str:
        """The strongest type whose value lies between records of the absorbed id and others."""
        edges, kinds = self._evidence.edges, self._evidence.values.type_code
        met: dict[int, set[bool]] = defaultdict(set)
        for position in self._edges_of(customer):
            if self._refusal[position] == Refusal.NONE:
                met[int(edges.value[position])].add(bool(self._before[edges.record[position]] == absorbed))
        linking = [int(kinds[value]) for value, sides in met.items() if len(sides) == 2]
        return self._evidence.types[min(linking)].identifier_type if linking else EVIDENCE_MOVED

    def of_split(self, customer: int) -> str:
        """The most frequent refusal on the records that left, with its type, e.g. `over_limit:email`."""
        edges, kinds = self._evidence.edges, self._evidence.values.type_code
        seen: dict[tuple[int, int], int] = defaultdict(int)
        for position in self._edges_of(customer):
            if self._refusal[position] != Refusal.NONE:
                seen[int(self._refusal[position]), int(kinds[edges.value[position]])] += 1
        if self._parted[customer]:
            return BY_STEWARD
        if not seen:
            return EVIDENCE_GONE
        refused, kind = min(seen, key=lambda pair: (-seen[pair], pair))
        return f"{Refusal(refused).name.lower()}:{self._evidence.types[kind].identifier_type}"

    def _edges_of(self, customer: int) -> Bools | Ints:
        begin, end = np.searchsorted(self._customer, [customer, customer + 1])
        return self._order[begin:end]


def _changes(rows: list[Change], as_of: date) -> pa.Table:
    ordered = sorted(rows, key=lambda row: (row[0], row[1], row[2] or ""))
    columns = [list(column) for column in zip(*ordered, strict=True)] or [[], [], [], []]
    return pa.table([*columns, [as_of] * len(ordered)], schema=CHANGES)
