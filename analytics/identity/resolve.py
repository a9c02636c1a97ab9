"""Source records and their identifiers in; one customer per person out, with every link and every refusal written down.

    normalise -> refuse (listed, shared, crowds, switched devices) -> components within limits -> stable ids -> tables

Pure: the same rows in any order give the same partition, ids and refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.bridges import bridges
from analytics.identity.decisions import Decision
from analytics.identity.evidence import NEVER_FIRST, NEVER_LAST, Evidence, Ints, gather, text_of
from analytics.identity.hashing import pseudonym_array
from analytics.identity.lifetimes import by_generation, expired, reunited
from analytics.identity.partition import Partition, partition
from analytics.identity.pseudonym import RECORD
from analytics.identity.registry import CHANGES, Hashes, assign_ids
from analytics.identity.rules import PROBABLE, STEWARD, RuleTable
from analytics.identity.rulesets import Ruleset
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
class Resolution:
    """The tables of schema `identity`. Row order carries no meaning.

    customer_map: one row per source record that is a person; unmapped: all others, with the reason.
    customer_identifiers: per customer, source and identifier; `normalized_value` is personal data, never published.
    identity_links: one row per record and identifier that was used; confidence 0..1; `evidence` is null for exact
        links, else the model's explanation (rule `probable_match`) or the decision's reason (rule `steward`).
    identity_drops: one row per identifier and reason for which it was not used; records = records it would have joined.
    identity_bridges: one row per value without which a customer would fall into two parts of BRIDGE_PART records or
        more: what to look at first when a merge looks wrong.
    decision_conflicts: one row per decision, or end of one, that was not followed, with what to do.
    identity_changes: against the registry given; only the changes of this build.
    customer_map_by_ruleset: the map again under each other set of rules; its customers are numbers of this table only.
    """

    customer_map: pa.Table
    unmapped: pa.Table
    customer_identifiers: pa.Table
    identity_links: pa.Table
    identity_drops: pa.Table
    identity_changes: pa.Table
    decision_conflicts: pa.Table
    customer_map_by_ruleset: pa.Table
    identity_bridges: pa.Table


def resolve(
    source_records: pa.Table,
    identifiers: pa.Table,
    device_logins: pa.Table | None,
    rules: RuleTable,
    registry: pa.Table | None,
    *,
    key: str,
    default_country: str,
    as_of: date,
    decisions: Sequence[Decision] = (),
    probable: pa.Table | None = None,
    former_ids: Iterable[str] = (),
    rulesets: Iterable[Ruleset] = (),
    possible: pa.Table | None = None,
) -> Resolution:
    """Resolve source records into customers.

    source_records: source, record_key (unique together), seen_at; identifiers: source, record_key, identifier_type,
    raw_value, seen_at, optional last_seen_at; device_logins: device_id, user_id, login_at; registry: published
    customer_id, identifier_hash, first_seen_at. Times are naive UTC. `key` is the company's pseudonym key,
    `default_country` (ISO 3166 alpha-2) tells how phone numbers without country code are meant.

    decisions: what a steward forces and forbids. probable: links of a model, source_a, record_key_a, source_b,
    record_key_b, probability, explanation (no personal data). former_ids: every customer_id ever published; a customer
    that holds the record such an id was made from gets it back when nobody else has it. rulesets: under which other
    rules the map is made too; possible: links as in `probable`, likely enough for a review only, for those that want
    them.

    Raises evidence.IdentityInputError on contradicting tables, ValueError on an unknown country.
    """
    registry = _plain(registry)
    # Hashing is Python; the rest is mostly numpy, scipy and Arrow, which let Python go on beside them.
    with ThreadPoolExecutor(1) as beside:
        named = beside.submit(_named, source_records, key)
        gathered = by_generation(gather(source_records, identifiers, device_logins, rules, default_country))
        valued = beside.submit(_of_values, gathered, 0, key)
        found = partition(
            gathered,
            rules,
            registry=registry,
            key=key,
            default_country=default_country,
            decisions=decisions,
            probable=probable,
        )
        names, of_record = named.result()
        of_value = valued.result()
    evidence, refusal, clusters = found.evidence, found.refusal, found.clusters
    if len(evidence.values) > len(of_value):
        of_value = pa.concat_arrays([of_value, _of_values(evidence, len(of_value), key)])
    hashes = Hashes(of_record, of_value)
    ids, changes = assign_ids(evidence, refusal, clusters, hashes, registry, key, as_of, former_ids)
    others = []
    for ruleset in rulesets:
        links = _joined(probable, possible) if ruleset.possible else probable
        other = partition(
            gathered,
            rules,
            registry=registry,
            key=key,
            default_country=default_country,
            decisions=decisions,
            probable=links,
            ruleset=ruleset,
        )
        others.append(_map_under(ruleset.name, other))

    tables = _Tables(found, hashes, names, ids)
    with ThreadPoolExecutor(1) as beside:
        links_table = beside.submit(tables.identity_links, rules.device_login_confidence)
        customer_identifiers = tables.customer_identifiers()
        identity_links = links_table.result()
    return Resolution(
        customer_map=tables.customer_map(),
        unmapped=tables.unmapped(found.reason),
        customer_identifiers=customer_identifiers,
        identity_links=identity_links,
        identity_drops=tables.identity_drops(),
        identity_changes=changes,
        decision_conflicts=found.rulings.table(),
        identity_bridges=tables.identity_bridges(),
        customer_map_by_ruleset=pa.concat_tables([CUSTOMER_MAP_BY_RULESET.empty_table(), *others]),
    )


def _joined(probable: pa.Table | None, possible: pa.Table | None) -> pa.Table | None:
    given = [table for table in (probable, possible) if table is not None]
    return pa.concat_tables(given, promote_options="default") if given else None


def _map_under(ruleset: str, found: Partition) -> pa.Table:
    """The map under other rules; its customers are numbered, since nobody may rely on them."""
    records, of_record = found.evidence.records, found.clusters.of_record
    mapped = np.flatnonzero(of_record >= 0)
    rows, customer = pa.array(mapped), of_record[mapped]
    columns = [
        pa.DictionaryArray.from_arrays(np.zeros(len(mapped), np.int32), [ruleset]).cast(pa.string()),
        records.source.take(rows),
        records.record_key.take(rows),
        pa.array(customer).cast(pa.string()),
        pa.array(found.known()[customer]),
    ]
    return pa.table(columns, schema=CUSTOMER_MAP_BY_RULESET)


def _named(source_records: pa.Table, key: str) -> tuple[pa.StringArray, pa.StringArray]:
    """Names of the records, in clear and as pseudonyms."""
    names = pc.binary_join_element_wise(*(text_of(source_records, name) for name in ("source", "record_key")), "|")
    return names, pseudonym_array(key, RECORD, names)


def _of_values(evidence: Evidence, first: int, key: str) -> pa.StringArray:
    """Pseudonyms of the values from number `first` on. Those of a type mostly lie beside each other."""
    values = evidence.values
    turns = first + np.flatnonzero(np.diff(values.type_code[first:], prepend=-1, append=-1))
    runs = [
        pseudonym_array(
            key, evidence.types[int(values.type_code[begin])].identifier_type, values.text.slice(begin, end - begin)
        )
        for begin, end in zip(turns[:-1].tolist(), turns[1:].tolist(), strict=True)
    ]
    return pa.concat_arrays([pa.array([], pa.string()), *runs])


@dataclass(frozen=True, slots=True)
class _Tables:
    """Turns numbers back into rows."""

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

    def customer_identifiers(self) -> pa.Table:
        records, values, edges = self.found.evidence.records, self.found.evidence.values, self.found.evidence.edges
        # Links are evidence and no identifiers: nobody can be found by them.
        sound = np.flatnonzero((self.found.refusal == Refusal.NONE) & (edges.value < self.found.links.first))
        width = max(len(records.sources), 1)
        value = edges.value[sound]
        if len(self.found.evidence.older[0]):
            value = reunited(self.found.evidence, self.found.clusters.of_value)[value]
        key = value * width + records.source_code[edges.record[sound]]
        order = np.argsort(key)
        begin = np.flatnonzero(np.diff(key[order], prepend=-1))
        first = np.minimum.reduceat(edges.first[sound][order], begin) if len(begin) else np.empty(0, np.int64)
        last = np.maximum.reduceat(edges.last[sound][order], begin) if len(begin) else np.empty(0, np.int64)
        value, source = np.divmod(key[order][begin], width)

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
                    _moments(first),
                    _moments(last),
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
        rule = np.where(login, 3, np.where(self.found.trail[sound] & ~own, 2, np.where(own, 1, 0)))
        trust = np.array([rule.confidence for rule in self.found.evidence.types], dtype=np.float64)
        confidence = np.where(login, login_confidence, np.where(rule == 0, trust[kind], 1.0))
        linked = value >= self.found.links.first
        row = value[linked] - self.found.links.first
        rule[linked] = np.where(kind[linked] == self.found.evidence.type_index(STEWARD), 4, 5)
        confidence[linked] = self.found.links.strength[row]
        words = np.full(len(value), -1, np.int64)
        words[linked] = row
        columns = [
            _words(self.found.clusters.of_record[record], self.ids),
            _words(records.source_code[record], records.sources),
            _words(record, self.hashes.of_record),
            _words(kind, [rule.identifier_type for rule in self.found.evidence.types]),
            _words(value, self.hashes.of_value),
            _words(rule, names),
            pa.array(confidence),
            self.found.links.evidence.take(pa.array(words, mask=~linked)),
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


def _words(codes: Ints, words: Sequence[str] | pa.StringArray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(words, pa.string()))


def _plain(table: pa.Table | None) -> pa.Table | None:
    """The table without dictionaries."""
    if table is None:
        return None
    kinds = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def _moments(microseconds: Ints) -> pa.Array:
    unknown = (microseconds == NEVER_FIRST) | (microseconds == NEVER_LAST)
    return pa.array(microseconds, mask=unknown).cast(_TIME)
