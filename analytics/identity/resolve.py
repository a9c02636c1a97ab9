"""Source records and their identifiers in; one customer per person out, with every link and every refusal written down.

    normalise -> refuse (listed, shared, crowds, switched devices) -> components within limits -> stable ids -> tables

Pure: the same rows in any order give the same partition, ids and refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.cluster import within_limits
from analytics.identity.decisions import Decision, rule_on
from analytics.identity.evidence import DEVICE, NEVER_FIRST, NEVER_LAST, Bools, Evidence, Ints, gather
from analytics.identity.links import Links, add_links
from analytics.identity.normalize import normalize
from analytics.identity.pseudonym import RECORD, pseudonyms
from analytics.identity.registry import CHANGES, Clusters, Hashes, assign_ids
from analytics.identity.rules import PROBABLE, STEWARD, RuleTable
from analytics.identity.sharing import Judged, Refusal, judge

OWN_ID, MERGE_TRAIL, EXACT, DEVICE_LOGIN = "own_id", "merge_trail", "exact", "device_login"

_TIME = pa.timestamp("us")
CUSTOMER_MAP = pa.schema(
    [("source", pa.string()), ("record_key", pa.string()), ("customer_id", pa.string()), ("is_known", pa.bool_())]
)
UNMAPPED = pa.schema([("source", pa.string()), ("record_key", pa.string()), ("reason", pa.string())])
CUSTOMER_IDENTIFIERS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("source", pa.string()),
        ("identifier_type", pa.string()),
        ("identifier_hash", pa.string()),
        ("normalized_value", pa.string()),
        ("first_seen_at", _TIME),
        ("last_seen_at", _TIME),
    ]
)
IDENTITY_LINKS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("source", pa.string()),
        ("record_key_hash", pa.string()),
        ("identifier_type", pa.string()),
        ("identifier_hash", pa.string()),
        ("rule", pa.string()),
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


@dataclass(frozen=True, slots=True)
class Resolution:
    """The tables of schema `identity`. Row order carries no meaning.

    customer_map: one row per source record that is a person; unmapped: all others, with the reason.
    customer_identifiers: per customer, source and identifier; `normalized_value` is personal data, never published.
    identity_links: one row per record and identifier that was used; confidence 0..1; `evidence` is null for exact
        links, else the model's explanation (rule `probable_match`) or the decision's reason (rule `steward`).
    identity_drops: one row per identifier and reason for which it was not used; records = records it would have joined.
    decision_conflicts: one row per decision, or end of one, that was not followed, with what to do.
    identity_changes: against the registry given; only the changes of this build.
    """

    customer_map: pa.Table
    unmapped: pa.Table
    customer_identifiers: pa.Table
    identity_links: pa.Table
    identity_drops: pa.Table
    identity_changes: pa.Table
    decision_conflicts: pa.Table


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
) -> Resolution:
    """Resolve source records into customers.

    source_records: source, record_key (unique together), seen_at; identifiers: source, record_key, identifier_type,
    raw_value, seen_at, optional last_seen_at; device_logins: device_id, user_id, login_at; registry: published
    customer_id, identifier_hash, first_seen_at. Times are naive UTC. `key` is the company's pseudonym key,
    `default_country` (ISO 3166 alpha-2) tells how phone numbers without country code are meant.

    decisions: what a steward forces and forbids. probable: links of a model, source_a, record_key_a, source_b,
    record_key_b, probability, explanation (no personal data). former_ids: every customer_id ever published; a customer
    that holds the record such an id was made from gets it back when nobody else has it.

    Raises evidence.IdentityInputError on contradicting tables, ValueError on an unknown country.
    """
    evidence = gather(source_records, identifiers, device_logins, rules, default_country)
    judged = judge(evidence)
    rulings = rule_on(decisions, evidence, judged.edge, registry, key=key, default_country=default_country)
    own = _own_ids(evidence)
    trail = _trails(evidence, own)
    evidence, refusal, links = add_links(evidence, judged.edge, rulings, probable, rules)
    linked = np.zeros(len(evidence.edges) - len(own), np.bool_)
    own, trail = np.concatenate([own, linked]), np.concatenate([trail, linked])
    retired = np.zeros(len(evidence.values), np.bool_)
    retired[evidence.edges.value[own & trail]] = True
    limited = within_limits(evidence, refusal, retired, rules.sharer_limit, judged.why, rulings, links)

    reason = _unmapped_reasons(evidence, limited.refusal)
    clusters = _clusters(evidence, limited.refusal, limited.label, reason == Refusal.NONE)
    hashes = _hashes(evidence, key)
    ids, changes = assign_ids(evidence, limited.refusal, clusters, hashes, registry, key, as_of, former_ids)

    tables = _Tables(evidence, limited.refusal, clusters, hashes, ids, links)
    return Resolution(
        customer_map=tables.customer_map(),
        unmapped=tables.unmapped(reason),
        customer_identifiers=tables.customer_identifiers(),
        identity_links=tables.identity_links(own, trail & ~own, rules.device_login_confidence),
        identity_drops=tables.identity_drops(judged),
        identity_changes=changes,
        decision_conflicts=rulings.table(),
    )


def _own_ids(evidence: Evidence) -> Bools:
    """Edges that say the record's own key."""
    edges, records, values = evidence.edges, evidence.records, evidence.values
    keys = records.record_key.take(pa.array(edges.record))
    own = np.array(pc.equal(keys, values.text.take(pa.array(edges.value))).to_numpy(zero_copy_only=False), np.bool_)
    for code, rule in enumerate(evidence.types):
        if rule.form == "salesforce_id":
            # A record may be keyed by the short form of its id.
            rows = np.flatnonzero(values.type_code[edges.value] == code)
            long = normalize(rule.form, keys.take(pa.array(rows)), "").values
            same = pc.equal(long, values.text.take(pa.array(edges.value[rows])))
            own[rows] = same.to_numpy(zero_copy_only=False)
    return own


