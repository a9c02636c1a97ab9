"""Data moves one way, and every gate stands in the way: in Dagster's graph, and in each step's own guard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dagster._core.definitions.dependency import BlockingAssetChecksDependencyDefinition

from expectations.registry import rows_of, specs
from kizuna.builds import Build, record_gate, record_stage, require_passed, start_build
from kizuna.control.store import Store, open_store
from kizuna.errors import GateFailed
from kizuna.flow import GATES, STAGES, STEPS
from kizuna.settings import load_settings
from orchestration.manifest import manifest

#: State of the version before enters with raw and is read wherever it is needed.
ORDER = ("raw", "staging", "identity", "core", "scores", "marts", "published", "alerts")
OPS = {
    "ingest": "raw",
    "dbt_staging": "staging",
    "dbt_identity": "identity",
    "resolve_identity": "identity",
    "dbt_core": "core",
    "score": "scores",
    "dbt_marts": "marts",
    "published__version": "published",
    "alerts__messages": "alerts",
}


def place(schema: str) -> int:
    return ORDER.index({"state": "raw"}.get(schema, schema))


def steps_after(gate: str) -> set[str]:
    """Ops of the stages after a gate, and the gates after it."""
    later = set(ORDER[place(gate) + 1 :])
    return {op for op, stage in OPS.items() if stage in later} | {f"gate_{g}" for g in GATES if g in later}


class Ops:
    """The job as Dagster executes it: which op waits for which, and through which input."""

    def __init__(self, job: Any) -> None:
        self.inputs: dict[str, dict[str, tuple[set[str], set[str]]]] = {}
        for node, dependencies in job.graph.dependencies.items():
            self.inputs[node.alias or node.name] = {
                name: self._split(dependency) for name, dependency in dependencies.items()
            }

    @staticmethod
    def _split(dependency: Any) -> tuple[set[str], set[str]]:
        """(ops whose blocking checks the input waits for, ops whose output it reads)."""
        if isinstance(dependency, BlockingAssetChecksDependencyDefinition):
            data = {dependency.other_dependency.node} if dependency.other_dependency else set()
            return {check.node for check in dependency.asset_check_dependencies}, data
        return set(), {dependency.node}

    def blocked_by(self, op: str) -> set[str]:
        """Every op that must succeed before `op` starts."""
        found: set[str] = set()
        todo = [op]
        while todo:
            for checks, data in self.inputs[todo.pop()].values():
                new = (checks | data) - found
                found |= new
                todo += new
        return found


@pytest.fixture(scope="module")
def graph(defs: Any) -> Any:
    return defs.resolve_asset_graph()


@pytest.fixture(scope="module")
def ops(defs: Any) -> Ops:
    return Ops(defs.resolve_job_def("daily"))


def test_the_words_of_the_flow_are_those_of_the_product() -> None:
    assert ORDER[: len(STAGES)] == STAGES
    assert [gate for gate in STAGES if gate in GATES] == list(GATES)


def test_no_asset_depends_on_a_later_stage(graph: Any) -> None:
    edges = 0
    for key in graph.get_all_asset_keys():
        for parent in graph.get(key).parent_keys:
            edges += 1
            assert place(parent.path[0]) <= place(key.path[0]), (
                f"{parent.to_user_string()} -> {key.to_user_string()} goes back"
            )
    assert edges > 150


def test_the_group_of_an_asset_is_its_stage(graph: Any) -> None:
    groups = {"published": "publish", "state": "raw"}
    for key in graph.get_all_asset_keys():
        assert graph.get(key).group_name == groups.get(key.path[0], key.path[0]), key.to_user_string()


def test_no_dbt_model_reads_a_later_folder() -> None:
    """Models may read their own folder, the folder before, and what Python wrote in between."""
    parsed = manifest()
    edges = 0
    for node in parsed["nodes"].values():
        if node["resource_type"] != "model":
            continue
        folder = node["fqn"][1]
        assert folder == node["schema"], f"{node['name']} lies in {folder} and is written to {node['schema']}"
        for parent_id in node["depends_on"]["nodes"]:
            parent = parsed["nodes"].get(parent_id) or parsed["sources"][parent_id]
            edges += 1
            assert place(parent["schema"]) <= place(folder), f"{parent['name']} -> {node['name']} goes back"
            if parent["resource_type"] == "model":
                assert parent["fqn"][1] == parent["schema"]
    assert edges > 90


def test_models_read_only_the_stage_before_or_their_own() -> None:
    """A mart that reads staging would go round the identity map and two gates."""
    allowed = {
        "staging": {"raw", "staging"},
        "identity": {"staging", "identity"},
        # What changed since the version before is asked of its state and of the list of batches.
        "core": {"staging", "identity", "core", "state", "raw"},
        "marts": {"core", "scores", "identity", "state", "raw", "marts"},
    }
    parsed = manifest()
    for node in parsed["nodes"].values():
        if node["resource_type"] == "model":
            for parent_id in node["depends_on"]["nodes"]:
                parent = parsed["nodes"].get(parent_id) or parsed["sources"][parent_id]
                assert parent["schema"] in allowed[node["schema"]], f"{node['name']} reads {parent_id}"
            if node["schema"] in {"core", "marts"}:
                raw = [id_ for id_ in node["depends_on"]["nodes"] if id_.startswith("source.kizuna.raw.")]
                assert {id_.rsplit(".", 1)[1] for id_ in raw} <= {"batches", "gate_verdicts"}, node["name"]


# Layer one: Dagster's own blocking.


@pytest.mark.parametrize("gate", GATES)
def test_every_later_step_waits_for_the_gate(ops: Ops, gate: str) -> None:
    """One op judges all rows of a gate and fails as a whole; so each later op must have it among its ancestors."""
    assert steps_after(gate)
    for op in steps_after(gate):
        assert f"gate_{gate}" in ops.blocked_by(op), f"{op} does not wait for gate_{gate}"


@pytest.mark.parametrize("gate", GATES)
def test_the_gate_waits_for_its_stage(ops: Ops, gate: str) -> None:
    """A gate that ran before the tables are written would judge those of nothing."""
    writers = {op for op, stage in OPS.items() if stage == gate}
    assert writers <= ops.blocked_by(f"gate_{gate}")


def test_no_reader_of_a_judged_table_is_exempt_from_its_gate(defs: Any, graph: Any, ops: Ops) -> None:
    """Dagster exempts an op from blocking checks on an upstream key if the op itself has a check on that key.

    A dbt test of a later stage attached to a judged table (a relationship test on a source, say) would switch the
    gate off for that input without a word. So no op of a later stage may carry a check on a judged key, and every
    input that reads one waits for its gate.
    """
    judged = {"/".join(row.asset_key): f"gate_{row.gate}" for row in specs()}
    seen = set()
    for assets in graph.assets_defs:
        if not assets.keys:
            continue
        op = assets.op.name
        own = {key.to_user_string() for key in assets.keys}
        checked = {check.asset_key.to_user_string() for check in assets.check_keys}
        assert not (checked - own) & set(judged), (
            f"{op} checks tables that a gate judges: {(checked - own) & set(judged)}"
        )
        for name, key in assets.keys_by_input_name.items():
            gate = judged.get(key.to_user_string())
            if gate is None or key.to_user_string() in own or name not in ops.inputs[op]:
                continue
            checks, _ = ops.inputs[op][name]
            assert gate in checks, f"{op} reads {key.to_user_string()} without waiting for {gate}"
            seen.add((op, gate))
    assert {("dbt_staging", "gate_raw"), ("dbt_core", "gate_identity")} <= seen
    assert {("score", "gate_core"), ("dbt_marts", "gate_core"), ("published__version", "gate_marts")} <= seen


# Layer two: each step asks the store.


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "kizuna.yaml").write_text("name: Test\n", encoding="utf-8")
    opened = open_store(load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": "k" * 40}))
    yield opened
    opened.close()


def build_up_to(store: Store, tmp_path: Path, steps: tuple[tuple[str, str], ...], **outcomes: str) -> Build:
    """A build whose `steps` went well, but for the gates named with another outcome."""
    settings = load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": "k" * 40})
    build = start_build(store, settings, as_of=date(2026, 6, 29), batch_ids=["b"], fence=1, run_id="run")
    for kind, name in steps:
        if kind == "stage":
            record_stage(store, build, name)
        else:
            record_gate(store, build, name, outcomes.get(name, "passed"), [])
    return build


@pytest.mark.parametrize("outcome", ["failed", "could_not_run", None])
@pytest.mark.parametrize("gate", GATES)
def test_the_guard_of_every_later_step_refuses(store: Store, tmp_path: Path, gate: str, outcome: str | None) -> None:
    """`None`: the gate was never judged, as when somebody launches assets without their checks."""
    position = STEPS.index(("gate", gate))
    steps = STEPS[:position] + STEPS[position + 1 :] if outcome is None else STEPS
    build = build_up_to(store, tmp_path, steps, **({gate: outcome} if outcome else {}))
    for before in [*STEPS[position + 1 :], None]:
        with pytest.raises(GateFailed, match=f"gate {gate}"):
            require_passed(store, build, before)
    require_passed(store, build, ("gate", gate))


@pytest.mark.parametrize("gate", GATES)
def test_a_verdict_does_not_outlive_the_tables_it_was_about(store: Store, tmp_path: Path, gate: str) -> None:
    build = build_up_to(store, tmp_path, STEPS)
    require_passed(store, build)
    record_stage(store, build, gate)
    with pytest.raises(GateFailed, match=f"{gate} was run again"):
        require_passed(store, build)


def test_a_verdict_of_another_attempt_does_not_count(store: Store, tmp_path: Path) -> None:
    build = build_up_to(store, tmp_path, STEPS)
    with pytest.raises(GateFailed, match="stage raw has not run"):
        require_passed(store, replace(build, attempt=build.attempt + 1))


def test_every_gate_judges_something() -> None:
    """An empty gate would pass by judging nothing."""
    assert all(len(rows_of(gate)) >= 3 for gate in GATES)
