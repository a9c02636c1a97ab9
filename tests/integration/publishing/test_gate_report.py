"""What gates said of a build, as a page; and what later builds are held to, which goes back with a rollback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kizuna.builds import record_gate
from kizuna.flow import STEPS
from kizuna.scorecard.gates import render_gate_report, write_gate_report
from kizuna.versions import current, published_rows, rollback

FOUND = {
    "name": "order_id_is_unique", "column": "order_id", "severity": "error", "observed": None, "unexpected_count": 1234,
    "unexpected_percent": 1.0, "reason": "a double order is <double> revenue", "owner": "finance",
    "sample": [{"order_id": "xxxxxxx:#999", "customer_id": ""}],
}  # fmt: skip
WARNED = FOUND | {"name": "orders_have_a_customer", "severity": "warning", "unexpected_count": 7, "sample": []}


def verdict(relation: str, outcome: str, **more: Any) -> dict[str, Any]:
    suite = f"gate_{relation.split('.')[1]}"
    return {
        "relation": relation,
        "suite": suite,
        "outcome": outcome,
        "evaluated": 5,
        "failed": [],
        "warnings": [],
    } | more


def test_the_page_says_what_failed_why_whose_and_what_to_do(make_company: Callable[..., Any]) -> None:
    company = make_company()
    lease = company.lease()
    build = company.build(lease, 10, steps=STEPS[:2])
    record_gate(company.store, build, "identity", "could_not_run", [
        verdict("identity.identity_links", "could_not_run", failed=[{"problem": "relation identity.x does not exist"}])
    ])  # fmt: skip
    core = [
        verdict("core.fct_orders", "failed", failed=[FOUND], warnings=[WARNED]),
        verdict("core.dim_customers", "passed"),
    ]
    unjudged = [("core.dim_customers", "customers_are_mixed", "too few customers")]
    laxer = ["gates.max_volume_drop 1 (shipped 0.5)"]
    record_gate(
        company.store, build, "core", "failed", core, rows={"core.fct_orders": 5000}, unjudged=unjudged, laxer=laxer
    )
    page = write_gate_report(company.store, company.settings, build).read_text(encoding="utf-8")
    lease.release()
    for gate, outcome in (
        ("raw", "passed"),
        ("identity", "could_not_run"),
        ("core", "failed"),
        ("marts", "not judged"),
    ):
        assert f'id="gate-{gate}" data-outcome="{outcome}"' in page
    for said in (
        "order_id_is_unique", "a double order is &lt;double&gt; revenue", "finance", "1,234", "order_id=xxxxxxx:#999",
        "customer_id=(empty)", "orders_have_a_customer", "docs/runbooks/gate-failed.md", "too few customers",
        "relation identity.x does not exist", "1 of 2 relations passed", "5,000 rows",
        "limits above those shipped: gates.max_volume_drop 1 (shipped 0.5)",
    ):  # fmt: skip
        assert said in page, said
    assert "http" not in page.replace("http-equiv", ""), "the page asks nobody for anything"
    shown = render_gate_report(company.store, company.settings, build, samples=False)
    assert "order_id_is_unique" in shown and "xxxxxxx:#999" not in shown


def test_counts_that_later_builds_are_held_to_go_back_with_a_rollback(make_company: Callable[..., Any]) -> None:
    company = make_company()
    assert published_rows(company.store, current(company.settings)) == {}
    for rows in (100, 300):
        lease = company.lease()
        build = company.build(lease, rows, steps=STEPS[:-1])
        kind, gate = STEPS[-1]
        assert kind == "gate"
        record_gate(company.store, build, gate, "passed", [], rows={"core.fct_orders": rows, "marts.orders": rows})
        company.publish(build, lease)
        lease.release()
        assert published_rows(company.store, current(company.settings))["core.fct_orders"] == rows
    lease = company.lease()
    rollback(company.store, company.settings, lease)
    lease.release()
    assert published_rows(company.store, current(company.settings)) == {
        "core.fct_orders": 100, "marts.orders": 100, "marts.customers": 3,
    }  # fmt: skip


def test_a_build_that_was_not_published_holds_nobody_to_anything(make_company: Callable[..., Any]) -> None:
    company = make_company()
    company.publish_rows(100)
    lease = company.lease()
    build = company.build(lease, 900, steps=STEPS[:-1])
    record_gate(company.store, build, STEPS[-1][1], "failed", [], rows={"marts.orders": 900})
    lease.release()
    assert published_rows(company.store, current(company.settings))["marts.orders"] == 100


def test_samples_are_not_published(make_company: Callable[..., Any]) -> None:
    company = make_company()
    lease = company.lease()
    build = company.build(lease, 10, steps=STEPS[:-1])
    warned = WARNED | {"sample": [{"customer_id": "xxxx"}]}
    record_gate(company.store, build, STEPS[-1][1], "passed", [verdict("marts.orders", "passed", warnings=[warned])])
    manifest = company.publish(build, lease).manifest
    lease.release()
    (found,) = [found for row in manifest["verdicts"] for found in row["warnings"]]
    assert found["name"] == "orders_have_a_customer" and "sample" not in found
