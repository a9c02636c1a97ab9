"""What a gate says. Counts only: no value of the data ever enters a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from expectations.rules import Severity

Outcome = Literal["passed", "failed", "could_not_run"]

#: From harmless to worst. `failed` is worse than `could_not_run`: something is known to be wrong. Both stop a build.
OUTCOMES: tuple[Outcome, ...] = ("passed", "could_not_run", "failed")


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of several outcomes; nothing at all could not run."""
    found = list(outcomes)
    return max(found, key=OUTCOMES.index) if found else "could_not_run"


@dataclass(frozen=True)
class ExpectationResult:
    """One expectation that did not hold.

    `sample`: a few failed rows, masked (`expectations/samples.py`).

    `observed`: rows counted (row count, or rows a query returned); None where the count would be a value of the data.
    `unexpected_percent`: 0..100 of the rows that have a value.
    """

    name: str
    column: str | None
    severity: Severity
    observed: int | None
    unexpected_count: int | None
    unexpected_percent: float | None
    reason: str
    owner: str
    sample: tuple[dict[str, str], ...] = ()

    @property
    def rows_failed(self) -> int | None:
        """Rows that do not hold; None where an expectation judges a relation as a whole."""
        return self.unexpected_count if self.unexpected_count is not None else self.observed


@dataclass(frozen=True)
class RelationVerdict:
    """One row of the registry, judged.

    `problems` says why it could not run, one entry per expectation; `note` why there was nothing to judge; `unjudged`
    names the expectations that had too little history, and what was missing. `rows` is the relation's size.
    """

    gate: str
    relation: str
    check_name: str
    outcome: Outcome
    evaluated: int
    failed: tuple[ExpectationResult, ...]
    warnings: tuple[ExpectationResult, ...]
    problems: tuple[str, ...]
    seconds: float
    note: str = ""
    rows: int | None = None
    unjudged: tuple[tuple[str, str], ...] = ()

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.note:
            return f"{self.relation}: {self.note}"
        if self.outcome == "passed":
            noted = f", {len(self.warnings)} warnings" if self.warnings else ""
            return f"{self.relation}: {self.evaluated} expectations hold{noted}"
        found = [f"{result.name} ({_amount(result)})" for result in self.failed] + list(self.problems)
        return f"{self.relation}: {self.outcome.replace('_', ' ')}: {'; '.join(found)}"


@dataclass(frozen=True)
class GateReport:
    """One gate over one build."""

    gate: str
    outcome: Outcome
    verdicts: tuple[RelationVerdict, ...]
    import_seconds: float
    seconds: float

    def verdict(self, relation: str) -> RelationVerdict:
        """The verdict of one relation. Raises KeyError where the gate has no such relation."""
        for verdict in self.verdicts:
            if verdict.relation == relation:
                return verdict
        raise KeyError(relation)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def _amount(result: ExpectationResult) -> str:
    count = result.rows_failed
    if count is None:
        return "does not hold"
    return f"{count} row" if count == 1 else f"{count} rows"
