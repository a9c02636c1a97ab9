"""What the fork server imports once, so that each dbt child starts in milliseconds instead of seconds.

dbt checks its project and profile against JSON schemas that it derives from its classes at first use: about half a
second, kept per process. Deriving them here pays for all children. So does reading the parsed project and drawing its
graph, another second: the one that was used last is read here, and a child that is given another one reads that.
"""

import gc
import os
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")

import dbt.adapters.duckdb.impl
import dbt.cli.main
import dbt.task.build  # noqa: F401
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.project import Configuration, PackageConfig, ProfileConfig, Project, ProjectFlags
from dbt.contracts.selection import SelectorFile

from orchestration.dbt_quick import draw, quicken

#: Where orchestration/manifest.py keeps what it has parsed, one folder per state of the project.
PARSED = Path(__file__).resolve().parent.parent / "dbt_project" / "target"

for _checked in (Configuration, DuckDBCredentials, PackageConfig, ProfileConfig, Project, ProjectFlags, SelectorFile):
    _checked.json_schema()

#: Path of a `partial_parse.msgpack` -> the project in it, ready to run.
_read: dict[str, Manifest] = {}


def parsed_project(path: str) -> Manifest:
    """dbt's own manifest from its `partial_parse.msgpack`, as dbt leaves it after parsing."""
    if path not in _read:
        found = Manifest.from_msgpack(Path(path).read_bytes())
        # dbt does this after parsing; tests that look at `graph` need it.
        found.build_flat_graph()  # type: ignore[no-untyped-call]
        # A project that goes in circles is the business of the child, which says so.
        with suppress(RuntimeError):
            draw(found)
        _read[path] = found
    return _read[path]


def _read_latest() -> None:
    done = sorted((PARSED.glob("*/done")), key=lambda path: path.stat().st_mtime)
    if done:
        parsed_project(str(done[-1].with_name("partial_parse.msgpack")))


quicken()

# Objects that live as long as the process: collecting while they are made finds nothing.
gc.disable()
# Somebody may be tidying up there; the child then reads what it is given.
with suppress(OSError):
    _read_latest()
gc.enable()

__all__ = ["parsed_project"]
