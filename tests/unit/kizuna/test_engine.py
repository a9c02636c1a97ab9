"""A build keeps to the memory it may take, and what does not fit lies beside it, not where the command was given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kizuna import engine
from kizuna.engine import connect, engine_settings, machine_memory_mb
from kizuna.operating_settings import BuildLimits


def test_a_bound_holds_and_the_rest_lies_in_the_folder_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, spill = tmp_path / "here", tmp_path / "build" / "spill"
    here.mkdir()
    spill.parent.mkdir()
    monkeypatch.chdir(here)
    with connect(None, BuildLimits(memory_mb=512, spill_mb=900), spill=spill) as db:
        shown = db.execute(
            "SELECT current_setting('memory_limit'), current_setting('max_temp_directory_size')"
        ).fetchall()
        assert shown == [("512.0 MiB", "900.0 MiB")]
        db.execute("SET memory_limit = '64MB'; SET threads = 1")
        db.execute("CREATE TABLE t AS SELECT range, repeat(md5(range::VARCHAR), 4) FROM range(900_000)")
        assert sum(file.stat().st_size for file in spill.iterdir()) > 1_000_000
        assert list(here.iterdir()) == []
    assert not spill.exists() or list(spill.iterdir()) == []


def test_without_a_bound_it_is_three_fifths_of_the_machine() -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    assert 0 < machine_memory_mb() <= machine
    taken = engine_settings(BuildLimits())
    assert taken["memory_limit"] == f"{machine_memory_mb() * 60 // 100}MiB"
    assert taken["max_temp_directory_size"] == "90% of available disk space"


@pytest.mark.parametrize(
    ("line", "files", "bounds"),
    [
        ("0::/system.slice/kizuna.service\n", {"system.slice/kizuna.service/memory.max": "2147483648"}, [2 << 30]),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "4294967296"}, [4 << 30]),
        ("0::/\n", {"memory.max": "1073741824\n"}, [1 << 30]),
        ("5:memory:/job\n4:cpu:/job\n", {"memory/job/memory.limit_in_bytes": "3221225472"}, [3 << 30]),
        ("0::/a\n", {}, []),
    ],
    ids=["unit", "parent", "container", "first version", "none"],
)
def test_a_container_counts_for_what_it_may_take(
    tmp_path: Path, line: str, files: dict[str, str], bounds: list[int]
) -> None:
    own = tmp_path / "own"
    own.write_text(line)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert engine._limits_of_groups(tmp_path, own) == bounds
    assert engine._limits_of_groups(tmp_path, tmp_path / "missing") == []
