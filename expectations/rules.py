"""The words suites are written in.

A `Rule` is a Great Expectations expectation before that library is imported (the import costs six seconds, and whoever
only lists the gates must not pay it), plus what a reader of a failed gate asks first: how bad, why, whose.

SQL in a rule says `{batch}` for the relation, `{texts}` for a list of those of its columns that can hold text and
`{doubles}` for the sum of its floating-point ones; every other brace stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from expectations.context import GateContext

Severity = Literal["error", "warning"]

#: Classes of the rules; each is a class of `great_expectations.expectations` but `ExpectNoRows` (duckdb_dialect).
NO_ROWS = "ExpectNoRows"

#: `Rule.needs` of a rule that has nothing to compare with.
NEVER = "select false"

#: Stands in SQL for the columns that can hold text; the runner knows which they are.
TEXTS = "{texts}"

#: Stands in SQL for the sum of the columns of floating-point numbers: where one of them is no number, nor is the sum.
DOUBLES = "{doubles}"

#: Rows before the number of them is held to: a list of ten targets may well be halved.
MIN_VOLUME = 100


@dataclass(frozen=True)
class Rule:
    """One expectation. `name` is unique in its suite and is what a failed gate shows."""

    name: str
    kind: str
    kwargs: Mapping[str, Any]
    reason: str
    owner: str
    severity: Severity = "error"
    column: str | None = None
    #: SQL of one boolean: is there enough to judge by? Where not, there is no verdict and `needs_what` says why.
    needs: str | None = None
    needs_what: str = ""
    #: SQL of the rows that failed, where the rule itself only counts them.
    sample: str | None = None


Suite = Callable[[GateContext, str], list[Rule]]


@dataclass(frozen=True)
class Writer:
    """Makes the rules of one suite in the name of one owner."""

    owner: str

    def not_null(self, *columns: str, reason: str) -> list[Rule]:
        return [
            Rule(f"{column}_is_present", "ExpectColumnValuesToNotBeNull", {"column": column}, reason, self.owner,
                 column=column)
            for column in columns
        ]  # fmt: skip

    def unique(self, column: str, reason: str) -> Rule:
        """No value stands in two rows; fails with the number of rows that share one. NULL is no value.

        Great Expectations' own counts in a window over all rows, which takes twice as long over millions of them.
        """
        shared = f"select count(*) as n from {{batch}} where {column} is not null group by {column} having count(*) > 1"
        return self.no_rows(
            f"{column}_is_unique",
            f"select unnest(range(n)) from ({shared}) as shared",
            reason,
            column=column,
            sample=f"select * from {{batch}} where {column} is not null"
            f" qualify count(*) over (partition by {column}) > 1",
        )

    def unique_together(self, *columns: str, reason: str) -> Rule:
        """NULL counts as a value: two rows that are alike in every column are two too many."""
        listed = ", ".join(columns)
        return self.no_rows(
            f"{'_and_'.join(columns)}_are_unique_together",
            f"select {listed} from {{batch}} group by {listed} having count(*) > 1",
            reason,
            sample=f"select * from {{batch}} qualify count(*) over (partition by {listed}) > 1",
        )

    def between(
        self,
        column: str,
        low: Any = None,
        high: Any = None,
        *,
        reason: str,
        severity: Severity = "error",
    ) -> Rule:
        return Rule(
            f"{column}_is_in_range",
            "ExpectColumnValuesToBeBetween",
            {"column": column, "min_value": low, "max_value": high},
            reason,
            self.owner,
            severity,
            column,
        )

    def in_set(self, column: str, values: Sequence[Any], reason: str) -> Rule:
        return Rule(
            f"{column}_is_known",
            "ExpectColumnValuesToBeInSet",
            {"column": column, "value_set": list(values)},
            reason,
            self.owner,
            column=column,
        )

    def no_rows(
        self,
        name: str,
        sql: str,
        reason: str,
        *,
        severity: Severity = "error",
        column: str | None = None,
        sample: str | None = None,
    ) -> Rule:
        """Fails with the number of rows the query returns. Exact: it sees DECIMAL as DECIMAL."""
        escaped = sql.replace("{", "{{").replace("}", "}}")
        for own in ("{batch}", TEXTS, DOUBLES):
            escaped = escaped.replace(f"{{{own}}}", own)
        query = {"unexpected_rows_query": escaped}
        return Rule(name, NO_ROWS, query, reason, self.owner, severity, column, sample=sample or sql)

    def never(
        self, name: str, predicate: str, reason: str, *, severity: Severity = "error", column: str | None = None
    ) -> Rule:
        """No row of the relation satisfies `predicate`."""
        return self.no_rows(
            name,
            f"select 1 from {{batch}} where {predicate}",
            reason,
            severity=severity,
            column=column,
            sample=f"select * from {{batch}} where {predicate}",
        )

    def refers_to(self, column: str, target: str, reason: str) -> Rule:
        """Every non-null `column` exists in `target` ('schema.table.column')."""
        relation, key = target.rsplit(".", 1)
        orphans = (
            f"from {{batch}} as child anti join {relation} as parent on child.{column} = parent.{key}"
            f" where child.{column} is not null"
        )
        return self.no_rows(
            f"{column}_exists_in_{relation.split('.')[-1]}",
            f"select 1 {orphans}",
            reason,
            column=column,
            sample=f"select child.* {orphans}",
        )

    def equal(self, name: str, left: str, right: str, reason: str) -> Rule:
        """Two scalar queries give the same value; NULL equals NULL. Holds for empty relations by itself."""
        return self.no_rows(
            name,
            f"select 1 from (select ({left}) as left_side, ({right}) as right_side)"
            " where left_side is distinct from right_side",
            reason,
        )

    def volume(self, ctx: GateContext, relation: str, severity: Severity = "error") -> list[Rule]:
        """The relation did not lose rows against the last publication; no verdict where there is nothing to hold to."""
        before = ctx.previous_rows.get(relation, 0)
        floor = int(before * (1 - ctx.limits.max_volume_drop))
        rule = Rule(
            "rows_hold_against_last_publication",
            "ExpectTableRowCountToBeBetween",
            {"min_value": floor},
            f"the last publication had {before} rows; fewer than {floor} means that files are missing"
            " (gates.max_volume_drop)",
            self.owner,
            severity,
        )
        if ctx.goes_back:
            return [replace(rule, needs=NEVER, needs_what="a day before the published one is built")]
        if before < MIN_VOLUME:
            what = f"fewer than {MIN_VOLUME} rows in the last publication" if before else "nothing was published before"
            return [replace(rule, needs=NEVER, needs_what=what)]
        return [rule]
