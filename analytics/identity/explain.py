"""Why these records are one person, in words: for whoever doubts a merge.

The records are told in the order in which the evidence ties them together, strongest first from the oldest record on,
so that every line but the first names what it shares with a line above it. Records that say the same are one line.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

_NAMED = 3  # records of one line that are written out
_TOLD = 4  # values of one line that are written out
_NO_TIE = "tied to nothing above"
_LAST = datetime.max


@dataclass(frozen=True, slots=True)
class Sighting:
    """A source record of the customer, and when its source first knew it (naive UTC, None where nobody wrote it)."""

    source: str
    record_key: str
    seen_at: datetime | None

    @property
    def name(self) -> tuple[str, str]:
        return self.source, self.record_key


@dataclass(frozen=True, slots=True)
class Evidence:
    """One identifier on one record. `value` is the normalised text, personal data in the clear."""

    source: str
    record_key: str
    identifier_type: str
    value: str
    rule: str
    confidence: float
    note: str | None = None

    @property
    def node(self) -> tuple[str, str]:
        return self.identifier_type, self.value


@dataclass(frozen=True, slots=True)
class Tie:
    """What a line shares with an earlier one (`line`, counted from 1)."""

    evidence: Evidence
    line: int

    def __str__(self) -> str:
        found = self.evidence
        match found.rule:
            case "merge_trail":
                words = f"merged by its vendor, {found.identifier_type} {found.value}"
            case "device_login":
                words = f"the only login ever seen on it is {found.value}"
            case "probable_match":
                return f"probably {self.line}: {found.note or 'alike'} (probability {found.confidence:.3f})"
            case "steward":
                return f"joined with {self.line} by decision: {found.note or 'no reason given'}"
            case _:
                words = f"{found.identifier_type} {found.value}"
        return f"{words}, as on {self.line} (confidence {found.confidence:.2f})"


@dataclass(frozen=True, slots=True)
class Line:
    """Records of one source that are tied to what stands above in the same way."""

    records: tuple[Sighting, ...]
    ties: tuple[Tie, ...]

    @property
    def confidence(self) -> float:
        """That of the strongest tie; 1 for the line that all others are tied to."""
        return max((tie.evidence.confidence for tie in self.ties), default=1.0)

    def __str__(self) -> str:
        first = self.records[0]
        named = ", ".join(record.record_key for record in self.records[:_NAMED])
        more = f" and {len(self.records) - _NAMED:,} more" if len(self.records) > _NAMED else ""
        days = sorted(record.seen_at.date().isoformat() for record in self.records if record.seen_at is not None)
        when = "" if not days else f" ({days[0]})" if days[0] == days[-1] else f" ({days[0]} to {days[-1]})"
        told = [str(tie) for tie in self.ties[:_TOLD]]
        if len(self.ties) > _TOLD:
            told.append(f"{len(self.ties) - _TOLD:,} more values")
        return f"{first.source} {named}{more}{when}: {'; '.join(told) or _NO_TIE}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """All records of one customer. Holds personal data in the clear."""

    customer_id: str
    lines: tuple[Line, ...]

    @property
    def records(self) -> int:
        return sum(len(line.records) for line in self.lines)

    @property
    def weakest(self) -> int | None:
        """Number of the line whose strongest tie is the weakest of all; None for a customer of one line."""
        tied = [(line.confidence, number) for number, line in enumerate(self.lines[1:], start=2)]
        return min(tied)[1] if tied else None

    @property
    def doubtful(self) -> tuple[Sighting, Sighting] | None:
        """Two records on the two sides of the weakest tie: whoever doubts the merge would part these."""
        if self.weakest is None:
            return None
        line = self.lines[self.weakest - 1]
        above = line.ties[0].line if line.ties else 1
        return self.lines[above - 1].records[0], line.records[0]

    def __str__(self) -> str:
        sources = len({line.records[0].source for line in self.lines})
        head = f"{self.customer_id}: {self.records:,} record{'s' * (self.records != 1)} of {sources} source" + (
            "s are one customer." if sources != 1 else "."
        )
        told = [f"{number:3}. {line}" for number, line in enumerate(self.lines, start=1)]
        if told:
            told[0] = told[0].removesuffix(_NO_TIE) + "the oldest record"
        if self.weakest is not None:
            weak = self.lines[self.weakest - 1]
            told.append(f"The weakest tie is that of line {self.weakest} (confidence {weak.confidence:.2f}).")
        return "\n".join([head, *told])


def explain(customer_id: str, records: Iterable[Sighting], evidence: Iterable[Evidence]) -> Explanation:
    """Tell the records of one customer. Order of the input carries no meaning; no records give no lines."""
    known = {record.name: record for record in records}
    carried: dict[tuple[str, str], list[Evidence]] = defaultdict(list)
    carriers: dict[tuple[str, str], list[tuple[tuple[str, str], float]]] = defaultdict(list)
    for found in sorted(evidence, key=lambda item: (-item.confidence, item.identifier_type, item.value)):
        name = (found.source, found.record_key)
        if name in known:
            carried[name].append(found)
            carriers[found.node].append((name, found.confidence))
    order = _in_order(known, carried, carriers)
    return Explanation(
        customer_id, tuple(_lines(order, carried, {node for node, on in carriers.items() if len(on) > 1}))
    )


def _age(record: Sighting) -> tuple[datetime, str, str]:
    return record.seen_at or _LAST, record.source, record.record_key


def _in_order(
    known: dict[tuple[str, str], Sighting],
    carried: dict[tuple[str, str], list[Evidence]],
    carriers: dict[tuple[str, str], list[tuple[tuple[str, str], float]]],
) -> list[Sighting]:
    """From the oldest record on, always the record with the strongest tie to those already told, then the oldest."""
    told: dict[tuple[str, str], Sighting] = {}
    opened: set[tuple[str, str]] = set()
    for start in sorted(known.values(), key=_age):
        heap: list[tuple[float, tuple[datetime, str, str]]] = [(0.0, _age(start))]
        while heap:
            _, (_, source, key) = heapq.heappop(heap)
            name = (source, key)
            if name in told:
                continue
            told[name] = known[name]
            for found in carried[name]:
                if found.node in opened:
                    continue
                opened.add(found.node)
                for other, confidence in carriers[found.node]:
                    if other not in told:
                        # A tie holds as well as its weaker end.
                        heapq.heappush(heap, (-min(found.confidence, confidence), _age(known[other])))
    return list(told.values())


def _lines(
    order: Sequence[Sighting], carried: dict[tuple[str, str], list[Evidence]], shared: set[tuple[str, str]]
) -> list[Line]:
    """Records with the same source and the same ties are told together."""
    line_of: dict[tuple[str, str], int] = {}  # value -> the first line that carries it
    numbers: dict[tuple[str, frozenset[tuple[tuple[str, str], int]]], int] = {}
    held: list[tuple[list[Sighting], tuple[Tie, ...]]] = []
    for record in order:
        found = [item for item in carried[record.name] if item.node in line_of]
        ties = tuple(Tie(item, line_of[item.node]) for item in found)
        # A record that brings something new that others may hang on has a line of its own.
        new = [item.node for item in carried[record.name] if item.node in shared and item.node not in line_of]
        group = (record.source, frozenset((tie.evidence.node, tie.line) for tie in ties))
        if ties and not new and group in numbers:
            held[numbers[group]][0].append(record)
            continue
        held.append(([record], ties))
        if ties and not new:
            numbers[group] = len(held) - 1
        for node in new:
            line_of[node] = len(held)
    return [Line(tuple(records), ties) for records, ties in held]
