"""Numbers of a partition turned back into the tables of schema `identity`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analytics.identity.bridges import bridges
from analytics.identity.evidence import NEVER_FIRST, NEVER_LAST, Ints
from analytics.identity.lifetimes import expired, reunited
from analytics.identity.partition import Partition
from analytics.identity.pseudonym import RECORD
from analytics.identity.registry import CHANGES, Hashes
from analytics.identity.rules import PROBABLE, STEWARD
from analytics.identity.sharing import Refusal

OWN_ID, MERGE_TRAIL, EXACT, DEVICE_LOGIN = "own_id", "merge_trail", "exact", "device_login"

_TIME = pa.timestamp("us")
# Words and names that stand in many rows: a number per row, since tables hold a row per link.
_WORD = pa.dictionary(pa.int32(), pa.string())
CUSTOMER_MAP = pa.schema(
    [("source", pa.string()), ("record_key", pa.string()), ("customer_id", _WORD), ("is_known", pa.bool_())]
)
UNMAPPED = pa.schema([("source", pa.string()), ("record_key", pa.string()), ("reason", pa.string())])
CUSTOMER_IDENTIFIERS = pa.schema(
    [
        ("customer_id", _WORD),
        ("source", _WORD),
        ("identifier_type", _WORD),
        ("identifier_hash", _WORD),
        ("normalized_value", _WORD),
        ("first_seen_at", _TIME),
        ("last_seen_at", _TIME),
    ]
)
IDENTITY_LINKS = pa.schema(
    [
        ("customer_id", _WORD),
        ("source", _WORD),
        ("record_key_hash", _WORD),
        ("identifier_type", _WORD),
        ("identifier_hash", _WORD),
        ("rule", _WORD),
        ("confidence", pa.float64()),
        ("evidence", pa.string()),
    ]
)
IDENTITY_DROPS = pa.schema(
    [
        ("identifier_type", pa.string()),
        ("identifier_hash", pa.string()),
        ("reason", pa.string()),
        ("records", pa.int64()),
        ("detail", pa.string()),
    ]
)
IDENTITY_CHANGES = CHANGES
IDENTITY_BRIDGES = pa.schema(
    [
        ("customer_id", pa.string()),
        ("identifier_type", pa.string()),
        ("identifier_hash", pa.string()),
        ("larger", pa.int64()),
        ("smaller", pa.int64()),
    ]
)
# With fewer records on a side it is what any second address or number of a person looks like.
BRIDGE_PART = 5
CUSTOMER_MAP_BY_RULESET = pa.schema(
    [("ruleset", pa.string()), *(f.with_type(pa.string()) if f.name == "customer_id" else f for f in CUSTOMER_MAP)]
)


@dataclass(frozen=True, slots=True)
class IdentifierRows:
    """Per value and source that shows it: numbers of both, and when it was seen first and last."""

    value: Ints
    source: Ints
    first: Ints
    last: Ints


def identifier_rows(found: Partition) -> IdentifierRows:
    """The rows of `customer_identifiers` that are identifiers, before anybody has a name."""
    records, values, edges = found.evidence.records, found.evidence.values, found.evidence.edges
    # Links are evidence and no identifiers: nobody can be found by them.
    sound = np.flatnonzero((found.refusal == Refusal.NONE) & (edges.value < found.links.first))
    value, source = edges.value[sound], records.source_code[edges.record[sound]]
    first, last = edges.first[sound], edges.last[sound]
    if len(found.evidence.older[0]):
        # Values of one text may be one again: only among those the order of the edges does not hold any more.
        aged = np.zeros(len(values), np.bool_)
        aged[np.concatenate(found.evidence.older)] = True
        rows = np.flatnonzero(aged[value])
        again = reunited(found.evidence, found.clusters.of_value)[value[rows]]
        order = np.lexsort((source[rows], again))
        turn = np.concatenate([np.flatnonzero(~aged[value]), rows[order]])
        value, source, first, last = value[turn], source[turn], first[turn], last[turn]
        value[len(value) - len(rows) :] = again[order]
    begin = np.flatnonzero(np.append(True, (value[1:] != value[:-1]) | (source[1:] != source[:-1]))[: len(value)])
    if len(begin) < len(value):
        value, source = value[begin], source[begin]
        first, last = np.minimum.reduceat(first, begin), np.maximum.reduceat(last, begin)
    return IdentifierRows(value, source, first, last)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one resolution. `names`: source records in clear; `ids`: customer id per customer number."""

    found: Partition
    hashes: Hashes
    names: pa.StringArray
    ids: pa.StringArray

    def customer_map(self) -> pa.Table:
        records = self.found.evidence.records
        mapped = np.flatnonzero(self.found.clusters.of_record >= 0)
        customer = self.found.clusters.of_record[mapped]
        rows = pa.array(mapped)
        return pa.table(
            [
                records.source.take(rows),
                records.record_key.take(rows),
                _words(customer, self.ids),
                pa.array(self.found.known()[customer]),
            ],
            schema=CUSTOMER_MAP,
        )

    def unmapped(self, reason: Ints) -> pa.Table:
        records = self.found.evidence.records
        rows = np.flatnonzero(self.found.clusters.of_record < 0)
        words = [Refusal(code).name.lower() for code in reason[rows].tolist()]
        columns = [records.source.take(pa.array(rows)), records.record_key.take(pa.array(rows)), words]
        return pa.table(columns, schema=UNMAPPED)

    def customer_identifiers(self, rows: IdentifierRows) -> pa.Table:
        records, values = self.found.evidence.records, self.found.evidence.values
        value, source = rows.value, rows.source
        of_value, of_record = self.found.clusters.of_value, self.found.clusters.of_record
        kinds = [rule.identifier_type for rule in self.found.evidence.types]
        mapped = np.flatnonzero(of_record >= 0)
        seen = _moments(records.seen[mapped])
        # Two tables under one name: texts and pseudonyms stay where they are.
        return pa.concat_tables(
            pa.table(columns, schema=CUSTOMER_IDENTIFIERS)
            for columns in (
                [
                    _words(of_value[value], self.ids),
                    _words(source, records.sources),
                    _words(values.type_code[value], kinds),
                    _words(value, self.hashes.of_value),
                    _words(value, values.text),
                    _moments(rows.first),
                    _moments(rows.last),
                ],
                [
                    _words(of_record[mapped], self.ids),
                    _words(records.source_code[mapped], records.sources),
                    _words(np.zeros(len(mapped), np.int32), [RECORD]),
                    _words(mapped, self.hashes.of_record),
                    _words(mapped, self.names),
                    seen,
                    seen,
                ],
            )
        )

    def identity_links(self, login_confidence: float) -> pa.Table:
        records, values, edges = self.found.evidence.records, self.found.evidence.values, self.found.evidence.edges
        sound = np.flatnonzero(self.found.refusal == Refusal.NONE)
        record, value = edges.record[sound], edges.value[sound]
        kind = values.type_code[value]
        names = (EXACT, OWN_ID, MERGE_TRAIL, DEVICE_LOGIN, STEWARD, PROBABLE)
        login = edges.login[sound]
        own = self.found.own[sound]
        rule = np.zeros(len(value), np.int32)
        rule[self.found.trail[sound]] = 2
        rule[own] = 1
        rule[login] = 3
        confidence = np.array([rule.confidence for rule in self.found.evidence.types], dtype=np.float64)[kind]
        confidence[(rule == 1) | (rule == 2)] = 1.0
        confidence[login] = login_confidence
        linked = np.flatnonzero(value >= self.found.links.first)
        explained = pa.nulls(len(value), pa.string())
        if len(linked):
            row = value[linked] - self.found.links.first
            rule[linked] = np.where(kind[linked] == self.found.evidence.type_index(STEWARD), 4, 5)
            confidence[linked] = self.found.links.strength[row]
            place = np.full(len(value), -1, np.int64)
            place[linked] = row
            explained = self.found.links.evidence.take(pa.array(place, mask=place < 0))
        columns = [
            # The customer of a sound link is that of its value, and values lie in order.
            _words(self.found.clusters.of_value[value], self.ids),
            _words(records.source_code[record], records.sources),
            _words(record, self.hashes.of_record),
            _words(kind, [rule.identifier_type for rule in self.found.evidence.types]),
            _words(value, self.hashes.of_value),
            _words(rule, names),
            pa.array(confidence),
            explained,
        ]
        return pa.table(columns, schema=IDENTITY_LINKS)

    def identity_bridges(self) -> pa.Table:
        edges, of_record = self.found.evidence.edges, self.found.clusters.of_record
        sizes = np.append(np.bincount(of_record[of_record >= 0], minlength=self.found.clusters.count), 0)
        rows = np.flatnonzero(
            (self.found.refusal == Refusal.NONE) & (sizes >= 2 * BRIDGE_PART)[of_record[edges.record]]
        )
        found = bridges(edges.record[rows], edges.value[rows], BRIDGE_PART)
        value = np.array([one.value for one in found], np.int64)
        kinds = pa.array([rule.identifier_type for rule in self.found.evidence.types], pa.string())
        columns = [
            self.ids.take(pa.array(self.found.clusters.of_value[value])),
            kinds.take(pa.array(self.found.evidence.values.type_code[value])),
            self.hashes.of_value.take(pa.array(value)),
            pa.array([one.larger for one in found], pa.int64()),
            pa.array([one.smaller for one in found], pa.int64()),
        ]
        return pa.table(columns, schema=IDENTITY_BRIDGES)

    def identity_drops(self) -> pa.Table:
        edges, values = self.found.evidence.edges, self.found.evidence.values
        # A login on a shared device is told once, by the device.
        refusal = self.found.refusal
        told = np.flatnonzero((refusal != Refusal.NONE) & ~(edges.login & (refusal == Refusal.SHARED_DEVICE)))
        width = len(Refusal)
        groups, count = np.unique(edges.value[told] * width + refusal[told], return_counts=True)
        value, refused = groups // width, groups % width
        outlived = expired(self.found.evidence, self.found.clusters.of_value)
        why = {**self.found.judged.why, **{(row, int(Refusal.EXPIRED)): words for row, _, words in outlived}}
        value = np.concatenate([value, np.array([row for row, _, _ in outlived], np.int64)])
        refused = np.concatenate([refused, np.full(len(outlived), Refusal.EXPIRED, np.int64)])
        count = np.concatenate([count, np.array([records for _, records, _ in outlived], np.int64)])
        reasons = pa.array([reason.name.lower() for reason in Refusal], pa.string())
        kinds = pa.array([rule.identifier_type for rule in self.found.evidence.types], pa.string())
        pairs = zip(value.tolist(), refused.tolist(), strict=True)
        columns = [
            kinds.take(pa.array(values.type_code[value])),
            self.hashes.of_value.take(pa.array(value)),
            reasons.take(pa.array(refused)),
            pa.array(count, pa.int64()),
            pa.array([why.get(pair) for pair in pairs], pa.string()),
        ]
        return pa.table(columns, schema=IDENTITY_DROPS)


def _words(codes: npt.NDArray[np.signedinteger], words: Sequence[str] | pa.StringArray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32, copy=False), pa.array(words, pa.string()))


def _moments(microseconds: Ints) -> pa.Array:
    unknown = (microseconds == NEVER_FIRST) | (microseconds == NEVER_LAST)
    return pa.array(microseconds, mask=unknown).cast(_TIME)
