"""Looking at landing without reading it: which files are new, and which are whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from ingestion import landing, whole
from ingestion.contract import Contract
from ingestion.contract_files import load_contracts
from ingestion.landing import Landed
from kizuna.control.schema import files
from kizuna.control.store import Store
from kizuna.errors import InputError
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


def unfinished_files(
    store: Store, found: Sequence[Landed], contracts: Sequence[Contract], meanwhile: whole.Meanwhile | None = None
) -> dict[str, str]:
    """`{path: why}` of files that an ingest leaves alone for now. `meanwhile`: see `whole.unfinished`."""
    with store.read() as connection:
        rows = connection.execute(select(files.c.path, files.c.bytes, files.c.loaded_at)).all()
    loaded: dict[tuple[str, int], datetime] = {(row.path, row.bytes): row.loaded_at for row in rows if row.loaded_at}
    settled = {file.path for file in found if _is_older(file, loaded)}
    strict = {contract.source for contract in contracts if contract.arrival == "done"}
    need_done = set()
    for file in found:
        matched = landing.match(file, contracts) if file.source in strict else None
        if matched is not None and matched.contract.arrival == "done":
            need_done.add(file.path)
    return whole.unfinished(found, settled=settled, need_done=need_done, meanwhile=meanwhile)


def _is_older(file: Landed, loaded: Mapping[tuple[str, int], datetime]) -> bool:
    """True when the file was loaded in this size after it was last touched."""
    try:
        status = file.full.lstat()
    except OSError:
        return False
    at = loaded.get((file.path, status.st_size))
    return at is not None and max(status.st_mtime, status.st_ctime) < at.replace(tzinfo=UTC).timestamp()


def new_whole_files(settings: Settings, store: Store, before: Mapping[str, Seen]) -> tuple[set[str], dict[str, Seen]]:
    """(files that are new and unchanged since the look `before`, all new files as seen now)."""
    with store.read() as connection:
        known = {(path, size) for path, size in connection.execute(select(files.c.path, files.c.bytes))}
    now = {path: seen for path, seen in look(settings.landing).items() if (path, seen.size) not in known}
    whole_now = {path for path, seen in now.items() if before.get(path) == seen}
    if whole_now:
        found = [file for file in landing.scan(settings.landing) if file.path in whole_now]
        whole_now -= set(unfinished_files(store, found, _contracts(settings)))
    return whole_now, now


def _contracts(settings: Settings) -> Sequence[Contract]:
    """The contracts, or none when one is broken: the run that follows says what is wrong with it."""
    try:
        return load_contracts(settings.contracts_dir, timezone=settings.company.timezone)
    except InputError:
        return ()
