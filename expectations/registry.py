"""The one table to read: which relation is judged at which gate, by which suite, and why there.

Every relation exists in every build (a company without a source has it empty), so the table is fixed and each row is
one blocking check of the orchestrator, named `gate_<suite>`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from expectations.context import Gate
from expectations.rules import Suite
from expectations.suites import core, identity, kpi, marts, marts_accounts, marts_support, marts_value, raw

#: Gates in the order of the flow.
GATE_NAMES: tuple[Gate, ...] = ("raw", "identity", "core", "marts")


@dataclass(frozen=True)
class GateRow:
    """One line of the table. `relation` is 'schema.table' in build.duckdb.

    `rows_to_judge`: SQL whose count is 0 where there is nothing to judge. A company has a few of the vendors read, and
    Great Expectations takes a tenth of a second to find nothing wrong with an empty relation.
    """

    gate: Gate
    relation: str
    suite_name: str
    suite: Suite
    reason: str
    rows_to_judge: str | None = None

    @property
    def check_name(self) -> str:
        return f"gate_{self.suite_name}"

    @property
    def asset_key(self) -> tuple[str, ...]:
        return asset_key_of(self.relation)


@dataclass(frozen=True)
class CheckSpec:
    """What the orchestrator needs to declare one blocking check, without importing anything heavy."""

    gate: Gate
    relation: str
    asset_key: tuple[str, ...]
    name: str
    description: str


def asset_key_of(relation: str) -> tuple[str, ...]:
    """raw.shopify__orders -> ('raw', 'shopify', 'orders'); marts.churn_risk -> ('marts', 'churn_risk')."""
    schema, table = relation.split(".", 1)
    return (schema, *table.split("__", 1)) if schema == "raw" else (schema, table)


_VENDOR_REASON = "a changed export or a lost batch shows here, before anything is computed from it"

GATES: tuple[GateRow, ...] = (
    GateRow("raw", "raw.batches", "batches", raw.batches, "every row that came in has exactly one fate"),
    *(
        GateRow("raw", f"raw.{spec.name}", spec.name, raw.vendor(spec), _VENDOR_REASON, raw.rows_to_judge(spec))
        for spec in raw.RELATIONS
    ),
    *(GateRow("identity", f"identity.{name}", name, suite, reason) for name, suite, reason in identity.SUITES),
    *(GateRow("core", f"core.{name}", name, suite, reason) for name, suite, reason in core.SUITES),
    *(
        GateRow("marts", f"marts.{name}", name, suite, reason)
        for name, suite, reason in (
            *marts.SUITES,
            *marts_value.SUITES,
            *marts_accounts.SUITES,
            *marts_support.SUITES,
            *kpi.SUITES,
        )
    ),
)


def rows_of(gate: Gate) -> tuple[GateRow, ...]:
    """The rows of one gate, in the order they are judged."""
    return tuple(row for row in GATES if row.gate == gate)


def relations_of(gate: Gate) -> tuple[str, ...]:
    """The relations one gate judges."""
    return tuple(row.relation for row in rows_of(gate))


def specs(gate: Gate | None = None) -> Iterator[CheckSpec]:
    """One check per row, of one gate or of all."""
    for row in GATES:
        if gate in (None, row.gate):
            yield CheckSpec(row.gate, row.relation, row.asset_key, row.check_name, row.reason)
