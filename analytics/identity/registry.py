"""Customer ids that outlive a rebuild: a published id stays with the oldest evidence it was published for.

Nothing here depends on build order alone: "older" is the earliest source time, then the id. A customer that no
published evidence belongs to gets an id from its oldest record, so the same files give the same ids again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.evidence import NEVER_FIRST, Evidence, Ints, join_keys, text_of
from analytics.identity.hashing import customer_id_array
from analytics.identity.matching import Places, numbered, text_bytes
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
    """Pseudonyms in the order of the evidence: of the records (as identifier `record`), and of the values."""

    of_record: pa.StringArray
    of_value: pa.StringArray


@dataclass(frozen=True, slots=True)
class Clusters:
    """`of_record` and `of_value` hold a customer number, -1 where the record or value belongs to nobody."""

    count: int
    of_record: Ints
    of_value: Ints


@dataclass(frozen=True, slots=True)
class _Published:
    """The registry as integers: rows that still meet a customer of this build."""

    ids: pa.StringArray
    first: Ints  # oldest evidence of each id
    row_id: Ints
    row_customer: Ints
    row_record: Ints  # source record of the row, -1 where the evidence is an identifier
    row_seen: Ints
    row_hash: pa.StringArray  # pseudonyms of all rows of the registry, of which `row` says where these stand
    row: Ints
    dead_id: Ints  # rows whose source record is still sent and stands for nobody
    dead_record: Ints


def assign_ids(
    evidence: Evidence,
    refusal: Ints,
    clusters: Clusters,
    hashes: Hashes,
    registry: pa.Table | None,
    key: str,
    as_of: date,
    former_ids: Iterable[str] = (),
    reason: Ints | None = None,
) -> tuple[pa.StringArray, pa.Table]:
    """Customer id per customer number, and the changes against the registry.

    `reason`: a Refusal per record that stands for nobody; tells why an id retired whose records are still sent.

    `former_ids`: every id ever published. A customer without a published id that holds the record such an id was made
    from gets it back: whoever undoes a merge finds the person under the old name.
    """
    fresh = _id_seeds(evidence, clusters)
    if registry is None or not registry.num_rows:
        ids = customer_id_array(key, fresh)
        return ids, _changes([], ids, FIRST_BUILD, as_of)

    known = _published(registry, clusters, hashes, evidence.older[1])
    home = _homes(known, len(known.ids))
    owner, absorbed = _owners(known, home, clusters.count)
    fresh = _regained(evidence, clusters, owner, known, set(former_ids), fresh, key)
    ids = _ids(known, owner, fresh, key)
    causes = _Causes(evidence, refusal, clusters, known)
    rows: list[Change] = [
        (
            "merged",
            ids[int(home[old])].as_py(),
            known.ids[old].as_py(),
            causes.of_merge(old, int(home[old])),
        )
        for old in absorbed
    ]
    rows += _splits(known, home, owner, ids, causes)
    rows += _retired(known, home, reason)
    created = ids.filter(pa.array(owner < 0))
    split = pa.array(sorted({name for change, name, *_ in rows if change == "split"}), pa.string())
    return ids, _changes(rows, created.filter(pc.invert(pc.is_in(created, value_set=split))), NEW_EVIDENCE, as_of)


def _id_seeds(evidence: Evidence, clusters: Clusters) -> pa.StringArray:
    """`source` SEPARATOR `record_key` of each customer's oldest record; ties by source, then key."""
    records = evidence.records
    mapped = np.flatnonzero(clusters.of_record >= 0)
    customer = clusters.of_record[mapped]
    first = np.full(clusters.count, NEVER_FIRST, dtype=np.int64)
    np.minimum.at(first, customer, records.seen[mapped])
    oldest = mapped[records.seen[mapped] == first[customer]]
    customer = clusters.of_record[oldest]
    chosen = np.empty(clusters.count, np.int64)
    chosen[customer] = oldest
    # Few customers have two oldest records; only for those the names are compared.
    tied = np.flatnonzero((np.bincount(customer, minlength=clusters.count) > 1)[customer])
    names = join_keys(records.source.take(pa.array(oldest[tied])), records.record_key.take(pa.array(oldest[tied])))
    best: dict[int, tuple[str, int]] = {}
    for number, name, row in zip(customer[tied].tolist(), names.to_pylist(), oldest[tied].tolist(), strict=True):
        best[number] = min(best.get(number, (name, row)), (name, row))
    chosen[list(best)] = [row for _, row in best.values()]
    return join_keys(records.source.take(pa.array(chosen)), records.record_key.take(pa.array(chosen)))


