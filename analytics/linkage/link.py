"""Records of persons in; probable links between them out, each with its probability and its reasons.

    prepare -> form pairs -> compare -> learn -> score -> join -> tables

Pure and repeatable: rows are ordered by their own names first, every draw is seeded, so the same records in any order
give the same tables. No explanation holds a value of a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.rules import RuleTable, default_rules
from analytics.linkage import clusters, engine
from analytics.linkage.blocking import Ints, candidates, random_pairs
from analytics.linkage.comparisons import Comparison, usable
from analytics.linkage.forms import PERSONS, prepare
from analytics.linkage.mixture import Floats, Grades, learn

PROBABLE = pa.schema(
    [(f"{column}_{side}", pa.string()) for side in "ab" for column in ("source", "record_key")]
    + [("probability", pa.float64()), ("explanation", pa.string())]
)
#: Nobody is sure of a link that rests on likeness alone.
MOST_CERTAIN = 0.9999
_RANDOM_PAIRS = 60_000
#: Pairs that are this far below the review threshold before rare values count are not looked at again (natural log).
_OUT_OF_REACH = 7.0
#: Pairs with different given names and known birth dates, and the share of agreeing dates, that rule households out.
_ENOUGH_PAIRS = 10
_NEARLY_ALWAYS = 0.9


@dataclass(frozen=True, slots=True)
class Linkage:
    """`links` join records into persons, one fewer than the records of each; `review` are pairs for a person to decide.

    `notes` are counts for logs and metadata: records compared, pairs, blocks left out, true pairs expected.
    """

    links: pa.Table
    review: pa.Table
    notes: dict[str, int | float | str] = field(default_factory=dict)


def probable_links(
    persons: pa.Table,
    *,
    match_threshold: float,
    review_threshold: float,
    default_country: str,
    rules: RuleTable | None = None,
) -> Linkage:
    """Link records of `persons` (schema `forms.PERSONS`, each source and record_key once).

    Thresholds are probabilities, review below match. Raises ValueError when they are not, or columns are missing.
    """
    if not 0 < review_threshold <= match_threshold < 1:
        raise ValueError(f"thresholds: 0 < review {review_threshold} <= match {match_threshold} < 1 does not hold")
    if missing := [name for name in PERSONS.names if name not in persons.column_names]:
        raise ValueError(f"persons: columns are missing: {', '.join(missing)}")
    persons = persons.select(PERSONS.names).sort_by([("source", "ascending"), ("record_key", "ascending")])
    prepared = prepare(persons, rules or default_rules(), default_country)
    persons, prepared = _with_something_to_compare(persons, prepared)
    records = prepared.num_rows
    comparisons = (
        usable({name: 1 - prepared[name].null_count / records for name in prepared.column_names}) if records else ()
    )
    notes: dict[str, int | float | str] = {
        "records": records,
        "compared": ", ".join(item.words for item in comparisons) or "nothing",
    }
    if records < 2 or len(comparisons) < 2:
        return Linkage(PROBABLE.empty_table(), PROBABLE.empty_table(), notes)

    formed = candidates(prepared)
    left, right = formed.left, formed.right
    all_pairs = records * (records - 1) / 2
    grades = engine.grade(prepared, comparisons, left, right)
    random = engine.grade(prepared, comparisons, *random_pairs(records, _RANDOM_PAIRS))
    # Households would be learnt as a second kind of match; they are strangers to begin with.
    apart = ~_may_link(comparisons, grades)
    learnt = learn(comparisons, grades[~apart], random, all_pairs)
    match, review = _log_odds(match_threshold), _log_odds(review_threshold)
    near = learnt.log_odds(grades) >= review - _OUT_OF_REACH
    left, right = left[near], right[near]
    grades, odds = engine.score(prepared, comparisons, learnt, left, right)

    chance = _hardly_households(comparisons, grades[odds >= match])
    likely = (odds >= match) & _may_link(comparisons, grades, chance)
    label = clusters.components(records, left[likely], right[likely])
    more = clusters.unscored(label, left, right)
    more_grades, more_odds = engine.score(prepared, comparisons, learnt, *more)
    left, right = np.concatenate([left, more[0]]), np.concatenate([right, more[1]])
    grades, odds = np.concatenate([grades, more_grades]), np.concatenate([odds, more_odds])
    likely = (odds >= match) & _may_link(comparisons, grades, chance)
    order = np.lexsort((right, left, -np.round(odds, 9)))
    joined, refused = clusters.join(left, right, odds, order[likely[order]].tolist())
    label = clusters.components(records, left[joined], right[joined])
    doubtful = order[((odds >= review) & (label[left] != label[right]) & ~_two_people(comparisons, grades))[order]]
    notes |= {
        "candidate_pairs": len(formed),
        "blocks_left_out": formed.skipped,
        "smallest_block_left_out": formed.smallest_skipped or 0,
        "true_pairs_expected": round(learnt.prior * all_pairs),
        "links": len(joined),
        "refused_by_their_group": len(refused),
        "pairs_to_review": len(doubtful),
    }

    def table(rows: Ints) -> pa.Table:
        return _table(persons, comparisons, left[rows], right[rows], odds[rows], grades[rows])

    return Linkage(table(np.array(joined, np.int64)), table(doubtful), notes)


def _with_something_to_compare(persons: pa.Table, prepared: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Without the records that hold fewer than two attributes: nothing could ever tell them from others."""
    filled = np.zeros(prepared.num_rows, np.int64)
    for name in prepared.column_names:
        if name != "mailbox":
            filled += pc.is_valid(prepared[name]).to_numpy(zero_copy_only=False)
    keep = pa.array(np.flatnonzero(filled >= 2))
    return persons.take(keep), prepared.take(keep)


