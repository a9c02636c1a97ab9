"""The four gates: each judges the relations of one stage, stores its verdicts, and blocks what comes after."""

import logging
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from expectations.context import GateContext, GateLimits
from expectations.registry import CheckSpec, GateRow, specs
from expectations.report import RelationVerdict
from expectations.runner import run_gate
from kizuna.builds import record_gate, require_passed
from kizuna.files import database_state
from kizuna.flow import GATES, Gate
from kizuna.identity_rules import stated_limits
from kizuna.rebuilt import base_of
from kizuna.scorecard.gates import write_gate_report
from kizuna.versions import published_rows
from orchestration.session import BUILD_POOL, Company, Session, resume

RUNBOOK = "docs/runbooks/gate-failed.md"

#: A table in the UI is to be read.
MAX_RECORDS = 50

#: Settings of section `identity` that are limits of the identity gate, under the same names.
GATED = {"max_id_churn", "min_id_churn", "stitch_rate_low", "stitch_rate_high", "max_stitch_change"}


def gate_checks(gate: Gate) -> dg.AssetChecksDefinition:
    """One op that judges every relation of `gate`: one blocking check per row of the registry."""
    rows = list(specs(gate))

    @dg.multi_asset_check(
        name=f"gate_{gate}",
        pool=BUILD_POOL,
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


def judge(session: Session, gate: Gate, rows_judged: Sequence[GateRow] | None = None) -> dict[str, RelationVerdict]:
    """Run the gate and store what it said before anybody acts on it. `rows_judged` replaces the registry's rows."""
    published = base_of(session.settings, session.build)
    outcome: str = "could_not_run"
    verdicts: list[dict[str, Any]] = []
    rows: dict[str, int] = {}
    unjudged: list[tuple[str, str, str]] = []
    file = database_state(session.build.db)
    try:
        report = run_gate(
            gate,
            session.build.db,
            rows=rows_judged,
            context=GateContext(
                as_of=session.build.as_of,
                timezone=session.settings.company.timezone,
                currency=session.settings.company.currency,
                limits=GateLimits(
                    identifiers_per_customer_default=session.settings.company.kpi.identity_limit_default,
                    identifiers_per_customer_stated=stated_limits(session.settings.home, session.settings.company),
                    **session.settings.company.identity.model_dump(include=GATED),
                    **session.settings.company.gates.model_dump(),
                ),
                previous_as_of=date.fromisoformat(published.manifest["as_of"]) if published else None,
                previous_rows=published_rows(session.store, published),
            ),
        )
        outcome = report.outcome
        rows = {verdict.relation: verdict.rows for verdict in report.verdicts if verdict.rows is not None}
        unjudged = [(verdict.relation, *found) for verdict in report.verdicts for found in verdict.unjudged]
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
        laxer = session.settings.company.laxer_limits()
        record_gate(
            session.store,
            session.build,
            gate,
            outcome,
            verdicts,
            rows=rows,
            unjudged=unjudged,
            laxer=laxer,
            file=file,
        )
        try:
            write_gate_report(session.store, session.settings, session.build)
        except OSError as error:
            # The verdicts are stored; a full disk must not turn them into an error of the page.
            logging.getLogger(__name__).warning("the gate report was not written: %s", error)
    return {verdict.relation: verdict for verdict in report.verdicts}


def _result(row: CheckSpec, verdict: RelationVerdict) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {
        "outcome": verdict.outcome,
        "expectations": verdict.evaluated,
        "failed": len(verdict.failed),
        "warnings": len(verdict.warnings),
        "seconds": verdict.seconds,
    }
    if verdict.failed or verdict.warnings:
        metadata["expectations that do not hold"] = _table(verdict)
        metadata["what to do"] = RUNBOOK
    if verdict.unjudged:
        metadata["without a verdict"] = "; ".join(f"{rule}: {why}" for rule, why in verdict.unjudged)
    return dg.AssetCheckResult(
        check_name=row.name,
        asset_key=dg.AssetKey(row.asset_key),
        passed=verdict.outcome == "passed",
        severity=dg.AssetCheckSeverity.ERROR,
        description=verdict.summary,
        metadata=metadata,
    )


def _table(verdict: RelationVerdict) -> dg.TableMetadataValue:
    """Each expectation that does not hold, with a row for each masked row of its sample."""
    records = [
        dg.TableRecord(
            {
                "expectation": found.name,
                "severity": found.severity,
                "rows": -1 if (count := found.rows_failed) is None else count,
                "owner": found.owner,
                "reason": found.reason,
                "sample": ", ".join(f"{name}={value or '(empty)'}" for name, value in row.items()),
            }
        )
        for found in (*verdict.failed, *verdict.warnings)
        for row in found.sample or ({},)
    ]
    return dg.MetadataValue.table(records[:MAX_RECORDS])


checks = [gate_checks(gate) for gate in GATES]
