"""The code location as Dagster sees it: a golden list of assets and checks, and what every one of them must have."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from expectations.registry import specs
from kizuna.builds import PROJECT_ROOT
from kizuna.flow import STAGES
from orchestration.manifest import manifest

GOLDEN = Path(__file__).parent / "golden" / "definitions.json"
# Read before a fixture hides the environment: KIZUNA_REWRITE_GOLDEN=1 writes the list anew, to be read in the diff.
REWRITE = os.environ.get("KIZUNA_REWRITE_GOLDEN") == "1"


@pytest.fixture(scope="module")
def graph(defs: Any) -> Any:
    return defs.resolve_asset_graph()


def check_specs(graph: Any) -> list[dg.AssetCheckSpec]:
    """Every check as its op declares it, so that one declared twice is seen twice."""
    return [spec for assets in graph.assets_defs for spec in assets.check_specs]


def name_of(spec: dg.AssetCheckSpec) -> str:
    return f"{spec.asset_key.to_user_string()}:{spec.name}"


def test_assets_and_checks_are_those_of_the_golden_list(graph: Any) -> None:
    """A model or a test that disappears, or a check that stops blocking, must be seen in a diff by a person."""
    found = {
        "assets": {key.to_user_string(): graph.get(key).group_name for key in sorted(graph.get_all_asset_keys())},
        "checks": {name_of(spec): "blocking" if spec.blocking else "warning" for spec in check_specs(graph)},
    }
    found["checks"] = dict(sorted(found["checks"].items()))
    if REWRITE:
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for part in ("assets", "checks"):
        gone = sorted(golden[part].items() - found[part].items())
        new = sorted(found[part].items() - golden[part].items())
        assert not gone and not new, (
            f"{part} differ from the golden list.\ngone: {gone}\nnew: {new}\n"
            f"If this is meant: KIZUNA_REWRITE_GOLDEN=1 python -m pytest {Path(__file__).name}, and read the diff."
        )


def test_every_row_of_the_gates_is_one_blocking_check_on_an_asset_that_exists(graph: Any) -> None:
    declared = Counter(name_of(spec) for spec in check_specs(graph) if spec.blocking)
    for row in specs():
        assert dg.AssetKey(row.asset_key) in graph.get_all_asset_keys(), f"{row.relation} is no asset"
        assert declared[f"{'/'.join(row.asset_key)}:{row.name}"] == 1, f"{row.relation} of gate {row.gate}"
    assert {row.gate for row in specs()} == {"raw", "identity", "core", "marts"}


def test_every_mart_and_every_raw_relation_is_judged(graph: Any) -> None:
    """What people read, and what comes in, has a gate row; nothing enters or leaves unjudged."""
    judged = {"/".join(row.asset_key) for row in specs()}
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {key for key in keys if key.startswith(("marts/", "raw/"))} <= judged


def test_every_asset_says_what_it_is_and_whose(graph: Any) -> None:
    for key in sorted(graph.get_all_asset_keys()):
        node, name = graph.get(key), key.to_user_string()
        assert node.group_name in {*STAGES, "publish", "alerts"}, f"{name}: group {node.group_name}"
        assert node.description and len(node.description) > 10, f"{name}: description {node.description!r}"
        assert node.owners, f"{name}: nobody owns it"
        assert node.kinds, f"{name}: no kind"


def test_every_asset_is_made_here(graph: Any) -> None:
    """A key without an op is a stub that Dagster invents for a misspelt dependency: its gate would never block."""
    assert graph.external_asset_keys == set()
    assert graph.executable_asset_keys == graph.get_all_asset_keys()
    job_keys = set()
    for assets in graph.assets_defs:
        job_keys |= assets.keys
        for spec in assets.specs:
            assert {dep.asset_key for dep in spec.deps} <= graph.get_all_asset_keys(), spec.key
    assert job_keys == graph.get_all_asset_keys()


def test_every_dbt_test_is_exactly_one_check(graph: Any) -> None:
    """dagster-dbt names a check after its test; two tests of one name would silently become one check."""
    tests = {node["unique_id"]: node for node in manifest()["nodes"].values() if node["resource_type"] == "test"}
    assert len(tests) > 50
    found = Counter(
        spec.metadata["dagster_dbt/unique_id"]
        for spec in check_specs(graph)
        if "dagster_dbt/unique_id" in (spec.metadata or {})
    )
    assert set(found) == set(tests)
    assert {test: count for test, count in found.items() if count != 1} == {}
    for spec in check_specs(graph):
        unique_id = (spec.metadata or {}).get("dagster_dbt/unique_id")
        if unique_id:
            wanted = tests[unique_id]["config"]["severity"].lower() == "error"
            assert spec.blocking == wanted, f"{unique_id}: severity and blocking disagree"
    ours = [spec for spec in check_specs(graph) if spec.key.asset_key.path[0] in ("scores", "alerts")]
    named = {test["name"] for test in tests.values()}
    judgements = {(spec.key.asset_key.path[-1], spec.name) for spec in ours if spec.name not in named}
    assert judgements == {
        ("ltv_backtest", "forecast_meets_the_weeks_held_out"),
        ("messages", "messages_arrive"),
        *(
            (scores, name)
            for scores in ("churn_scores", "contract_scores")
            for name in (
                "scores_rank_and_size_a_later_period",
                "features_hold_nothing_of_the_future",
                "features_are_distributed_as_in_training",
            )
        ),
    }
    assert len(check_specs(graph)) == len(tests) + len(list(specs())) + len(judgements), "a check of no known kind"


def test_unit_tests_of_dbt_are_no_checks(graph: Any) -> None:
    """They judge the code, not the data: a build must not spend time on them."""
    names = {node["name"] for node in manifest()["unit_tests"].values()}
    assert names
    assert not names & {spec.name for spec in check_specs(graph)}


def test_every_stage_is_one_op(graph: Any) -> None:
    """One dbt folder = one op = one stage: a single op over the whole project would not stop at a gate."""
    ops: dict[str, set[str]] = {}
    for assets in graph.assets_defs:
        if assets.keys:
            ops.setdefault(assets.op.name, set()).update(graph.get(key).group_name for key in assets.keys)
    assert {op: groups for op, groups in ops.items() if len(groups) > 1} == {}
    assert {op for op in ops if op.startswith("dbt_")} == {"dbt_staging", "dbt_identity", "dbt_core", "dbt_marts"}


def test_job_schedule_and_sensors_are_there(defs: Any, graph: Any) -> None:
    job = defs.resolve_job_def("daily")
    assert job.asset_layer.executable_asset_keys == graph.get_all_asset_keys()
    assert job.asset_layer.asset_graph.asset_check_keys == graph.asset_check_keys
    assert job.executor_def.name == "in_process"
    repository = defs.get_repository_def()
    assert [schedule.name for schedule in repository.schedule_defs] == ["every_morning"]
    assert repository.schedule_defs[0].job_name == "daily"
    sensors = {sensor.name: sensor for sensor in repository.sensor_defs}
    assert set(sensors) == {"landing_files", "run_failures", "waiting_messages"}
    # Nobody should have to switch them on: whoever starts Dagster wants its company to run.
    assert {name for name, sensor in sensors.items() if sensor.default_status.value != "RUNNING"} == set()
    assert repository.schedule_defs[0].default_status.value == "RUNNING"
    assert [target.job_name for target in repository.get_sensor_def("landing_files").targets] == ["daily"]


def test_both_ways_to_start_dagster_name_the_same_module() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    workspace = yaml.safe_load((PROJECT_ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    (location,) = workspace["load_from"]
    module = location["python_module"]["module_name"]
    assert module == project["code_location_target_module"]
    assert module.startswith(project["root_module"] + ".")
    assert project["defs_module"].startswith(project["root_module"] + ".")
    assert isinstance(importlib.import_module(module).defs, dg.Definitions)
    assert importlib.import_module(project["defs_module"]).__file__


def _load_anew(monkeypatch: pytest.MonkeyPatch, home: Path) -> Any:
    """The code location as a fresh process with this KIZUNA_HOME loads it."""
    monkeypatch.setenv("KIZUNA_HOME", str(home))
    for name in [name for name in sys.modules if name.startswith(("orchestration.defs", "orchestration.definitions"))]:
        monkeypatch.delitem(sys.modules, name)
    loaded = importlib.import_module("orchestration.definitions").defs
    # What was loaded here must not outlive the test: `defs` of the other tests stays the one module.
    for name in [name for name in sys.modules if name.startswith(("orchestration.defs", "orchestration.definitions"))]:
        monkeypatch.delitem(sys.modules, name)
    return loaded


def test_definitions_load_without_any_company(
    defs: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, graph: Any
) -> None:
    monkeypatch.delenv("KIZUNA_PSEUDONYM_KEY", raising=False)
    loaded = _load_anew(monkeypatch, tmp_path / "nobody")
    dg.Definitions.validate_loadable(loaded)
    assert loaded.resolve_asset_graph().get_all_asset_keys() == graph.get_all_asset_keys()
    (schedule,) = loaded.get_repository_def().schedule_defs
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 6 * * *", "UTC")
    assert not (tmp_path / "nobody").exists()


def test_the_schedule_runs_at_the_companys_own_hour(defs: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before the company's day has ended its data is not whole; a UTC cron in Tokyo would run at three in the night."""
    (tmp_path / "kizuna.yaml").write_text("name: Acme\ntimezone: Asia/Tokyo\nschedule: {at: '05:45'}\n")
    loaded = _load_anew(monkeypatch, tmp_path)
    (schedule,) = loaded.get_repository_def().schedule_defs
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("45 5 * * *", "Asia/Tokyo")


def test_the_instance_is_quiet_and_runs_one_build_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster itself must accept the shipped file, and read in it what is meant."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((PROJECT_ROOT / "orchestration" / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.telemetry_enabled is False
        assert instance.run_monitoring_enabled is True
        assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] > 0
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
