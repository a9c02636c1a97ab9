"""Why these records are one person, in words: for whoever doubts a merge."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.resolve import DEVICE_LOGIN, MERGE_TRAIL, OWN_ID, RECORD, Resolution

_WORDS = {
    OWN_ID: "carries its own {type} {value}",
    MERGE_TRAIL: "was merged by its vendor, {type} {value}",
    DEVICE_LOGIN: "only ever saw the login {value}",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One record and one identifier that it shares with the customer."""

    source: str
    record_key: str
    identifier_type: str
    value: str
    rule: str
    confidence: float
    shared_with: int

    def __str__(self) -> str:
        words = _WORDS.get(self.rule, "carries {type} {value}").format(type=self.identifier_type, value=self.value)
        others = f", as do {self.shared_with} other records" if self.shared_with > 1 else ""
        others = ", as does one other record" if self.shared_with == 1 else others
        return f"{self.source} {self.record_key} {words}{others} (confidence {self.confidence:.2f})"


@dataclass(frozen=True, slots=True)
class Explanation:
    """All links of one customer, ordered by record and type. Holds personal data in the clear."""

    customer_id: str
    links: tuple[Link, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.customer_id}: {len(self.links)} links", *(f"  {link}" for link in self.links)])


def explain(resolution: Resolution, customer_id: str) -> Explanation:
    """The evidence of one customer; an unknown id gives no links. `shared_with` counts the other records on a value."""
    links = _of(resolution.identity_links, customer_id)
    held = _of(resolution.customer_identifiers, customer_id)
    texts = dict(zip(held["identifier_hash"].to_pylist(), held["normalized_value"].to_pylist(), strict=True))
    records: dict[str, int] = {}
    for name in links["identifier_hash"].to_pylist():
        records[name] = records.get(name, 0) + 1
    found = [
        Link(
            source=row["source"],
            record_key=texts[row["record_key_hash"]].removeprefix(f"{row['source']}|"),
            identifier_type=row["identifier_type"],
            value=texts[row["identifier_hash"]],
            rule=row["rule"],
            confidence=row["confidence"],
            shared_with=records[row["identifier_hash"]] - 1,
        )
        for row in links.to_pylist()
        if row["identifier_type"] != RECORD
    ]
    found.sort(key=lambda link: (link.source, link.record_key, link.identifier_type, link.value))
    return Explanation(customer_id, tuple(found))


def _of(table: pa.Table, customer_id: str) -> pa.Table:
    return table.filter(pc.equal(table["customer_id"], customer_id))