def _published(registry: pa.Table, clusters: Clusters, hashes: Hashes, changed_hands: Ints) -> _Published:
    row_id, ids = numbered(text_of(registry, "customer_id"))
    moments = registry["first_seen_at"].cast(pa.timestamp("us")).cast(pa.int64())
    seen = np.asarray(pc.fill_null(moments, NEVER_FIRST).to_numpy(), dtype=np.int64)
    first = np.full(len(ids), NEVER_FIRST, dtype=np.int64)
    np.minimum.at(first, row_id, seen)

    published = text_of(registry, "identifier_hash")
    node = Places(pa.concat_arrays([hashes.of_record, hashes.of_value])).of(published)
    # A value that changed hands says nothing about who was published with it.
    node[np.isin(node, len(hashes.of_record) + changed_hands)] = -1
    customer = np.concatenate([clusters.of_record, clusters.of_value, [-1]])[node]
    live = np.flatnonzero(customer >= 0)
    dead = np.flatnonzero((customer < 0) & (node >= 0) & (node < len(hashes.of_record)))
    return _Published(
        ids=ids,
        first=first,
        row_id=row_id[live],
        row_customer=customer[live],
        row_record=np.where(node[live] < len(hashes.of_record), node[live], -1),
        row_seen=seen[live],
        row_hash=published,
        row=live,
        dead_id=row_id[dead],
        dead_record=node[dead],
    )


def _homes(known: _Published, ids: int) -> Ints:
    """The customer that holds each published id's oldest evidence; -1 where nothing of it is left."""
    home = np.full(ids, -1, dtype=np.int64)
    home[known.row_id] = known.row_customer
    torn = np.zeros(ids, np.bool_)
    torn[known.row_id[home[known.row_id] != known.row_customer]] = True
    rows = np.flatnonzero(torn[known.row_id])
    names = known.row_hash.take(pa.array(known.row[rows])).to_pylist()
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
    living = np.flatnonzero(home >= 0)
    contested = living[(np.bincount(home[living], minlength=customers) > 1)[home[living]]]
    owner[home[living]] = living
    names = known.ids.take(pa.array(contested)).to_pylist()
    ranked = [old for *_, old in sorted(zip(known.first[contested].tolist(), names, contested.tolist(), strict=True))]
    owner[home[contested]] = -1
    absorbed = []
    for old in ranked:
        if owner[home[old]] < 0:
            owner[home[old]] = old
        else:
            absorbed.append(old)
    return owner, absorbed


def _regained(
    evidence: Evidence,
    clusters: Clusters,
    owner: Ints,
    known: _Published,
    former: set[str],
    fresh: pa.StringArray,
    key: str,
) -> pa.StringArray:
    """`fresh`, but with the record that once gave a published id where a customer without one holds such a record."""
    if not former:
        return fresh
    records = evidence.records
    rows = np.flatnonzero(np.append(owner < 0, False)[clusters.of_record])
    seeds = join_keys(records.source.take(pa.array(rows)), records.record_key.take(pa.array(rows)))
    names = customer_id_array(key, seeds)
    gone = pa.array(sorted(former), pa.string())
    gone = gone.filter(pc.invert(pc.is_in(gone, value_set=known.ids)))
    found: dict[int, tuple[int, str]] = {}
    for place in np.flatnonzero(pc.is_in(names, value_set=gone).to_numpy(zero_copy_only=False)).tolist():
        number, age = int(clusters.of_record[rows[place]]), (int(records.seen[rows[place]]), seeds[place].as_py())
        found[number] = min(found.get(number, age), age)
    if not found:
        return fresh
    mask = np.zeros(len(fresh), np.bool_)
    mask[list(found)] = True
    return pc.replace_with_mask(fresh, pa.array(mask), pa.array([found[n][1] for n in sorted(found)], pa.string()))


def _ids(known: _Published, owner: Ints, fresh: pa.StringArray, key: str) -> pa.StringArray:
    new = pa.array(owner < 0)
    seeds = fresh.filter(new)
    names = customer_id_array(key, seeds)
    # The record that once gave a published id can end up in another customer: that id is not given twice.
    taken = pc.is_in(names, value_set=known.ids).to_numpy(zero_copy_only=False)
    if taken.any():
        others = [_free(known.ids, seeds[row].as_py(), key) for row in np.flatnonzero(taken).tolist()]
        names = pc.replace_with_mask(names, pa.array(taken), pa.array(others, pa.string()))
    kept = known.ids.take(pa.array(owner, mask=owner < 0))
    return pc.replace_with_mask(kept, new, names)


