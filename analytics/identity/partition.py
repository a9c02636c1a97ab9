"""From gathered evidence to customers without names: what is refused, what hangs together, who is known.

The same steps for every set of rules; ids are given elsewhere, and only to the usual one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.cluster import within_limits
from analytics.identity.decisions import Decision, Rulings, rule_on
from analytics.identity.evidence import DEVICE, Bools, Evidence, Ints
from analytics.identity.links import Links, add_links
from analytics.identity.normalize import normalize
from analytics.identity.registry import Clusters
from analytics.identity.rules import RuleTable
from analytics.identity.rulesets import USUAL, Ruleset
from analytics.identity.sharing import Judged, Refusal, judge


@dataclass(frozen=True, slots=True)
class Partition:
    """Who is whom. `evidence` holds the links of stewards and models too.

    refusal: per edge; own, trail: edges that say a record's own key, or that its vendor merged it; reason: a Refusal
    per record that stands for nobody, NONE for all others.
    """

    evidence: Evidence
    judged: Judged
    refusal: Ints
    links: Links
    rulings: Rulings
    own: Bools
    trail: Bools
    reason: Ints
    clusters: Clusters

    def known(self) -> Bools:
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


def partition(
    evidence: Evidence,
    rules: RuleTable,
    *,
    registry: pa.Table | None,
    key: str,
    default_country: str,
    decisions: Sequence[Decision] = (),
    probable: pa.Table | None = None,
    ruleset: Ruleset = USUAL,
) -> Partition:
    """Customers of `evidence` under `rules` as `ruleset` changes them; parameters as in `resolve`."""
    rules = ruleset.table(rules)
    if ruleset.factor != 1:
        evidence = replace(evidence, types=tuple(rules.rule(rule.identifier_type) for rule in evidence.types))
    judged = judge(evidence, logins_per_device=ruleset.logins_per_device)
    rulings = rule_on(decisions, evidence, judged.edge, registry, key=key, default_country=default_country)
    own = own_ids(evidence)
    trail = trails(evidence, own)
    evidence, refusal, links = add_links(evidence, judged.edge, rulings, probable, rules)
    linked = np.zeros(len(evidence.edges) - len(own), np.bool_)
    own, trail = np.concatenate([own, linked]), np.concatenate([trail, linked])
    refusal = np.where(ruleset.withheld(evidence, own) & (refusal == Refusal.NONE), Refusal.BLOCKED_VALUE, refusal)
    retired = np.zeros(len(evidence.values), np.bool_)
    retired[evidence.edges.value[own & trail]] = True
    limited = within_limits(evidence, refusal, retired, rules.sharer_limit, judged.why, rulings, links)
    reason = _unmapped_reasons(evidence, limited.refusal)
    clusters = _clusters(evidence, limited.refusal, limited.label, reason == Refusal.NONE)
    return Partition(evidence, judged, limited.refusal, links, rulings, own, trail, reason, clusters)


def own_ids(evidence: Evidence) -> Bools:
    """Edges that say the record's own key."""
    edges, records, values = evidence.edges, evidence.records, evidence.values
    # Equal texts are equally long, and lengths are cheaper to fetch.
    keys, texts = (_lengths(column) for column in (records.record_key, values.text))
    alike = np.flatnonzero(keys[edges.record] == texts[edges.value])
    own = np.zeros(len(edges), np.bool_)
    same = pc.equal(
        records.record_key.take(pa.array(edges.record[alike])), values.text.take(pa.array(edges.value[alike]))
    )
    own[alike] = same.to_numpy(zero_copy_only=False)
    for code, rule in enumerate(evidence.types):
        if rule.form == "salesforce_id":
            # A record may be keyed by the short form of its id.
            rows = np.flatnonzero(values.type_code[edges.value] == code)
            keys_of_rows = records.record_key.take(pa.array(edges.record[rows]))
            long = normalize(rule.form, keys_of_rows, "").values
            same = pc.equal(long, values.text.take(pa.array(edges.value[rows])))
            own[rows] = same.to_numpy(zero_copy_only=False)
    return own


def _lengths(texts: pa.StringArray) -> Ints:
    return np.asarray(pc.binary_length(texts).to_numpy(zero_copy_only=False))


def trails(evidence: Evidence, own: Bools) -> Bools:
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
    used = np.zeros(int(label.max(initial=-1)) + 1, np.bool_)
    used[label[mapped]] = True
    number = np.cumsum(used) - 1
    of_record[mapped] = number[label[mapped]]
    of_value = np.full(len(evidence.values), -1, dtype=np.int64)
    sound = refusal == Refusal.NONE
    of_value[edges.value[sound]] = of_record[edges.record[sound]]
    return Clusters(int(np.count_nonzero(used)), of_record, of_value)
