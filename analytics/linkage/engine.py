"""Splink compares and scores pairs; this module is all that knows how it is called.

Pairs are formed by `blocking.py` and handed over, the parameters come from `mixture.py`. Splink (with sqlglot and its
engine) is imported only here and only when called: a company without probabilistic links never loads it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from analytics.linkage.blocking import Ints
from analytics.linkage.comparisons import Comparison
from analytics.linkage.mixture import Floats, Grades, Parameters

if TYPE_CHECKING:
    from splink import Linker

_ROW = "row_number"
#: Pairs that Splink holds at a time: texts of both sides lie in memory beside the grades.
_AT_ONCE = 400_000


def grade(prepared: pa.Table, comparisons: Sequence[Comparison], left: Ints, right: Ints) -> Grades:
    """Which level each pair reaches on each comparison; rows in the order of the pairs given."""
    return _run(prepared, comparisons, None, left, right)[0]


def score(
    prepared: pa.Table, comparisons: Sequence[Comparison], parameters: Parameters, left: Ints, right: Ints
) -> tuple[Grades, Floats]:
    """Grades, and natural log odds in which an equal value counts by how common it is."""
    return _run(prepared, comparisons, parameters, left, right)


def _run(
    prepared: pa.Table, comparisons: Sequence[Comparison], parameters: Parameters | None, left: Ints, right: Ints
) -> tuple[Grades, Floats]:
    grades = np.empty((len(left), len(comparisons)), np.int8)
    odds = np.empty(len(left), np.float64)
    if not len(left):
        return grades, odds
    # Making a linker turns Splink's own logging on, so it is made first.
    linker, db = _linker(prepared, comparisons, parameters)
    with _quiet():
        wanted = ", ".join(f"gamma_{item.name}" for item in comparisons)
        for start in range(0, len(left), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            pairs = pa.table(
                {
                    "match_key": pa.array(["0"] * len(left[part])),
                    "join_key_l": left[part],
                    "join_key_r": right[part],
                }
            )
            given = db.register(pairs)
            linker.table_management.register_blocked_pairs_for_predict(given)
            predicted = linker.inference.predict(warning_mode="never")
            found = db.query_sql(
                f"SELECT match_weight, {wanted} FROM {predicted.physical_name} ORDER BY {_ROW}_l, {_ROW}_r"
            ).as_pyarrow_table()
            # Splink answers in its own order; the pairs given are put into the same one.
            order = np.lexsort((right[part], left[part]))
            for place, item in enumerate(comparisons):
                grades[part, place][order] = found[f"gamma_{item.name}"].to_numpy()
            odds[part][order] = found["match_weight"].to_numpy() * np.log(2)
            predicted.drop_table_from_database_and_remove_from_cache()
    return grades, odds


def _linker(prepared: pa.Table, comparisons: Sequence[Comparison], parameters: Parameters | None) -> tuple[Linker, Any]:
    from splink import DuckDBAPI, Linker, SettingsCreator
    from splink.blocking_rule_library import CustomRule

    db = DuckDBAPI()
    table = prepared.append_column(_ROW, pa.array(np.arange(prepared.num_rows)))
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name=_ROW,
        comparisons=[_comparison(item, place, parameters) for place, item in enumerate(comparisons)],
        # Never run: the pairs are handed over.
        blocking_rules_to_generate_predictions=[CustomRule("1=1")],
        probability_two_random_records_match=parameters.prior if parameters else 0.001,
        retain_intermediate_calculation_columns=True,
        retain_matching_columns=True,
    )
    linker = Linker(db.register(table), settings)
    if parameters is not None:
        for item, u in zip(comparisons, parameters.u, strict=True):
            if item.frequency is not None:
                lookup = frequencies(prepared, item.frequency, float(u[-1]))
                linker.table_management.register_term_frequency_lookup(db.register(lookup), item.frequency)
    return linker, db


def frequencies(prepared: pa.Table, column: str, usual: float) -> pa.Table:
    """How likely a stranger has each value: other records with it, drawn to the `usual` share where few are seen.

    The prior weighs as many records as make one chance hit usual (1 / `usual`). Two records that hold a value are the
    pair in question; counted plainly they would make every value of a small file look common.
    """
    counted = prepared[column].combine_chunks().drop_null().value_counts()
    values, counts = counted.field("values"), counted.field("counts").to_numpy().astype(np.float64)
    weight = 1 / usual
    share = (np.maximum(counts - 2, 0) + 1) / (max(counts.sum() - 2, 0) + weight)
    return pa.table({column: values, f"tf_{column}": share})


def _comparison(item: Comparison, place: int, parameters: Parameters | None) -> Any:
    from splink.comparison_level_library import CustomLevel, ElseLevel
    from splink.comparison_library import CustomComparison

    best = len(item.levels)
    # Before anything is learnt only the grades are read; the numbers merely have to be there.
    m = parameters.m[place] if parameters else np.full(best + 1, 0.5)
    u = parameters.u[place] if parameters else np.full(best + 1, 0.1)
    absent = f"{item.name}_l IS NULL OR {item.name}_r IS NULL"
    if item.silent is not None:
        absent = f"{absent} OR {item.silent}"
    levels: list[Any] = [CustomLevel(absent, "not compared").configure(is_null_level=True)]
    for index, level in enumerate(item.levels):
        settled = CustomLevel(level.condition, level.words).configure(
            m_probability=float(m[best - index]), u_probability=float(u[best - index])
        )
        if index == 0 and item.frequency is not None and parameters is not None:
            settled = settled.configure(tf_adjustment_column=item.frequency)
        levels.append(settled)
    levels.append(ElseLevel().configure(m_probability=float(m[0]), u_probability=float(u[0])))
    return CustomComparison(levels, output_column_name=item.name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Splink tells its progress to whoever listens; a build has its own log."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
