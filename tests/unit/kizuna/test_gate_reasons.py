from __future__ import annotations

from datetime import date

from kizuna.builds import record_gate, start_build
from kizuna.cli.running import gate_reasons
from kizuna.control.store import Store
from kizuna.settings import Settings


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
