"""What a steward has decided: these are one person, these are not. Replayed over the evidence of every build.

`forbid` wins over `force`, older forces over newer ones, and both over all evidence. A decision that cannot be
followed does not stop the build: it is a row for the steward, with its line, what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.evidence import Evidence, Ints
from analytics.identity.normalize import normalize
from analytics.identity.pseudonym import RECORD, SEPARATOR, customer_ids, pseudonyms
from analytics.identity.sharing import Refusal

Nodes = tuple[int, ...]

DECISION_CONFLICTS = pa.schema(
    [("line", pa.int64()), ("decision", pa.string()), ("problem", pa.string()), ("what_to_do", pa.string())]
)
NO_MATCH, BLOCKED, SAME_RECORD, CONTRADICTION = "no_match", "blocked", "same_record", "contradiction"

# A record gives its name to a second id only when the first is taken (registry); a third is not known to happen.
_SALTS = 3


@dataclass(frozen=True, slots=True)
class End:
    """One end of a decision.

    record: `name` is the source, `value` the record's key; identifier: `name` is the type, `value` as anybody may
    write it; customer: `value` is a published customer_id and stands for the record that the id was made from, so
    that the decision means the same when ids have been merged since.
    """

    kind: Literal["record", "identifier", "customer"]
    name: str
    value: str

    def __str__(self) -> str:
        return {"record": f"a record of {self.name}", "identifier": f"{self.name}", "customer": "a customer_id"}[
            self.kind
        ]


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of the file. `line` says where it stands; `reason` is published and holds no personal data."""

    kind: Literal["force", "forbid"]
    ends: tuple[End, ...]
    reason: str
    by: str
    on: date
    line: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """A decision, or one end of it, that is not followed. Holds no personal data."""

    line: int
    decision: str
    problem: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Forced:
    """Records that are one person because `reason`; `ends` of the decision were found."""

    line: int
    reason: str
    records: Nodes
    ends: int


