"""Looking at landing without reading it: which files are new, and which are whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from ingestion import landing
from kizuna.control.schema import files
from kizuna.control.store import Store
from kizuna.settings import Settings


class Seen(NamedTuple):
    """Size in bytes and modification time in nanoseconds of a file at one look."""

    size: int
    mtime_ns: int


def look(folder: Path) -> dict[str, Seen]:
    """Every finished-looking file under landing by its path relative to it. One that vanishes meanwhile is left out."""
    found: dict[str, Seen] = {}
    for file in landing.scan(folder):
        try:
            status = file.full.stat()
        except FileNotFoundError:
            continue
        found[file.path] = Seen(status.st_size, status.st_mtime_ns)
    return found


def new_whole_files(settings: Settings, store: Store, before: Mapping[str, Seen]) -> tuple[set[str], dict[str, Seen]]:
    """(files that are new and unchanged since the look `before`, all new files as seen now)."""
    with store.read() as connection:
        known = {(path, size) for path, size in connection.execute(select(files.c.path, files.c.bytes))}
    now = {path: seen for path, seen in look(settings.landing).items() if (path, seen.size) not in known}
    return {path for path, seen in now.items() if before.get(path) == seen}, now