def _trails(evidence: Evidence, own: Bools) -> Bools:
    """Edges of records that carry their own id and another of the same type: the vendor merged one into the other."""
    edges, kinds = evidence.edges, evidence.values.type_code
    follows = np.array([rule.merge_trail for rule in evidence.types], np.bool_)
    found = np.zeros(len(edges), np.bool_)
    rows = np.flatnonzero(follows[kinds[edges.value]]) if len(follows) else np.empty(0, np.int64)
    group = edges.record[rows] * max(len(follows), 1) + kinds[edges.value[rows]]
    groups, of_row, count = np.unique(group, return_inverse=True, return_counts=True)
    knows_itself = np.zeros(len(groups), np.bool_)
    knows_itself[of_row[own[rows]]] = True
    found[rows] = (count > 1)[of_row] & knows_itself[of_row]
    return found


def _unmapped_reasons(evidence: Evidence, refusal: Ints) -> Ints:
    """A Refusal per record: why a device or line with nothing usable left stands for nobody; NONE for all others."""
    edges = evidence.edges
    reason = np.zeros(len(evidence.records), dtype=np.int64)
    for cause in (Refusal.INVALID, Refusal.OVER_LIMIT, Refusal.BLOCKED_VALUE, Refusal.SHARED_DEVICE):
        reason[edges.record[refusal == cause]] = cause
    reason[edges.record[refusal == Refusal.NONE]] = Refusal.NONE
    reason[~evidence.records.endpoint] = Refusal.NONE
    return reason


def _clusters(evidence: Evidence, refusal: Ints, label: Ints, mapped: Bools) -> Clusters:
    edges = evidence.edges
    of_record = np.full(len(evidence.records), -1, dtype=np.int64)
    used, numbers = np.unique(label[mapped], return_inverse=True)
    of_record[mapped] = numbers
    of_value = np.full(len(evidence.values), -1, dtype=np.int64)
    sound = refusal == Refusal.NONE
    of_value[edges.value[sound]] = of_record[edges.record[sound]]
    return Clusters(len(used), of_record, of_value)


