"""What the fork server imports once, so that each dbt child starts in milliseconds instead of seconds.

dbt checks its project and profile against JSON schemas that it derives from its classes at first use: about half a
second, kept per process. Deriving them here pays for all children.
"""

import os

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")

import dbt.adapters.duckdb.impl
import dbt.cli.main
import dbt.task.build  # noqa: F401
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.project import Configuration, PackageConfig, ProfileConfig, Project, ProjectFlags
from dbt.contracts.selection import SelectorFile

for _checked in (Configuration, DuckDBCredentials, PackageConfig, ProfileConfig, Project, ProjectFlags, SelectorFile):
    _checked.json_schema()

__all__ = ["Manifest"]
