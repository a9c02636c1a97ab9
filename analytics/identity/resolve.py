"""Source records and their identifiers in; one customer per person out, with every link and every refusal written down.

    normalise -> refuse (listed, shared, crowds, switched devices) -> components within limits -> stable ids -> tables

Pure: the same rows in any order give the same partition, ids and refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.decisions import Decision
from analytics.identity.evidence import Evidence, gather, text_of
from analytics.identity.hashing import pseudonym_array
from analytics.identity.lifetimes import by_generation
from analytics.identity.memory import reused
from analytics.identity.partition import Partition, partition
from analytics.identity.pseudonym import RECORD
from analytics.identity.registry import Hashes, assign_ids
from analytics.identity.rules import RuleTable
from analytics.identity.rulesets import Ruleset
from analytics.identity.tables import CUSTOMER_MAP_BY_RULESET, Tables, identifier_rows


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
    with reused(source_records.num_rows + identifiers.num_rows) as give_back:
        return _resolve(
            source_records,
            identifiers,
            device_logins,
            rules,
            _plain(registry),
            key=key,
            default_country=default_country,
            as_of=as_of,
            decisions=decisions,
            probable=probable,
            former_ids=former_ids,
            rulesets=rulesets,
            possible=possible,
            give_back=give_back,
        )


def _resolve(
    source_records: pa.Table,
    identifiers: pa.Table,
    device_logins: pa.Table | None,
    rules: RuleTable,
    registry: pa.Table | None,
    *,
    key: str,
    default_country: str,
    as_of: date,
    decisions: Sequence[Decision],
    probable: pa.Table | None,
    former_ids: Iterable[str],
    rulesets: Iterable[Ruleset],
    possible: pa.Table | None,
    give_back: Callable[[], object],
) -> Resolution:
    # Hashing is Python; the rest is mostly numpy, scipy and Arrow, which let Python go on beside them.
    with ThreadPoolExecutor(1) as beside:
        named = beside.submit(_named, source_records, key)
        gathered = by_generation(gather(source_records, identifiers, device_logins, rules, default_country))
        give_back()
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
    with ThreadPoolExecutor(1) as beside:
        grouped = beside.submit(identifier_rows, found)
        ids, changes = assign_ids(evidence, refusal, clusters, hashes, registry, key, as_of, former_ids, found.reason)
        rows = grouped.result()
    give_back()
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

    tables = Tables(found, hashes, names, ids)
    with ThreadPoolExecutor(1) as beside:
        links_table = beside.submit(tables.identity_links, rules.device_login_confidence)
        customer_identifiers = tables.customer_identifiers(rows)
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


def _plain(table: pa.Table | None) -> pa.Table | None:
    """What is read of a registry, without dictionaries."""
    if table is None:
        return None
    table = table.select(["customer_id", "identifier_hash", "first_seen_at"])
    kinds = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))
