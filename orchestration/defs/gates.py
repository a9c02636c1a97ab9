"""The four gates: each judges the relations of one stage, stores its verdicts, and blocks what comes after."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from expectations.context import GateContext, GateLimits
from expectations.registry import CheckSpec, specs
from expectations.report import RelationVerdict
from expectations.runner import run_gate
from kizuna.builds import record_gate, require_passed
from kizuna.flow import GATES, Gate
from kizuna.identity_rules import stated_limits
from kizuna.versions import current
from orchestration.session import Company, Session, resume

#: Settings of section `identity` that are limits of the identity gate, under the same names.
GATED = {"max_id_churn", "min_id_churn", "stitch_rate_low", "stitch_rate_high", "max_stitch_change"}


def gate_checks(gate: Gate) -> dg.AssetChecksDefinition:
    """One op that judges every relation of `gate`: one blocking check per row of the registry."""
    rows = list(specs(gate))

    @dg.multi_asset_check(
        name=f"gate_{gate}",
        description=f"Great Expectations inside DuckDB over stage {gate}; a check that could not run is not a pass.",
        specs=[
            dg.AssetCheckSpec(
                name=row.name, asset=dg.AssetKey(row.asset_key), blocking=True, description=row.description
            )
            for row in rows
        ],
    )
    def _gate(context: dg.AssetCheckExecutionContext, company: Company) -> Iterator[dg.AssetCheckResult]:
        session = resume(context, company)
        require_passed(session.store, session.build, ("gate", gate))
        verdicts = judge(session, gate)
        for row in rows:
            yield _result(row, verdicts[row.relation])

    return _gate


def judge(session: Session, gate: Gate) -> dict[str, RelationVerdict]:
    """Run the gate and store what it said before anybody acts on it."""
    published = current(session.settings)
    tables = published.manifest["tables"] if published else {}
    outcome: str = "could_not_run"
    verdicts: list[dict[str, Any]] = []
    try:
        report = run_gate(
            gate,
            session.build.db,
            context=GateContext(
                as_of=session.build.as_of,
                timezone=session.settings.company.timezone,
                currency=session.settings.company.currency,
                limits=GateLimits(
                    identifiers_per_customer_default=session.settings.company.kpi.identity_limit_default,
                    identifiers_per_customer_stated=stated_limits(session.settings.home, session.settings.company),
                    **session.settings.company.identity.model_dump(include=GATED),
                ),
                previous_as_of=date.fromisoformat(published.manifest["as_of"]) if published else None,
                previous_rows={f"marts.{name}": table["rows"] for name, table in tables.items()},
            ),
        )
        outcome = report.outcome
        verdicts = [
            {
                "relation": verdict["relation"],
                "suite": verdict["check_name"],
                "outcome": verdict["outcome"],
                "evaluated": verdict["evaluated"],
                "failed": [*verdict["failed"], *({"problem": problem} for problem in verdict["problems"])],
                "warnings": list(verdict["warnings"]),
            }
            for verdict in report.to_dict()["verdicts"]
        ]
    finally:
        # Whatever ends a gate half-way: it has not passed, and an earlier pass must not stand in for it.
        record_gate(session.store, session.build, gate, outcome, verdicts)
    return {verdict.relation: verdict for verdict in report.verdicts}


def _result(row: CheckSpec, verdict: RelationVerdict) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=row.name,
        asset_key=dg.AssetKey(row.asset_key),
        passed=verdict.outcome == "passed",
        severity=dg.AssetCheckSeverity.ERROR,
        description=verdict.summary,
        metadata={
            "outcome": verdict.outcome,
            "expectations": verdict.evaluated,
            "failed": len(verdict.failed),
            "warnings": len(verdict.warnings),
            "seconds": verdict.seconds,
        },
    )


checks = [gate_checks(gate) for gate in GATES]
