"""A gate that does not pass stops the line: inside the run, and for whoever launches a later asset afterwards.

Each gate is broken for real, on a copy of a built company whose build would be published, spike and message included,
if nothing were wrong.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from expectations import registry
from expectations.registry import specs
from kizuna.flow import GATES, STAGES


@dataclass(frozen=True)
class Break:
    """How one relation of a gate is broken behind the line's back."""

    gate: str
    outcome: str
    relation: str
    statements: tuple[str, ...]


BREAKS = (
    Break(
        "raw",
        "failed",
        "raw.zendesk__users",
        (
            "CREATE TABLE raw.kept AS SELECT * FROM raw.zendesk__users OFFSET 1",
            "DROP VIEW raw.zendesk__users",
            "ALTER TABLE raw.kept RENAME TO zendesk__users",
        ),
    ),
    Break("raw", "could_not_run", "raw.zendesk__users", ("DROP VIEW raw.zendesk__users",)),
    Break("identity", "failed", "identity.customer_map", ("DELETE FROM identity.customer_map WHERE rowid = 0",)),
    Break("identity", "could_not_run", "identity.identity_links", ("DROP TABLE identity.identity_links",)),
    Break("core", "failed", "core.fct_orders", ("INSERT INTO core.fct_orders SELECT * FROM core.fct_orders LIMIT 1",)),
    Break("core", "could_not_run", "core.fct_orders", ("ALTER TABLE core.fct_orders DROP COLUMN ordered_on",)),
    Break("marts", "failed", "marts.ltv_by_customer", ("UPDATE marts.ltv_by_customer SET net = net + 1",)),
    Break("marts", "could_not_run", "marts.ltv_by_customer", ("DROP TABLE marts.ltv_by_customer",)),
)


class Parts:
    """Assets and checks of the job by stage and gate."""

    def __init__(self, graph: Any) -> None:
        self.assets = {key.to_user_string() for key in graph.get_all_asset_keys()}
        self.checks = {f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys}

    @staticmethod
    def _stage(name: str) -> str:
        return {"state": "raw"}.get(name.split("/")[0], name.split("/")[0])

    def of(self, *stages: str) -> set[str]:
        return {asset for asset in self.assets if self._stage(asset) in stages}

    def up_to(self, stage: str) -> set[str]:
        return self.of(*STAGES[: STAGES.index(stage) + 1])

    def after(self, stage: str) -> set[str]:
        return self.assets - self.up_to(stage)

    def checks_on(self, assets: set[str]) -> set[str]:
        return {check for check in self.checks if check.split(":")[0] in assets}

    @staticmethod
    def gate(gate: str) -> set[str]:
        return {f"{'/'.join(row.asset_key)}:{row.name}" for row in specs(gate)}  # type: ignore[arg-type]

    def whole(self, stage: str) -> dict[str, set[str]]:
        """The whole stage without its gate, as one launches it from the asset graph."""
        assets = self.of(stage)
        gate = self.gate(stage) if stage in GATES else set()
        return {"assets": assets, "checks": self.checks_on(assets) - gate}


@pytest.fixture(scope="module")
def parts(defs: Any) -> Parts:
    return Parts(defs.resolve_asset_graph())


def later_launches(parts: Parts, gate: str) -> dict[str, dict[str, set[str]]]:
    """Every way to go on behind a gate by hand: the next stage, the next gate, publishing, telling."""
    next_stage = STAGES[STAGES.index(gate) + 1] if gate != "marts" else None
    later_gates = GATES[GATES.index(gate) + 1 :]  # type: ignore[arg-type]
    launches: dict[str, dict[str, set[str]]] = {}
    if next_stage:
        launches[f"stage {next_stage}"] = parts.whole(next_stage)
    if later_gates:
        launches[f"gate {later_gates[0]}"] = {"assets": set(), "checks": parts.gate(later_gates[0])}
    launches["publish"] = {"assets": {"published/version"}, "checks": set()}
    launches["alerts"] = {"assets": {"alerts/messages"}, "checks": parts.checks_on({"alerts/messages"})}
    return launches