def _may_link(
    comparisons: Sequence[Comparison], grades: Grades, missing_birth_is_chance: bool = False
) -> npt.NDArray[np.bool_]:
    """False where the pair may be two members of a household, who share family name, address and phone.

    Where the given names differ, what they share must not outvote it: the birth date or the e-mail has to agree.
    """
    place = {item.name: index for index, item in enumerate(comparisons)}
    if "given" not in place:
        return np.ones(len(grades), np.bool_)
    allowed: npt.NDArray[np.bool_] = grades[:, place["given"]] != 0
    if "birth" in place:
        birth = grades[:, place["birth"]]
        allowed |= (birth > 0) | ((birth < 0) & missing_birth_is_chance)
    if "email" in place:
        allowed |= grades[:, place["email"]] > 0
    return allowed


def _two_people(comparisons: Sequence[Comparison], grades: Grades) -> npt.NDArray[np.bool_]:
    """Given name and birth date both differ: nothing to decide, whatever the household shares."""
    both = [grades[:, place] == 0 for place, item in enumerate(comparisons) if item.name in ("given", "birth")]
    return both[0] & both[1] if len(both) == 2 else np.zeros(len(grades), np.bool_)


def _hardly_households(comparisons: Sequence[Comparison], grades: Grades) -> bool:
    """Whether likely pairs (`grades`) with different given names are one person nearly always in this company's data.

    Told by those of them whose birth dates are both known: dates of two members of a household differ. With too few of
    them households are taken to exist.
    """
    place = {item.name: index for index, item in enumerate(comparisons)}
    if not {"given", "birth"} <= set(place):
        return False
    birth = grades[grades[:, place["given"]] == 0, place["birth"]]
    known = birth[birth >= 0]
    return len(known) >= _ENOUGH_PAIRS and float((known > 0).mean()) >= _NEARLY_ALWAYS


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _table(
    persons: pa.Table, comparisons: Sequence[Comparison], left: Ints, right: Ints, odds: Floats, grades: Grades
) -> pa.Table:
    probability = np.round(np.minimum(1 / (1 + np.exp(-odds)), MOST_CERTAIN), 6)
    columns = [persons[column].take(pa.array(rows)) for rows in (left, right) for column in ("source", "record_key")]
    told = [explain(comparisons, row) for row in grades.tolist()]
    return pa.table([*columns, pa.array(probability), pa.array(told, pa.string())], schema=PROBABLE)


def explain(comparisons: Sequence[Comparison], grades: Sequence[int]) -> str:
    """What agrees and what does not, without any value: `family name equal, birth date differs; city missing`."""
    said, absent = [], []
    for item, grade in zip(comparisons, grades, strict=True):
        if grade < 0:
            if item.silent is None:
                absent.append(item.words)
        else:
            said.append(f"{item.words} {item.levels[len(item.levels) - grade].words if grade else 'differs'}")
    return ", ".join(said) + (f"; {', '.join(absent)} missing" if absent else "")
