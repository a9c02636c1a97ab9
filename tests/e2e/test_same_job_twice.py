"""The same files twice: nothing new the second time; forced, the same bytes and no second message.

The first build is the shell's, the forced one is launched by Dagster itself: whichever way in, the same comes out.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

#: Tables that depend on the sequence of builds: a version built on top of v-2 has seen one build more.
#: The audit of identity and the stability of segments say what moved since that build. The other histories are not
#: among them: what an unchanged build adds to identity_changes, kpi_history and kpi_restatements is nothing.
HISTORY: frozenset[str] = frozenset({"identity_audit", "segment_stability"})

OTHER_HABITS = {"PYTHONHASHSEED": "7", "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C"}


def tables(demo: Any, version: int) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (demo.path / "published" / f"v-{version}" / "marts").iterdir()}


def files_below(*folders: Path) -> dict[str, tuple[int, float]]:
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime)
        for folder in folders
        for path in folder.rglob("*")
        if not path.is_dir()
    }


@pytest.fixture(scope="module")
def again(demo_copy: Any, cli: Any) -> Any:
    """A second `kizuna run` over the same files, and what it changed."""
    watched = [demo_copy.path / name for name in ("published", "raw", "quarantine", "previews", "messages", "builds")]
    before = files_below(*watched)
    ran = cli("run", "--home", demo_copy.path, "--as-of", "2026-06-30")
    after = files_below(*watched)
    return ran, {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.fixture(scope="module")
def forced(demo_copy: Any, cli: Any, again: Any) -> Any:
    """Then a build that is asked for all the same, as Dagster's own command launches it, on a machine of other habits.

    Another hash seed, time zone and locale, and one processor, so that the engine deals rows out otherwise.
    """
    config = {"ops": {"ingest": {"config": {"as_of": "2026-06-30", "force": True}}}}
    file = demo_copy.path / "forced.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")
    command = ["job", "execute", "-m", "orchestration.definitions", "-a", "defs", "-j", "daily", "-c", file]
    homes = {"KIZUNA_HOME": str(demo_copy.path), "DAGSTER_HOME": str(demo_copy.path / "dagster")}
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    try:
        return cli(*command, program="dagster", env={**homes, **OTHER_HABITS})
    finally:
        os.sched_setaffinity(0, processors)


def test_a_second_run_builds_and_publishes_nothing(demo_copy: Any, again: Any) -> None:
    ran, changed = again
    assert "Nothing new" in ran.output
    assert changed == set()
    builds = demo_copy.control("SELECT as_of, attempt, status FROM builds WHERE fence <= 2 ORDER BY started_at")
    assert [row[1:] for row in builds] == [(1, "published"), (1, "published")]


def test_a_forced_run_is_a_new_version_of_the_same_build(demo_copy: Any, forced: Any) -> None:
    assert demo_copy.versions() == [1, 2, 3]
    old, new = demo_copy.manifest(2), demo_copy.manifest()
    assert new["version"] == 3
    assert (new["build_id"], new["attempt"]) == (old["build_id"], 2)
    for key in ("as_of", "config_hash", "code_version", "inputs"):
        assert new[key] == old[key], key
    judged = [{(v["gate"], v["relation"], v["outcome"]) for v in manifest["verdicts"]} for manifest in (old, new)]
    assert judged[0] == judged[1] != set()


def test_its_parquet_files_are_the_same_bytes(demo_copy: Any, forced: Any) -> None:
    old, new = tables(demo_copy, 2), tables(demo_copy, 3)
    assert sorted(new) == sorted(old)
    assert sorted(table for table in new if new[table] != old[table]) == sorted(HISTORY)
    assert {t: v for t, v in demo_copy.manifest(3)["tables"].items() if t not in HISTORY} == {
        t: v for t, v in demo_copy.manifest(2)["tables"].items() if t not in HISTORY
    }


def test_its_database_holds_the_same_rows(demo_copy: Any, forced: Any) -> None:
    names = [name for (name,) in demo_copy.published("SELECT table_name FROM duckdb_tables() ORDER BY table_name")]
    assert len(names) == len(tables(demo_copy, 3))
    for name in sorted(set(names) - HISTORY):
        query = f"SELECT count(*), CAST(bit_xor(hash(t)) AS VARCHAR), CAST(sum(hash(t)) AS VARCHAR) FROM marts.{name} t"
        assert demo_copy.published(query, 3) == demo_copy.published(query, 2), name


def test_nobody_is_told_twice(demo: Any, demo_copy: Any, forced: Any) -> None:
    query = "SELECT key, state, attempts, created_at, sent_at FROM outbox ORDER BY message_id"
    assert demo_copy.control(query) == demo.control(query)
    kinds = [key.split(":")[0] for key, *_ in demo_copy.control(query)]
    assert kinds == ["digest", "churn"], "without messages this would not see one told twice"
    assert sorted(path.name for path in (demo_copy.path / "previews").iterdir()) == sorted(
        path.name for path in (demo.path / "previews").iterdir()
    )