def test_unbroken_the_same_build_is_published_and_told(line: Any, ready: Any, parts: Parts) -> None:
    """The control of every test below: with nothing broken, exactly the forbidden things happen."""
    before = line.published()
    told = parts.of("published", "alerts")
    run = line.run(assets=told, checks=parts.gate("marts") | parts.checks_on(told), tags=ready.tags)
    assert run.success, run.errors
    assert run.materialized == {"published/version", "alerts/messages"}
    after = line.published()
    assert (before["current"], after["current"]) == ("v-1", "v-2")
    assert {name: after[name] for name in before if name != "current"} == {
        name: digest for name, digest in before.items() if name != "current"
    }
    assert [message["key"] for message in line.business_messages] == ["churn:region:九州:2026-06-30:open"]


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: f"{broken.gate}-{broken.outcome}")
def test_a_gate_that_does_not_pass_stops_everything_after_it(
    line: Any, ready: Any, parts: Parts, broken: Break
) -> None:
    build = line.build(ready.tags)
    line.change(build, *broken.statements)
    before = line.published()
    later = parts.after(broken.gate)

    run = line.run(assets=later, checks=parts.gate(broken.gate) | parts.checks_on(later), tags=ready.tags)

    assert not run.success
    assert run.failed_steps == run.started_steps == [f"gate_{broken.gate}"]
    assert run.materialized == set(), "something after the gate was built"
    assert sorted(check for check, _ in run.evaluations) == sorted(parts.gate(broken.gate))
    assert f"gate_{broken.relation.split('.')[1]}" in {
        check.split(":")[1] for check, passed in run.evaluations if not passed
    }
    assert line.outcomes(build)[broken.gate] == broken.outcome
    assert line.verdicts(build, broken.gate)[broken.relation] == broken.outcome
    assert line.published() == before
    assert line.business_messages == []

    # `blocking=True` holds only inside one run: from here on only the stored verdict stands in the way.
    for name, launch in later_launches(parts, broken.gate).items():
        alone = line.run(**launch, tags=ready.tags)
        assert not alone.success, f"{name} went on behind gate {broken.gate}"
        assert alone.materialized == set() and alone.evaluations == [], name
        assert f"gate {broken.gate} {broken.outcome.replace('_', ' ')}" in alone.errors[0], (name, alone.errors)
    assert line.published() == before
    assert line.business_messages == []


