"""dbt in a child of the fork server: it dies with its parent, and Dagster hears of every table and every test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from kizuna.builds import PROJECT_ROOT
from kizuna.operating_settings import BuildLimits
from orchestration.dbt_child import DbtChild
from orchestration.dbt_stage import build_environment
from orchestration.manifest import DBT_PROJECT, manifest, packed_manifest

#: A query that would take hours, in DuckDB's own threads: nothing in the child's Python runs any more.
PARENT = """
import sys
from pathlib import Path
from orchestration.dbt_child import DbtChild
from orchestration.manifest import DBT_PROJECT, packed_manifest

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    query = "select sum(hash(a.range + b.range)) as busy from range(10000000) a, range(10000000) b"
    args = ["show", "--inline", query, "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    args += ["--target-path", str(folder), "--log-level-file", "none", "--no-write-json"]
    env = {"KIZUNA_BUILD_DB": str(folder / "build.duckdb")}
    child = DbtChild(args, env=env, cwd=DBT_PROJECT, manifest=packed_manifest())
    print(child.pid, flush=True)
    for line in child.stdout:
        pass
"""


def children_of(pid: int) -> set[int]:
    """Living descendants of a process, by what the system says of each process's parent."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    todo = [pid]
    while todo:
        current = todo.pop()
        new = {child for child, parent in parents.items() if parent == current} - found
        found |= new
        todo += new
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
def test_a_killed_run_takes_its_dbt_child_along(tmp_path: Path, defs: Any) -> None:
    """Else the child of a killed build would go on writing, and hold the file that the next attempt needs."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    family = children_of(parent.pid)
    try:
        assert child in family
        deadline = time.monotonic() + 60
        while cpu_seconds(child) < 4 and time.monotonic() < deadline:
            assert alive(child), "the query ended by itself; nothing would be shown by its end"
            time.sleep(0.1)
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        deadline = time.monotonic() + 5
        while any(map(alive, family)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(child), "dbt goes on without its run"
        assert not [pid for pid in family if alive(pid)], "the fork server stays behind"
    finally:
        for pid in (parent.pid, *family):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        parent.stdout.close()
        parent.wait(10)


def dbt_tests() -> dict[str, str]:
    """Every data test of the project: unique id -> name."""
    return {node["unique_id"]: node["name"] for node in manifest()["nodes"].values() if node["resource_type"] == "test"}


def checks_of_dagster() -> list[dg.AssetCheckSpec]:
    """Every check of the asset graph."""
    from orchestration.definitions import defs

    return [spec for assets in defs.resolve_asset_graph().assets_defs for spec in assets.check_specs]


def test_every_dbt_test_gives_exactly_one_result(built: Any) -> None:
    """A test pulled into the wrong stage, or into none, shows as a missing or a second result."""
    reported = Counter(check.split(":", 1)[1] for check, _ in built.run.evaluations)
    # Gates, judgements of the models and the delivery are checks of the platform's own.
    own = {spec.name for spec in checks_of_dagster() if "dagster_dbt/unique_id" not in (spec.metadata or {})}
    results = Counter({name: count for name, count in reported.items() if name not in own})
    assert results == Counter(dbt_tests().values())
    assert max(results.values()) == 1


def test_tests_of_absent_vendors_are_left_to_dbt_by_nobody_and_say_so(built: Any) -> None:
    """The small company has no file of a mapping contract: dbt is not asked, and the check says that nothing was."""
    found = {
        event.check_name: event.metadata["note"].value
        for event in built.run.result.get_asset_check_evaluations()
        if "note" in event.metadata
    }
    mapped = {name for name in dbt_tests().values() if "stg_mapped__" in name}
    assert len(mapped) > 5
    assert mapped <= set(found)
    assert {found[name] for name in mapped} == {"nothing to check: no batch of mapped"}
    assert not {name for name in found if "shopify" in name or "assert_" in name}
    # dbt names each test that it runs.
    assert not {name for name in found if f" {name} " in built.run.log}


def test_only_tests_without_any_batch_are_left_out() -> None:
    from orchestration.idle_tests import idle_tests

    everything = idle_tests("staging", frozenset())
    alone = idle_tests("staging", frozenset({"mapped__order"}))
    woken = {test.split(".")[2] for test in set(everything) - set(alone)}
    assert {name for name in woken if "stg_mapped__order" in name}
    assert not {name for name in woken if "stg_mapped__refund" in name}
    # A sentence over all sources looks at whatever is there.
    assert not {name for test in everything if (name := test.split(".")[2]).startswith("assert_")}
    # What the line itself writes is there in every build.
    assert idle_tests("marts", frozenset()) == {}


def test_tables_that_can_only_be_empty_are_made_without_dbt_and_alike(
    built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration import idle_models
    from orchestration.idle_tests import relations_with_batches

    build = built.line.build(built.run.tags)
    present = relations_with_batches(build.db)
    columns = described(build.db, "staging")
    by_dbt = {
        node["unique_id"]: {"rows": 0, "columns": columns[node["alias"]]}
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "staging"
    }
    monkeypatch.setattr(idle_models, "_memory", lambda: tmp_path / "memory.json")
    assert idle_models.empty_tables("staging", present) == {}, "before dbt has made one, nothing is known of it"
    full = {**by_dbt, "model.kizuna.canonical__consent": {**by_dbt["model.kizuna.canonical__consent"], "rows": 1}}
    idle_models.remember("staging", present, full)
    empty = idle_models.empty_tables("staging", present)

    assert "model.kizuna.stg_mapped__order" in empty
    assert "model.kizuna.stg_shopify__orders" not in empty
    assert "model.kizuna.canonical__consent" not in empty, "it had a row although nothing feeds it"
    assert idle_models.empty_tables("staging", present | {"mapped__order"}).keys() == empty.keys() - {
        "model.kizuna.stg_mapped__order",
        "model.kizuna.canonical__order",
    }
    assert idle_models.empty_tables("core", present) == {}
    other = tmp_path / "other.duckdb"
    idle_models.create(other, empty.values())
    idle_models.create(other, empty.values())
    assert described(other, "staging") == {table.name: by_dbt[table.unique_id]["columns"] for table in empty.values()}


def described(path: Path, schema: str) -> dict[str, list[tuple[str, str]]]:
    """Table -> its columns as DESCRIBE tells them, for every table of a schema."""
    with duckdb.connect(str(path), read_only=True) as db:
        tables = db.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", [schema]
        ).fetchall()
        return {
            table: [(name, kind) for name, kind, *_ in db.execute(f'DESCRIBE "{schema}"."{table}"').fetchall()]
            for (table,) in tables
        }


def test_every_table_is_reported_with_its_rows_and_columns(built: Any) -> None:
    """Counted again here, in the build's own file."""
    build = built.line.build(built.run.tags)
    models = {
        f"{node['schema']}/{node['alias']}": (node["schema"], node["alias"])
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "model"
    }
    assert set(models) <= set(built.run.materializations)
    with duckdb.connect(str(build.db), read_only=True) as db:
        for asset, (schema, table) in models.items():
            metadata = built.run.materializations[asset]
            rows = db.execute(f'SELECT count(*) FROM "{schema}"."{table}"').fetchall()[0][0]
            assert metadata["dagster/row_count"].value == rows, asset
            columns = [(c.name, c.type) for c in metadata["dagster/column_schema"].schema.columns]
            assert columns == [
                (name, kind) for name, kind, *_ in db.execute(f'DESCRIBE "{schema}"."{table}"').fetchall()
            ], asset
    assert built.run.materializations["core/fct_orders"]["dagster/row_count"].value > 100


def test_python_stages_report_their_rows_too(built: Any) -> None:
    build = built.line.build(built.run.tags)
    with duckdb.connect(str(build.db), read_only=True) as db:
        for asset, metadata in built.run.materializations.items():
            schema, *name = asset.split("/")
            if schema not in {"raw", "state", "scores"}:
                continue
            if asset == "scores/gate_verdicts":
                # An asset of the stage that writes it, a relation of the schema that dbt reads it from.
                schema = "raw"
            rows = db.execute(f'SELECT count(*) FROM "{schema}"."{"__".join(name)}"').fetchall()[0][0]
            assert metadata["dagster/row_count"].value == rows, asset


def test_a_failing_dbt_test_fails_its_check_and_its_stage(line: Any, ready: Any, defs: Any) -> None:
    """An order without an exchange rate: the check says so, the stage is not done, nothing of it may be built on."""
    build = line.build(ready.tags)
    line.change(
        build,
        "UPDATE staging.stg_shopify__orders SET currency = 'CHF' "
        "WHERE order_name = (SELECT min(order_name) FROM staging.stg_shopify__orders)",
    )
    graph = defs.resolve_asset_graph()
    core = {key.to_user_string() for key in graph.get_all_asset_keys() if key.path[0] == "core"}
    checks = {
        f"{key.asset_key.to_user_string()}:{key.name}"
        for key in graph.asset_check_keys
        if key.asset_key.path[0] in {"core", "scores"} and not key.name.startswith("gate_")
    }
    scores = {key.to_user_string() for key in graph.get_all_asset_keys() if key.path[0] == "scores"}
    before = line.published()

    run = line.run(assets=core | scores, checks=checks, tags=ready.tags)

    assert run.failed_steps == run.started_steps == ["dbt_core"]
    failed = {check for check, passed in run.evaluations if not passed}
    assert "core/fct_orders:assert_every_counted_order_has_a_rate" in failed
    assert "assert_every_counted_order_has_a_rate" in run.errors[0]
    # What was written is reported: the graph must not show an older time than the table has.
    assert "core/dim_customers" in run.materialized
    assert run.materializations["core/fct_orders"]["dagster/row_count"].value > 100
    assert not run.materialized & scores
    # The stage is begun and not done: neither its gate nor publishing goes on from here.
    for launch in (
        {"assets": set(), "checks": {f"{c}:gate_{c.split('/')[1]}" for c in gate_assets("core")}},
        {"assets": {"published/version"}, "checks": set()},
    ):
        alone = line.run(**launch, tags=ready.tags)
        assert not alone.success
        assert "stage core" in alone.errors[0], alone.errors
    assert line.published() == before


def gate_assets(gate: str) -> set[str]:
    from expectations.registry import specs

    return {"/".join(row.asset_key) for row in specs(gate)}  # type: ignore[arg-type]


def test_a_child_keeps_to_what_a_build_may_take(tmp_path: Path) -> None:
    """Both bounds: a sort that needs more memory than it may take, and then more disk."""
    environment = build_environment(tmp_path / "build.duckdb", BuildLimits(memory_mb=512, spill_mb=1))
    texts = "select range as n, repeat(md5(range::varchar), 4) as text from range(900000)"
    query = (
        f"select max(place) from (select row_number() over (order by text, n) + length(text) as place from ({texts}))"
    )
    args = ["show", "--inline", query, "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    args += ["--target-path", str(tmp_path), "--log-level-file", "none", "--no-write-json"]
    assert environment["KIZUNA_BUILD_MEMORY"] == "512MiB"
    child = DbtChild(
        args, env=environment | {"KIZUNA_BUILD_MEMORY": "64MiB"}, cwd=DBT_PROJECT, manifest=packed_manifest()
    )
    said = b"".join(child.stdout).decode()
    assert child.wait(60) != 0
    assert "max_temp_directory_size" in said