@dataclass(frozen=True, slots=True)
class Rulings:
    """Decisions as numbers. A node is a record, or (number of records + value).

    `apart` holds per forbid its line and one node per end.
    """

    apart: tuple[tuple[int, Nodes], ...] = ()
    forced: tuple[Forced, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def table(self) -> pa.Table:
        """The conflicts, in the order of the file."""
        rows = sorted((c.line, c.decision, c.problem, c.what_to_do) for c in self.conflicts)
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
        return pa.table(columns, schema=DECISION_CONFLICTS)


def rule_on(
    decisions: Sequence[Decision],
    evidence: Evidence,
    refusal: Ints,
    registry: pa.Table | None,
    *,
    key: str,
    default_country: str,
) -> Rulings:
    """Find the ends of all decisions in this build's evidence and settle which decisions contradict each other."""
    if not decisions:
        return Rulings()
    finder = _Finder(evidence, refusal, registry, key, default_country)
    finder.look_up([end for decision in decisions for end in decision.ends])
    conflicts: list[Conflict] = []
    found = {decision: _ends(decision, finder, conflicts) for decision in decisions}
    usable = [decision for decision, ends in found.items() if len(ends) > 1]
    apart = tuple((d.line, tuple(ends[0] for ends in found[d])) for d in usable if d.kind == "forbid")
    groups = _Groups(apart)
    forced = []
    for decision in sorted((d for d in usable if d.kind == "force"), key=lambda d: (d.on, d.line)):
        nodes = tuple(sorted({node for ends in found[decision] for node in ends}))
        line = groups.join(nodes)
        if line is not None:
            conflicts.append(_contradiction(decision, line))
            continue
        records = tuple(node for node in nodes if node < len(evidence.records))
        forced.append(Forced(decision.line, decision.reason, records, len(found[decision])))
    return Rulings(apart, tuple(forced), tuple(conflicts))


def _ends(decision: Decision, finder: _Finder, conflicts: list[Conflict]) -> list[Nodes]:
    """The nodes of each end that was found; what was not found goes to `conflicts`."""
    ends: list[Nodes] = []
    for number, end in enumerate(decision.ends, start=1):
        nodes = finder.nodes(end, decision.kind)
        which = f"end {number} ({end})"
        if not nodes and finder.known(end):
            text = f"The value at {which} is blocked, so it joins nobody; name the source records instead."
            conflicts.append(Conflict(decision.line, decision.kind, BLOCKED, text))
        elif not nodes:
            text = (
                f"Nothing in this build matches {which}: misspelt, not loaded yet, or a record that is staff, "
                "deleted or merged away by its vendor. Correct the end, or remove it."
            )
            conflicts.append(Conflict(decision.line, decision.kind, NO_MATCH, text))
        elif nodes in ends:
            text = f"At {which} stands the same record as at another end; name another record or remove the end."
            conflicts.append(Conflict(decision.line, decision.kind, SAME_RECORD, text))
        else:
            ends.append(nodes)
    return ends


def _contradiction(decision: Decision, line: int) -> Conflict:
    text = (
        f"The forbid on line {line} keeps apart what this force joins, by itself or together with older forces. "
        "A forbid wins: this force is not followed. Remove one of them."
    )
    return Conflict(decision.line, decision.kind, CONTRADICTION, text)


class _Finder:
    """Looks all ends up at once."""

    def __init__(
        self, evidence: Evidence, refusal: Ints, registry: pa.Table | None, key: str, default_country: str
    ) -> None:
        self._evidence = evidence
        self._refusal = refusal
        self._registry = registry
        self._key = key
        self._country = default_country
        self._record: dict[End, int] = {}
        self._value: dict[End, int] = {}

    def look_up(self, ends: Sequence[End]) -> None:
        """Note the record or the value of each end that is there."""
        self._records([end for end in ends if end.kind == "record"])
        self._identifiers([end for end in ends if end.kind == "identifier"])
        self._customers([end for end in ends if end.kind == "customer"])

    def known(self, end: End) -> bool:
        """Does this build hold the end at all, usable or not?"""
        return end in self._record or end in self._value

    def nodes(self, end: End, kind: str) -> Nodes:
        """A record; for an identifier its value, and for a force also the records that carry it soundly."""
        if end in self._record:
            return (self._record[end],)
        if end not in self._value:
            return ()
        edges = self._evidence.edges
        value = self._value[end]
        node = len(self._evidence.records) + value
        if kind == "forbid":
            return (node,)
        holders = edges.record[(edges.value == value) & (self._refusal == Refusal.NONE)]
        return (node, *np.unique(holders).tolist()) if len(holders) else ()

    def _records(self, ends: Sequence[End]) -> None:
        records = self._evidence.records
        wanted = {(end.name, end.value): end for end in ends}
        rows = _among(records.record_key, [key for _, key in wanted])
        for row in rows:
            name = (records.source[row].as_py(), records.record_key[row].as_py())
            if name in wanted:
                self._record[wanted[name]] = row

    def _identifiers(self, ends: Sequence[End]) -> None:
        values = self._evidence.values
        for kind in sorted({end.name for end in ends}):
            code = self._evidence.type_index(kind)
            if code < 0:
                continue
            of_kind = [end for end in ends if end.name == kind]
            texts = pa.array([end.value for end in of_kind], pa.string())
            normal = normalize(self._evidence.types[code].form, texts, self._country).values.to_pylist()
            rows = np.flatnonzero(values.type_code == code)
            held = values.text.take(pa.array(rows))
            place = {held[row].as_py(): int(rows[row]) for row in _among(held, [t for t in normal if t is not None])}
            self._value |= {end: place[text] for end, text in zip(of_kind, normal, strict=True) if text in place}

    def _customers(self, ends: Sequence[End]) -> None:
        """The record whose key gives the id; else, where that record is gone, the oldest one published under it."""
        records = self._evidence.records
        open_ends = {end.value: end for end in ends}
        if not open_ends:
            return
        seeds = pc.binary_join_element_wise(records.source, records.record_key, SEPARATOR).to_pylist()
        for salt in range(_SALTS):
            if not open_ends:
                return
            salted = seeds if not salt else [f"{seed}{SEPARATOR}{salt}" for seed in seeds]
            names = pa.array(customer_ids(self._key, salted), pa.string())
            for row in _among(names, list(open_ends)):
                self._record[open_ends.pop(names[row].as_py())] = row
        if self._registry is None or not open_ends:
            return
        texts = pc.binary_join_element_wise(records.source, records.record_key, "|").to_pylist()
        row_of = {name: row for row, name in enumerate(pseudonyms(self._key, RECORD, texts))}
        published = self._registry.filter(pc.is_in(self._registry["customer_id"], pa.array(list(open_ends))))
        published = published.select(["customer_id", "identifier_hash", "first_seen_at"])
        published = published.sort_by([("first_seen_at", "ascending"), ("identifier_hash", "ascending")])
        for row in published.to_pylist():
            if row["customer_id"] in open_ends and row["identifier_hash"] in row_of:
                self._record[open_ends.pop(row["customer_id"])] = row_of[row["identifier_hash"]]


class _Groups:
    """What the forces followed so far make one, and which forbids that touches."""

    def __init__(self, apart: Sequence[tuple[int, Nodes]]) -> None:
        self._apart = apart
        self._members: dict[int, set[int]] = {}

    def join(self, nodes: Nodes) -> int | None:
        """Make the nodes one group; where a forbid keeps two of them apart, nothing is joined and its line returned."""
        group = set(nodes).union(*(self._members.get(node, ()) for node in nodes))
        for line, ends in self._apart:
            if sum(end in group for end in ends) > 1:
                return line
        self._members |= dict.fromkeys(group, group)
        return None


def _among(texts: pa.StringArray, wanted: Sequence[str]) -> list[int]:
    """Row numbers of the texts that are wanted."""
    if not len(texts) or not wanted:
        return []
    hits = pc.is_in(texts, value_set=pa.array(wanted, pa.string()))
    rows: list[int] = np.flatnonzero(hits.to_numpy(zero_copy_only=False)).tolist()
    return rows