def test_orders_of_the_next_century_stop_the_whole_run_at_the_raw_gate(line: Any, ready: Any, parts: Parts) -> None:
    """A real file with a real fault, through the whole job: one order export whose years are 100 too late."""
    export = max((line.home / "landing" / "shopify").rglob("orders_export*.csv"))
    with export.open(encoding="utf-8", newline="") as file:
        orders = list(csv.DictReader(file))
    with (export.parent / "orders_export_9.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, orders[0].keys())
        writer.writeheader()
        for order in orders:
            late = order["Created at"].replace("2026", "2126").replace("2025", "2125")
            writer.writerow({**order, "Name": f"{order['Name']}9", "Created at": late})
    before = line.published()

    run = line.run()

    assert not run.success
    assert run.failed_steps == ["gate_raw"]
    assert run.materialized == parts.up_to("raw")
    assert parts.after("raw") == parts.of("staging", "identity", "core", "scores", "marts", "published", "alerts")
    assert run.tags["kizuna/build_id"] != ready.tags["kizuna/build_id"]
    build = line.build(run.tags)
    assert line.outcomes(build) == {"raw": "failed"}
    assert [name for name, outcome in line.verdicts(build, "raw").items() if outcome != "passed"] == [
        "raw.shopify__orders"
    ]
    assert line.published() == before
    assert line.business_messages == []
    for asset in ("published/version", "alerts/messages"):
        tags = {key: run.tags[key] for key in ready.tags}
        alone = line.run(assets={asset}, checks=parts.checks_on({asset}), tags=tags)
        assert not alone.success
        assert "gate raw failed" in alone.errors[0]
    assert line.published() == before
    assert line.business_messages == []


def test_a_rule_that_does_not_hold_stops_the_whole_run_at_the_marts_gate(
    stopped: Any, built: Any, parts: Parts
) -> None:
    """The longest way a bad build can go: every mart is written, none of it is seen."""
    run, line = stopped.run, stopped.line
    assert not run.success
    assert run.failed_steps == ["gate_marts"]
    assert run.materialized == parts.up_to("marts")
    assert parts.assets - run.materialized == {"published/version", "alerts/messages"}
    build = line.build(run.tags)
    assert line.outcomes(build) == {"raw": "passed", "identity": "passed", "core": "passed", "marts": "failed"}
    verdicts = line.verdicts(build, "marts")
    assert [relation for relation, outcome in verdicts.items() if outcome != "passed"] == ["marts.customer_360"]
    assert line.published() == built.line.published()
    assert line.business_messages == []


def test_a_resolver_that_loses_people_is_stopped_by_the_identity_gate(
    line: Any, ready: Any, parts: Parts, defs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own code: the stage ends well, its gate does not, and nothing of core is built on it."""
    from analytics.identity import resolve as resolving

    right = resolving.resolve

    def losing_three(*args: Any, **kwargs: Any) -> Any:
        resolution = right(*args, **kwargs)
        kept: pa.Table = resolution.customer_map.slice(3)
        return replace(resolution, customer_map=kept)

    monkeypatch.setattr(resolving, "resolve", losing_three)
    (resolver,) = (a for a in defs.resolve_asset_graph().assets_defs if a.keys and a.op.name == "resolve_identity")
    written = {key.to_user_string() for key in resolver.keys}
    later = parts.after("identity")
    before = line.published()

    run = line.run(
        assets=written | later,
        checks=parts.gate("identity") | parts.checks_on(later),
        tags=ready.tags,
    )

    assert run.failed_steps == ["gate_identity"]
    assert run.started_steps == ["resolve_identity", "gate_identity"]
    assert run.materialized == written
    assert line.outcomes(line.build(ready.tags))["identity"] == "failed"
    assert line.published() == before
    assert line.business_messages == []


def test_what_is_mended_by_hand_after_its_gate_goes_no_further(line: Any, ready: Any, parts: Parts) -> None:
    """Whichever way somebody launches what comes next: no gate has seen the file as it is now."""
    with duckdb.connect(str(line.build(ready.tags).db)) as db:
        db.execute("UPDATE marts.ltv_by_customer SET net = net + 1")
    before = line.published()
    for name, launch in later_launches(parts, "core").items():
        run = line.run(**launch, tags=ready.tags)
        assert not run.success and run.materialized == set() and run.evaluations == [], name
        assert "was written to after gate marts" in run.errors[0], (name, run.errors)
    assert line.published() == before
    assert line.business_messages == []


@pytest.mark.parametrize("error", [RuntimeError("a suite with a fault"), OSError("no space left on device")])
def test_a_suite_that_raises_is_not_a_pass(
    line: Any, ready: Any, parts: Parts, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Even where the gate had passed before: the newest look at the data decides, and it saw nothing."""

    def broken(*_: Any) -> Any:
        raise error

    rows = [replace(row, suite=broken) if row.relation == "marts.kpi_daily" else row for row in registry.GATES]
    monkeypatch.setattr(registry, "GATES", tuple(rows))
    build = line.build(ready.tags)
    assert line.outcomes(build)["marts"] == "passed"
    before = line.published()

    run = line.run(
        assets=parts.of("published", "alerts"),
        checks=parts.gate("marts") | parts.checks_on(parts.of("published", "alerts")),
        tags=ready.tags,
    )

    assert run.failed_steps == run.started_steps == ["gate_marts"]
    assert run.materialized == set()
    assert line.outcomes(build)["marts"] == "could_not_run"
    alone = line.run(assets={"published/version"}, checks=set(), tags=ready.tags)
    assert not alone.success
    assert "gate marts could not run" in alone.errors[0]
    assert line.published() == before
    assert line.business_messages == []


def test_a_run_that_leaves_a_gate_out_gets_no_further(
    copy_of: Callable[[Path], Any], landed: Path, parts: Parts
) -> None:
    """Assets launched without their checks: Dagster has nothing to wait for, so the next step must refuse itself."""
    line = copy_of(landed)
    assets = parts.up_to("staging")
    run = line.run(assets=assets, checks=parts.checks_on(assets) - parts.gate("raw"))
    assert run.failed_steps == ["dbt_staging"]
    assert run.materialized == parts.of("raw")
    assert "gate raw has not been judged" in run.errors[0]


def test_an_asset_without_a_build_says_which_command_to_use(ready: Any, defs: Any) -> None:
    """Every step but the first belongs to a build, and only a whole run starts one."""
    seen = set()
    for assets in defs.resolve_asset_graph().assets_defs:
        launch = {
            "assets": {key.to_user_string() for key in assets.keys},
            "checks": {f"{check.asset_key.to_user_string()}:{check.name}" for check in assets.check_keys},
        }
        if "raw/batches" in launch["assets"]:
            continue
        before = ready.line.published()
        run = ready.line.run(**launch)
        assert run.failed_steps == run.started_steps == [assets.op.name], run.errors
        assert run.materialized == set() and run.evaluations == []
        assert "kizuna run" in run.errors[0] and "kizuna/build_id" in run.errors[0], run.errors
        assert ready.line.published() == before
        seen.add(assets.op.name)
    assert len(seen) == 12


@pytest.mark.parametrize("stage", ["staging", "identity", "core", "marts"])
def test_a_part_of_a_dbt_stage_is_refused(ready: Any, parts: Parts, stage: str) -> None:
    """A stage half new and half old would carry one verdict over two different builds of its tables."""
    one = "identity/device_logins" if stage == "identity" else min(parts.of(stage))
    run = ready.line.run(assets={one}, checks=set(), tags=ready.tags)
    assert not run.success
    assert run.materialized == set()
    assert f"Stage {stage} is built as a whole" in run.errors[0], run.errors


def test_a_build_that_cannot_be_gone_on_with_is_refused(line: Any, ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags of another machine, files that were removed, code that changed: none of them may look like a pass."""
    before = line.published()

    def refused(**tags: str) -> str:
        run = line.run(assets={"published/version"}, checks=set(), tags={**ready.tags, **tags})
        assert not run.success
        return str(run.errors[0])

    assert "no attempt 7" in refused(**{"kizuna/attempt": "7"})
    assert "There is no attempt" in refused(**{"kizuna/build_id": "0" * 16})
    with monkeypatch.context() as patch:
        patch.setattr("orchestration.session.code_version", lambda: "other")
        assert "began with another code" in refused()
    line.build(ready.tags).db.unlink()
    assert "are gone" in refused()
    assert line.published() == before


def test_a_failed_gate_keeps_no_value_of_the_data(line: Any, ready: Any, parts: Parts) -> None:
    """What is stored about a failure names rules and counts; the row that failed is personal data."""
    build = line.build(ready.tags)
    line.change(build, "UPDATE core.dim_customers SET customer_id = 'canary-4711' WHERE rowid < 2")
    run = line.run(checks=parts.gate("core"), tags=ready.tags)
    assert run.failed_steps == ["gate_core"]
    with line.store.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM gate_verdicts").mappings().all()
    assert "canary-4711" not in json.dumps([dict(row) for row in rows], default=str)
    page = (build.folder / "gate-report.html").read_text(encoding="utf-8")
    assert "customer_id_is_unique" in page and "customer_id=xxxxxx-9999" in page
    assert "canary-4711" not in page
    tables = [
        found.metadata["expectations that do not hold"].records
        for found in run.result.get_asset_check_evaluations()
        if "expectations that do not hold" in found.metadata
    ]
    told = [record.data for table in tables for record in table]
    assert any(r["expectation"] == "customer_id_is_unique" and r["sample"] and r["owner"] == "crm" for r in told)
    assert "canary-4711" not in json.dumps(told)
    assert "canary-4711" not in run.log
    assert all("canary-4711" not in str(event) for event in run.result.all_events)