def _free(taken: pa.StringArray, seed: str, key: str) -> str:
    for attempt in count(1):
        (name,) = customer_ids(key, [f"{seed}{SEPARATOR}{attempt}"])
        if pc.index(taken, name).as_py() < 0:
            return name
    raise AssertionError("counting ends nowhere")


def _splits(known: _Published, home: Ints, owner: Ints, ids: pa.StringArray, causes: _Causes) -> list[Change]:
    """A customer that holds evidence of an id which stayed elsewhere: split off it, or took records over from it."""
    away = np.flatnonzero(home[known.row_id] != known.row_customer)
    # A customer with an id of its own lost or won a person only if a record moved; identifiers alone do so often.
    told = away[(owner[known.row_customer[away]] < 0) | (known.row_record[away] >= 0)]
    pairs = sorted({(int(known.row_customer[row]), int(known.row_id[row])) for row in told})
    return [
        (
            "split",
            ids[number].as_py(),
            known.ids[old].as_py(),
            causes.of_split(number) if owner[number] < 0 else EVIDENCE_MOVED,
        )
        for number, old in pairs
    ]


def _retired(known: _Published, home: Ints, reason: Ints | None) -> list[Change]:
    """Published ids of which nothing stands for anybody any more: their device proved shared, their source is gone."""
    gone = np.flatnonzero(home < 0)
    why: dict[int, Counter[int]] = defaultdict(Counter)
    if reason is not None:
        rows = np.flatnonzero(home[known.dead_id] < 0)
        for old, refused in zip(known.dead_id[rows].tolist(), reason[known.dead_record[rows]].tolist(), strict=True):
            why[old][refused] += 1
    return [
        ("retired", known.ids[old].as_py(), None, _most_frequent(why[old]) if old in why else EVIDENCE_GONE)
        for old in gone.tolist()
    ]


def _most_frequent(seen: Counter[int]) -> str:
    return Refusal(min(seen, key=lambda refused: (-seen[refused], refused))).name.lower()


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
        self._of_record = clusters.of_record
        self._sorted: tuple[Ints, Ints] | None = None

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

    def _edges_of(self, customer: int) -> Ints:
        if self._sorted is None:
            of_edge = self._of_record[self._evidence.edges.record]
            order = np.argsort(of_edge, kind="stable")
            self._sorted = order, of_edge[order]
        order, of_edge = self._sorted
        begin, end = np.searchsorted(of_edge, [customer, customer + 1])
        return order[begin:end]


def _changes(rows: list[Change], created: pa.StringArray, cause: str, as_of: date) -> pa.Table:
    """All changes, ordered by kind and customer; `created` are the customers that are new because of `cause`."""
    told = sorted(rows, key=lambda row: (row[0], row[1], row[2] or ""))
    columns = [list(column) for column in zip(*told, strict=True)] or [[], [], [], []]
    new = created.take(pa.array(_id_order(created)))
    of_new = [_all("created", len(new)), new, pa.nulls(len(new), pa.string()), _all(cause, len(new))]
    both = [pa.concat_arrays([one, pa.array(other, pa.string())]) for one, other in zip(of_new, columns, strict=True)]
    days = pa.DictionaryArray.from_arrays(np.zeros(len(both[0]), np.int32), pa.array([as_of])).cast(pa.date32())
    return pa.table([*both, days], schema=CHANGES)


def _all(word: str, rows: int) -> pa.StringArray:
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [word]).cast(pa.string())


def _id_order(ids: pa.StringArray) -> Ints:
    """Rows of customer ids in the order of the ids: by four bytes of each, and only those that tie by the whole."""
    offsets, data = text_bytes(ids)
    # The eight hexadecimal characters after `c_`, whose order as one number is their order as text.
    digits = np.ndarray((max(len(data) - 7, 0),), ">u8", data, 0, (1,))[offsets[:-1] + len("c_")].astype(np.uint64)
    order = np.argsort(digits)
    tied = digits[order][1:] == digits[order][:-1]
    rows = np.flatnonzero(np.append(tied, False) | np.append(False, tied)) if len(order) else order
    order[rows] = order[rows][_ints(pc.array_sort_indices(ids.take(pa.array(order[rows]))))]
    return order


def _ints(array: pa.Array) -> Ints:
    return np.asarray(array.to_numpy(), np.int64)
