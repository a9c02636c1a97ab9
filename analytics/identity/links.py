"""Evidence that no file holds: what a steward forces, and what a probabilistic model finds.

Both become values that nobody shares but the records they link, so that everything after treats them as it treats
an e-mail address: with a priority, within limits, with a row per link and a row per refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.decisions import Rulings
from analytics.identity.evidence import (
    NEVER_FIRST,
    NEVER_LAST,
    Edges,
    Evidence,
    IdentityInputError,
    Ints,
    Values,
    join_keys,
)
from analytics.identity.pseudonym import SEPARATOR
from analytics.identity.rules import PROBABLE, STEWARD, RuleTable

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Links:
    """One row per value that `add_links` appended; row i belongs to value `first + i`.

    strength: confidence of its links, 0..1; evidence: the words that explain it, without personal data; extra: how
    many customers it makes one beyond the first, whose limits add up.
    """

    first: int
    strength: Floats
    evidence: pa.StringArray
    extra: Ints

    @staticmethod
    def none(evidence: Evidence) -> Links:
        return Links(len(evidence.values), np.empty(0), pa.array([], pa.string()), np.empty(0, np.int64))


def add_links(
    evidence: Evidence, refusal: Ints, rulings: Rulings, probable: pa.Table | None, rules: RuleTable
) -> tuple[Evidence, Ints, Links]:
    """The evidence with the links as further values, its refusals, and what the links are.

    probable: source_a, record_key_a, source_b, record_key_b, probability (0..1), explanation. A pair given more than
    once counts with its highest probability. Raises IdentityInputError where a pair names an unknown record.
    """
    pairs = _pairs(evidence, probable)
    if not rulings.forced and not len(pairs.probability):
        return evidence, refusal, Links.none(evidence)
    # Text is what orders equally strong values, so it comes from content and never from a row number.
    forced = [(f"{one.line:08d}", one) for one in rulings.forced]
    first = len(evidence.values)
    sizes = np.array([len(one.records) for _, one in forced], np.int64)
    record = np.concatenate([*(np.array(one.records, np.int64) for _, one in forced), pairs.left, pairs.right]).astype(
        np.int64
    )
    begin = first + len(forced)
    of_pair = np.arange(begin, begin + len(pairs.probability), dtype=np.int64)
    value = np.concatenate([np.repeat(np.arange(first, begin, dtype=np.int64), sizes), of_pair, of_pair])
    added = len(forced) + len(of_pair)
    types = (rules.rule(STEWARD), *evidence.types, rules.rule(PROBABLE))
    nothing = np.zeros(added, np.bool_)
    values = Values(
        # All codes move up by one: a steward's word is the strongest type there is.
        type_code=np.concatenate(
            [
                evidence.values.type_code + 1,
                np.zeros(len(forced), np.int64),
                np.full(len(of_pair), len(types) - 1, np.int64),
            ]
        ),
        text=pa.concat_arrays([evidence.values.text, pa.array([t for t, _ in forced], pa.string()), pairs.text]),
        invalid=np.concatenate([evidence.values.invalid, nothing]),
        blocked=np.concatenate([evidence.values.blocked, nothing]),
        refused_why=evidence.values.refused_why,
    )
    old = evidence.edges
    edges = Edges(
        record=np.concatenate([old.record, record]),
        value=np.concatenate([old.value, value]),
        first=np.concatenate([old.first, np.full(len(record), NEVER_FIRST, np.int64)]),
        last=np.concatenate([old.last, np.full(len(record), NEVER_LAST, np.int64)]),
        login=np.concatenate([old.login, np.zeros(len(record), np.bool_)]),
    )
    links = Links(
        first=first,
        strength=np.concatenate([np.ones(len(forced)), pairs.probability]),
        evidence=pa.concat_arrays([pa.array([one.reason for _, one in forced], pa.string()), pairs.explanation]),
        extra=np.concatenate([np.array([one.ends - 1 for _, one in forced], np.int64), np.zeros_like(of_pair)]),
    )
    grown = replace(evidence, values=values, edges=edges, types=types)
    return grown, np.concatenate([refusal, np.zeros(len(record), np.int64)]), links


@dataclass(frozen=True, slots=True)
class _Pairs:
    left: Ints
    right: Ints
    text: pa.StringArray
    probability: Floats
    explanation: pa.StringArray


def _pairs(evidence: Evidence, probable: pa.Table | None) -> _Pairs:
    nothing, no_text = np.empty(0, np.int64), pa.array([], pa.string())
    if probable is None or not probable.num_rows:
        return _Pairs(nothing, nothing, no_text, np.empty(0), no_text)
    records = evidence.records
    known = join_keys(records.source, records.record_key)
    names = [join_keys(probable[f"source_{side}"], probable[f"record_key_{side}"]) for side in "ab"]
    found = [pc.index_in(name, value_set=known) for name in names]
    missing = sum(column.null_count for column in found)
    if missing:
        raise IdentityInputError(f"probable: {missing} ends name a record that is not in source_records")
    swap = pc.greater(names[0], names[1]).to_numpy(zero_copy_only=False)
    one, other = (np.asarray(column.to_numpy(), dtype=np.int64) for column in found)
    left, right = np.where(swap, other, one), np.where(swap, one, other)
    table = pa.table(
        {
            "text": pc.binary_join_element_wise(
                pc.if_else(swap, names[1], names[0]), pc.if_else(swap, names[0], names[1]), SEPARATOR
            ),
            "probability": probable["probability"].combine_chunks().cast(pa.float64()),
            "explanation": probable["explanation"].combine_chunks().cast(pa.string()),
            "left": left,
            "right": right,
        }
    ).filter(pa.array(left != right))
    table = table.sort_by([("text", "ascending"), ("probability", "descending"), ("explanation", "ascending")])
    if table.num_rows and not 0 <= pc.min(table["probability"]).as_py() <= pc.max(table["probability"]).as_py() <= 1:
        raise IdentityInputError("probable: a probability lies outside 0..1")
    texts = table["text"].to_numpy(zero_copy_only=False)
    once = table.filter(pa.array(np.append(True, texts[1:] != texts[:-1])[: len(texts)]))
    return _Pairs(
        left=np.asarray(once["left"].to_numpy(), np.int64),
        right=np.asarray(once["right"].to_numpy(), np.int64),
        text=once["text"].combine_chunks(),
        probability=np.asarray(once["probability"].to_numpy(), np.float64),
        explanation=once["explanation"].combine_chunks(),
    )
