"""dbt's unit tests, which production builds leave out, and the project's own data tests against planted defects."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import orjson


def test_every_dbt_unit_test_passes(demo: Any, tmp_path: Path) -> None:
    from orchestration.dbt_child import DbtChild
    from orchestration.manifest import DBT_PROJECT, manifest

    builds = sorted(demo.path.glob("builds/*/a*/build.duckdb"), key=lambda path: path.stat().st_mtime)
    shutil.copyfile(builds[-1], tmp_path / "build.duckdb")
    assert not builds[-1].with_suffix(".duckdb.wal").exists()
    args = ["test", "--select", "test_type:unit", "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    args += ["--target-path", str(tmp_path / "target"), "--log-level-file", "none"]
    # Parsed anew: the variables of a unit test are read while parsing.
    child = DbtChild(args, env={"KIZUNA_BUILD_DB": str(tmp_path / "build.duckdb")}, cwd=DBT_PROJECT, manifest=None)
    events = [orjson.loads(line) for line in child.stdout]
    messages = [event["info"]["msg"] for event in events if event["info"]["level"] == "error"]
    assert child.wait() == 0, "\n".join(messages)
    finished = {
        event["data"]["node_info"]["unique_id"]: event["data"]["node_info"]["node_status"]
        for event in events
        if event["info"]["name"] == "NodeFinished"
    }
    expected = set(manifest()["unit_tests"])
    assert len(expected) >= 20
    assert finished == dict.fromkeys(expected, "pass")


def test_a_record_lost_on_the_way_is_seen(demo: Any, tmp_path: Path) -> None:
    """One record taken out of a staged table of a real build."""
    from orchestration.dbt_child import DbtChild
    from orchestration.manifest import DBT_PROJECT, packed_manifest

    builds = sorted(demo.path.glob("builds/*/a*/build.duckdb"), key=lambda path: path.stat().st_mtime)
    shutil.copyfile(builds[-1], tmp_path / "build.duckdb")
    with duckdb.connect(str(tmp_path / "build.duckdb")) as db:
        db.execute(
            "DELETE FROM staging.stg_zendesk__users "
            "WHERE zendesk_user_id = (SELECT min(zendesk_user_id) FROM staging.stg_zendesk__users)"
        )
    args = ["test", "--select", "keeps_every_raw_key_stg_zendesk*", "--project-dir", str(DBT_PROJECT)]
    args += ["--profiles-dir", str(DBT_PROJECT), "--target-path", str(tmp_path / "target"), "--log-level-file", "none"]
    args += ["--vars", '{as_of: "2026-06-30", as_of_end_utc: "2026-06-30 15:00:00"}']
    env = {"KIZUNA_BUILD_DB": str(tmp_path / "build.duckdb")}
    child = DbtChild(args, env=env, cwd=DBT_PROJECT, manifest=packed_manifest())
    found = [
        (event["data"]["name"], event["data"]["num_failures"])
        for event in map(orjson.loads, child.stdout)
        if event["info"]["name"] == "LogTestResult" and event["data"]["status"] == "fail"
    ]
    assert child.wait() == 1
    assert [(name.startswith("keeps_every_raw_key_stg_zendesk__users"), failures) for name, failures in found] == [
        (True, 1)
    ]
