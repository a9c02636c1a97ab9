"""dbt's manifest, parsed once per state of the project and handed to everybody who needs it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from kizuna.builds import PROJECT_ROOT
from kizuna.errors import BuildError

DBT_PROJECT = PROJECT_ROOT / "dbt_project"


def target_folder() -> Path:
    """Where the parsed project lies: one folder per content of the dbt project, so that nothing can be stale."""
    digest = hashlib.sha256()
    for path in sorted(DBT_PROJECT.rglob("*")):
        if path.is_file() and path.suffix in {".sql", ".yml", ".csv", ".md"} and "target" not in path.parts:
            digest.update(str(path.relative_to(DBT_PROJECT)).encode())
            digest.update(path.read_bytes())
    return DBT_PROJECT / "target" / digest.hexdigest()[:16]


def ensure_parsed() -> Path:
    """Folder with `manifest.json` and `partial_parse.msgpack` of the project as it is now; parses if need be."""
    folder = target_folder()
    if not (folder / "done").exists():
        _parse(folder)
    return folder


@cache
def manifest() -> dict[str, Any]:
    """The parsed project."""
    content: dict[str, Any] = orjson.loads((ensure_parsed() / "manifest.json").read_bytes())
    return content


def packed_manifest() -> Path:
    """The parsed project in the form that a dbt child loads fastest."""
    return ensure_parsed() / "partial_parse.msgpack"


def published_tables() -> Mapping[str, Sequence[str]]:
    """Every mart with the columns of its unique key, as its yml states them."""
    tables: dict[str, Sequence[str]] = {}
    for node in manifest()["nodes"].values():
        if node["resource_type"] == "model" and node["schema"] == "marts":
            key = node["config"]["meta"].get("kizuna", {}).get("key")
            if not key:
                raise BuildError(
                    f"{node['original_file_path']}: meta.kizuna.key is missing; a mart states its unique key."
                )
            tables[node["alias"]] = tuple(key)
    return dict(sorted(tables.items()))


def _parse(folder: Path) -> None:
    from orchestration.dbt_child import DbtChild

    # Under a name of this process's own: two that start at once would write into each other's files.
    mine = folder.with_name(f"{folder.name}.{os.getpid()}")
    mine.mkdir(parents=True, exist_ok=True)
    args = ["parse", "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    args += ["--target-path", str(mine), "--log-level-file", "none"]
    # The catalog's name is the file's stem and goes into the manifest: it must be that of every build.
    env = {**os.environ, "KIZUNA_BUILD_DB": str(mine / "build.duckdb")}
    child = DbtChild(args, env=env, cwd=DBT_PROJECT, manifest=None)
    messages = [orjson.loads(line)["info"] for line in child.stdout]
    if child.wait() != 0:
        errors = "\n".join(info["msg"] for info in messages if info["level"] == "error")
        raise BuildError(f"The dbt project does not parse:\n{errors}")
    (mine / "done").touch()
    try:
        mine.rename(folder)
    except OSError:
        # Somebody was faster, or a parse that was cut off left half a folder.
        if not (folder / "done").exists():
            shutil.rmtree(folder)
            mine.rename(folder)
        shutil.rmtree(mine, ignore_errors=True)
    _forget_old(folder)


def _forget_old(keep: Path) -> None:
    """Parsed states of earlier versions of the project; a run that is under way may still read the latest ones."""
    folders = sorted((path for path in keep.parent.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for folder in folders[:-3]:
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
