"""What DuckDB may take of the machine while a version is built and published.

DuckDB itself would take four fifths of the memory, counted for one process alone. A build is several: dbt's, the run's,
the daemon and the server of the UI. What does not fit goes to disk, beside the build.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import duckdb

from kizuna.operating_settings import BuildLimits

#: Percent of the machine's memory that one connection may take where nothing else is set.
_SHARE = 60
_GROUPS = Path("/sys/fs/cgroup")


def engine_settings(limits: BuildLimits) -> dict[str, str]:
    """Settings of DuckDB, by its names, for a connection that builds or publishes."""
    return {
        "memory_limit": f"{limits.memory_mb or machine_memory_mb() * _SHARE // 100}MiB",
        "max_temp_directory_size": f"{limits.spill_mb}MiB" if limits.spill_mb else "90% of available disk space",
    }


def connect(
    database: Path | None,
    limits: BuildLimits,
    *,
    spill: Path | None = None,
    config: Mapping[str, str | bool | int | float | list[str]] | None = None,
) -> duckdb.DuckDBPyConnection:
    """A connection that keeps to `limits`; without `database` one in memory.

    `spill` is the folder for what does not fit into memory: a database in a file has one beside itself, but one in
    memory would take the folder where the command was given.
    """
    connection = duckdb.connect(str(database) if database else ":memory:", config=dict(config or {}))
    # Given with `config`, DuckDB 1.5 shows the bound of the disk and does not keep to it.
    for name, value in engine_settings(limits).items():
        connection.execute(f"SET {name} = '{value}'")
    if spill is not None:
        connection.execute("SET temp_directory = ?", [str(spill)])
    return connection


def machine_memory_mb() -> int:
    """Memory of the machine, or of the container or unit that this process is in, in MiB."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits_of_groups()]) >> 20


def _limits_of_groups(groups: Path = _GROUPS, own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Bounds of the control groups that hold this process, from its own up to the root; [] where there are none."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = groups / controllers
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        inner = Path(path.lstrip("/"))
        for folder in (root / inner, *(root / parent for parent in inner.parents)):
            try:
                bound = (folder / name).read_text().strip()
            except OSError:
                continue
            if bound.isdigit():
                found.append(int(bound))
    return found
