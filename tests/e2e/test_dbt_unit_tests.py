"""dbt's unit tests: production builds leave them out, so they run here, against the tables of a real build."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

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
