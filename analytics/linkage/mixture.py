"""What agreement is worth: shares of levels among same persons (m) and among strangers (u), learnt without any answers.

The model is that of Fellegi and Sunter (1969, JASA 64:1183): a pair's log odds are the prior's plus, for each attribute
compared, log(m / u) of the level reached. u is counted on random pairs, nearly all of which are strangers. m and the
share of true pairs come from expectation maximisation over all candidate pairs at once; candidates that agree on
nothing are never formed, so their part of the sum is taken as zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.linkage.comparisons import PRIOR_PAIRS, Comparison

Floats = npt.NDArray[np.float64]
#: One row per pair, one column per comparison: -1 nothing to compare, 0 differs, up to the number of levels (equal).
Grades = npt.NDArray[np.int8]

_ROUNDS = 200
_SETTLED = 1e-5


@dataclass(frozen=True, slots=True)
class Parameters:
    """`m` and `u` per comparison, indexed by grade; `prior` is the share of true pairs among all pairs of records."""

    m: tuple[Floats, ...]
    u: tuple[Floats, ...]
    prior: float
    rounds: int

    def log_odds(self, grades: Grades) -> Floats:
        """Natural log odds per pair, frequencies of values left aside."""
        total = np.full(len(grades), np.log(self.prior / (1 - self.prior)))
        for place, (m, u) in enumerate(zip(self.m, self.u, strict=True)):
            # The last entry is what -1 picks.
            worth = np.append(np.log(m / u), 0.0)
            total += worth[grades[:, place]]
        return total


def learn(comparisons: Sequence[Comparison], candidates: Grades, random: Grades, all_pairs: float) -> Parameters:
    """Fit to the grades of candidate pairs and of random pairs; `all_pairs` is n * (n - 1) / 2.

    Each m starts at, and is drawn towards, the share that `comparisons.py` assumes. u is counted with half a pair
    added to each level, after dropping random pairs that look like one person under the assumptions.
    """
    assumed = tuple(_assumed(comparison) for comparison in comparisons)
    prior = 0.25 / max(all_pairs, 1.0) ** 0.5
    first = Parameters(assumed, _strangers(comparisons, random), prior, 0)
    strangers = random[first.log_odds(random) < 0] if len(random) else random
    u = _strangers(comparisons, strangers)

    patterns, count = _patterns(comparisons, candidates)
    now = Parameters(assumed, u, prior, 0)
    for rounds in range(1, _ROUNDS + 1):
        same = count / (1 + np.exp(-now.log_odds(patterns)))
        # Half of all pairs is a bound no data of people reach; without it few records could run away.
        found = float(np.clip(same.sum(), 0.5, max(all_pairs, 2.0) / 2))
        m = tuple(
            _share(patterns[:, place], same, levels, PRIOR_PAIRS * levels) for place, levels in enumerate(assumed)
        )
        after = Parameters(m, u, found / max(all_pairs, 2.0), rounds)
        moved = max(abs(np.log(after.prior / now.prior)), *(np.abs(a - b).max() for a, b in zip(m, now.m, strict=True)))
        now = after
        if moved < _SETTLED:
            break
    return now


def _assumed(comparison: Comparison) -> Floats:
    shares = np.array([comparison.differs_m, *(level.m for level in reversed(comparison.levels))])
    return np.asarray(shares / shares.sum(), np.float64)


def _strangers(comparisons: Sequence[Comparison], grades: Grades) -> tuple[Floats, ...]:
    ones = np.ones(len(grades))
    return tuple(
        _share(grades[:, place], ones, np.zeros(len(item.levels) + 1), np.full(len(item.levels) + 1, 0.5))
        for place, item in enumerate(comparisons)
    )


def _share(grade: npt.NDArray[np.int8], weight: Floats, shape: Floats, added: Floats) -> Floats:
    """Share of each grade, by weight, with `added` pairs on top."""
    known = grade >= 0
    counted = np.bincount(grade[known], weights=weight[known], minlength=len(shape)) + added
    return np.asarray(counted / counted.sum(), np.float64)


def _patterns(comparisons: Sequence[Comparison], grades: Grades) -> tuple[Grades, Floats]:
    """Distinct rows and how often each occurs, in one order whatever that of the pairs."""
    code = np.zeros(len(grades), np.int64)
    for place, item in enumerate(comparisons):
        code = code * (len(item.levels) + 2) + grades[:, place] + 1
    _, first, count = np.unique(code, return_index=True, return_counts=True)
    return grades[first], count.astype(np.float64)