def _hashes(evidence: Evidence, key: str) -> Hashes:
    records, values = evidence.records, evidence.values
    names = pc.binary_join_element_wise(records.source, records.record_key, "|").to_pylist()
    texts = values.text.to_pylist()
    of_values: list[str] = [""] * len(values)
    for code, rule in enumerate(evidence.types):
        rows = np.flatnonzero(values.type_code == code).tolist()
        for row, name in zip(rows, pseudonyms(key, rule.identifier_type, [texts[row] for row in rows]), strict=True):
            of_values[row] = name
    return Hashes(pa.array(pseudonyms(key, RECORD, names), pa.string()), pa.array(of_values, pa.string()))


@dataclass(frozen=True, slots=True)
class _Tables:
    """Turns numbers back into rows."""

    evidence: Evidence
    refusal: Ints
    clusters: Clusters
    hashes: Hashes
    ids: pa.StringArray
    links: Links

    def customer_map(self) -> pa.Table:
        records = self.evidence.records
        mapped = np.flatnonzero(self.clusters.of_record >= 0)
        customer = self.clusters.of_record[mapped]
        rows = pa.array(mapped)
        return pa.table(
            [
                records.source.take(rows),
                records.record_key.take(rows),
                self.ids.take(pa.array(customer)),
                pa.array(self._known()[customer]),
            ],
            schema=CUSTOMER_MAP,
        )

    def unmapped(self, reason: Ints) -> pa.Table:
        records = self.evidence.records
        rows = np.flatnonzero(self.clusters.of_record < 0)
        words = [Refusal(code).name.lower() for code in reason[rows].tolist()]
        columns = [records.source.take(pa.array(rows)), records.record_key.take(pa.array(rows)), words]
        return pa.table(columns, schema=UNMAPPED)

    def customer_identifiers(self) -> pa.Table:
        records, values, edges = self.evidence.records, self.evidence.values, self.evidence.edges
        # Links are evidence and no identifiers: nobody can be found by them.
        sound = np.flatnonzero((self.refusal == Refusal.NONE) & (edges.value < self.links.first))
        width = max(len(records.sources), 1)
        key = edges.value[sound] * width + records.source_code[edges.record[sound]]
        order = np.argsort(key, kind="stable")
        begin = np.flatnonzero(np.diff(key[order], prepend=-1))
        first = np.minimum.reduceat(edges.first[sound][order], begin) if len(begin) else np.empty(0, np.int64)
        last = np.maximum.reduceat(edges.last[sound][order], begin) if len(begin) else np.empty(0, np.int64)
        value, source = np.divmod(key[order][begin], width)

        mapped = np.flatnonzero(self.clusters.of_record >= 0)
        own = pc.binary_join_element_wise(
            records.source.take(pa.array(mapped)), records.record_key.take(pa.array(mapped)), "|"
        )
        seen = records.seen[mapped]
        kinds = pa.array([rule.identifier_type for rule in self.evidence.types], pa.string())
        sources = pa.array(records.sources, pa.string())
        customer = np.concatenate([self.clusters.of_value[value], self.clusters.of_record[mapped]])
        columns = [
            self.ids.take(pa.array(customer)),
            sources.take(pa.array(np.concatenate([source, records.source_code[mapped]]))),
            pa.concat_arrays(
                [
                    kinds.take(pa.array(values.type_code[value])),
                    pa.DictionaryArray.from_arrays(np.zeros(len(mapped), np.int32), [RECORD]).cast(pa.string()),
                ]
            ),
            pa.concat_arrays([self.hashes.value.take(pa.array(value)), self.hashes.record.take(pa.array(mapped))]),
            pa.concat_arrays([values.text.take(pa.array(value)), own]),
            _moments(np.concatenate([first, seen])),
            _moments(np.concatenate([last, seen])),
        ]
        return pa.table(columns, schema=CUSTOMER_IDENTIFIERS)

    def identity_links(self, own: Bools, trail: Bools, login_confidence: float) -> pa.Table:
        records, values, edges = self.evidence.records, self.evidence.values, self.evidence.edges
        sound = np.flatnonzero(self.refusal == Refusal.NONE)
        record, value = edges.record[sound], edges.value[sound]
        kind = values.type_code[value]
        names = pa.array([EXACT, OWN_ID, MERGE_TRAIL, DEVICE_LOGIN, STEWARD, PROBABLE], pa.string())
        login = edges.login[sound]
        rule = np.where(login, 3, np.where(trail[sound], 2, np.where(own[sound], 1, 0)))
        trust = np.array([rule.confidence for rule in self.evidence.types], dtype=np.float64)
        confidence = np.where(login, login_confidence, np.where(rule == 0, trust[kind], 1.0))
        linked = value >= self.links.first
        row = value[linked] - self.links.first
        rule[linked] = np.where(kind[linked] == self.evidence.type_index(STEWARD), 4, 5)
        confidence[linked] = self.links.strength[row]
        words = np.full(len(value), -1, np.int64)
        words[linked] = row
        kinds = pa.array([rule.identifier_type for rule in self.evidence.types], pa.string())
        columns = [
            self.ids.take(pa.array(self.clusters.of_record[record])),
            records.source.take(pa.array(record)),
            self.hashes.record.take(pa.array(record)),
            kinds.take(pa.array(kind)),
            self.hashes.value.take(pa.array(value)),
            names.take(pa.array(rule)),
            pa.array(confidence),
            self.links.evidence.take(pa.array(words, mask=~linked)),
        ]
        return pa.table(columns, schema=IDENTITY_LINKS)

    def identity_drops(self, judged: Judged) -> pa.Table:
        edges, values = self.evidence.edges, self.evidence.values
        # A login on a shared device is told once, by the device.
        told = np.flatnonzero((self.refusal != Refusal.NONE) & ~(edges.login & (self.refusal == Refusal.SHARED_DEVICE)))
        width = len(Refusal)
        groups, count = np.unique(edges.value[told] * width + self.refusal[told], return_counts=True)
        value, refused = groups // width, groups % width
        reasons = pa.array([reason.name.lower() for reason in Refusal], pa.string())
        kinds = pa.array([rule.identifier_type for rule in self.evidence.types], pa.string())
        pairs = zip(value.tolist(), refused.tolist(), strict=True)
        columns = [
            kinds.take(pa.array(values.type_code[value])),
            self.hashes.value.take(pa.array(value)),
            reasons.take(pa.array(refused)),
            pa.array(count, pa.int64()),
            pa.array([judged.why.get(pair) for pair in pairs], pa.string()),
        ]
        return pa.table(columns, schema=IDENTITY_DROPS)

    def _known(self) -> Bools:
        """Per customer: is more known than devices? A record counts unless it is a device or carries only devices."""
        edges, records, kinds = self.evidence.edges, self.evidence.records, self.evidence.values.type_code
        # A link says who belongs together and nothing about who that is.
        devices = (kinds[edges.value] == self.evidence.type_index(DEVICE)) | (edges.value >= self.links.first)
        carries = np.bincount(edges.record, minlength=len(records))
        only_device = (np.bincount(edges.record[devices], minlength=len(records)) == carries) & (carries > 0)
        kind_of_source = np.array([name.rpartition(".")[2] == "device" for name in records.sources], np.bool_)
        is_device = kind_of_source[records.source_code] if len(kind_of_source) else np.zeros(0, np.bool_)
        known = np.zeros(self.clusters.count, np.bool_)
        person = (self.clusters.of_record >= 0) & ~only_device & ~is_device
        known[self.clusters.of_record[person]] = True
        told = (self.refusal == Refusal.NONE) & ~devices
        known[self.clusters.of_record[edges.record[told]]] = True
        return known


def _moments(microseconds: Ints) -> pa.Array:
    unknown = (microseconds == NEVER_FIRST) | (microseconds == NEVER_LAST)
    return pa.array(microseconds, mask=unknown).cast(_TIME)
