from __future__ import annotations

import io
from datetime import date

from rich.console import Console

from kizuna.builds import record_gate, start_build
from kizuna.cli.running import gate_reasons
from kizuna.cli.summary import print_gates
from kizuna.control.store import Store
from kizuna.settings import Settings
from kizuna.versions import Publication


def test_a_stopped_run_names_relation_rule_rows_and_reason_of_its_newest_attempt(
    settings: Settings, store: Store
) -> None:
    failed = {"name": "net_equals_core", "unexpected_count": None, "observed": 1200, "reason": "revenue differs"}
    for rules in ([failed], [{"problem": "relation marts.churn_risk does not exist"}, failed]):
        build = start_build(store, settings, as_of=date(2026, 6, 30), batch_ids=[], fence=1, run_id="r")
        common = {"suite": "gate_x", "evaluated": 1, "warnings": []}
        record_gate(
            store,
            build,
            "marts",
            "failed",
            [
                {"relation": "marts.ltv_by_customer", "outcome": "failed", "failed": rules, **common},
                {"relation": "marts.kpi_daily", "outcome": "passed", "failed": [], **common},
            ],
        )
    assert gate_reasons(settings, build.build_id, "marts") == [
        "  marts.ltv_by_customer: could not run: relation marts.churn_risk does not exist",
        "  marts.ltv_by_customer: net_equals_core (1,200 rows): revenue differs",
    ]
    assert gate_reasons(settings, build.build_id, "core") == []


def test_the_summary_of_a_run_names_what_the_gates_only_warned_of(settings: Settings) -> None:
    def verdict(relation: str, warnings: int) -> dict[str, object]:
        rule = {"name": "days_move", "unexpected_count": 1, "observed": 1, "reason": "a campaign, or a fault"}
        common = {"gate": "marts", "outcome": "passed", "evaluated": 3, "failed": []}
        return {"relation": relation, "warnings": [rule] * warnings, **common}

    verdicts = [verdict("marts.kpi_daily", 2), verdict("marts.customer_360", 0), verdict("marts.churn_risk", 5)]
    shown = Publication(2, settings.published / "v-2", {"verdicts": verdicts})
    out = io.StringIO()
    print_gates(Console(file=out, width=80), shown, settings)
    assert out.getvalue().splitlines() == [
        "gates      marts 3/3 (9 expectations, 7 warnings)",
        *["  warning    marts.kpi_daily: days_move (1 row): a campaign, or a fault"] * 2,
        *["  warning    marts.churn_risk: days_move (1 row): a campaign, or a fault"] * 3,
        f"  report     {settings.published / 'current' / 'gate-report.html'} (2 more)",
    ]
