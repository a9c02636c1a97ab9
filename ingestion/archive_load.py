"""Archives of landing: each member is loaded as a file of its own, and the archive remembers what it held."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ingestion import landing
from ingestion.archives import MARK, Archive, Member, Unpack, unpack_target
from ingestion.batch_files import QUARANTINE_SCHEMA, ParquetFile
from ingestion.landing import Landed
from ingestion.limits import Limits
from ingestion.readers.base import FileRefused
from kizuna.control import ledger
from kizuna.control.ledger import FileRecord

if TYPE_CHECKING:
    from kizuna.control.store import Store
    from kizuna.settings import Settings

FOLDER = ".unpacked"
#: Stands for the contract of archives and of members that no contract ever saw.
CONTRACT = "archive"


@dataclass(frozen=True)
class Loader:
    """What loading an archive needs of the ingest around it: how one file is handled, and what needs no handling."""

    settings: Settings
    store: Store
    now: datetime
    handle: Callable[[Landed], FileRecord | None]
    settled: Callable[[FileRecord], bool]
    limits: Limits
    unpack: Unpack
    hash_of: Callable[[Path], str]

    @property
    def folder(self) -> Path:
        return self.settings.home / FOLDER


def is_settled(known: FileRecord, limits: Limits) -> bool:
    """False for an archive or a member that was refused under other limits than those of now."""
    return known.status != "refused" or known.detail.get("limits") in (None, limits.words)


def clear(settings: Settings) -> None:
    """Remove what a killed run had unpacked."""
    shutil.rmtree(settings.home / FOLDER, ignore_errors=True)


def load_archive(loader: Loader, file: Landed) -> Iterator[FileRecord]:
    """The members' records as they are done, the archive's own last.

    An unchanged archive is opened again only while a member waits for a mended contract; otherwise only its members
    without a contract are named again.
    """
    content_hash = loader.hash_of(file.full)
    blank = FileRecord(
        landing.file_id(file.path, content_hash), file.source, file.path, content_hash, file.full.stat().st_size,
        "accepted", loader.now, contract=f"{CONTRACT}/{file.source}", loaded_at=loader.now,
    )  # fmt: skip
    with loader.store.read() as connection:
        known = ledger.find_file(connection, blank.file_id)
        first = ledger.find_content(connection, content_hash, str(blank.contract))
        if first is not None and not (loader.settings.landing / first.path).is_file():
            # Some of its members may wait for somebody; they are found in this one from now on.
            first = None
        members = [ledger.find_file(connection, name) for name in (known.detail.get("members", ()) if known else ())]
    if (
        known is not None
        and (known.status != "duplicate" or first is not None)
        and is_settled(known, loader.limits)
        and all(member is not None and loader.settled(member) for member in members)
    ):
        yield from (member for member in members if member is not None and member.status == "unmatched")
        return
    if first is not None and first.file_id != blank.file_id:
        reason = f"same content as {first.path}"
        yield _record(loader, replace(blank, status="duplicate", duplicate_of=first.file_id, reason=reason))
        return
    ids: list[str] = []
    try:
        with Archive(file.full, loader.limits) as archive:
            for member in archive.members():
                record = _load_member(loader, file, content_hash, archive, member)
                ids.append(record.file_id)
                yield record
    except FileRefused as refusal:
        yield _refused(loader, blank, refusal)
        return
    since = blank.first_seen_at if known is None else known.first_seen_at
    yield _record(loader, replace(blank, first_seen_at=since, detail={"members": ids}))


def _load_member(loader: Loader, file: Landed, archive_hash: str, archive: Archive, member: Member) -> FileRecord:
    path = f"{file.path}{MARK}{member.name}"
    target = unpack_target(loader.folder, member)
    try:
        if member.problem is not None:
            raise member.problem
        archive.unpack(member, target, loader.unpack)
        found = loader.handle(Landed(path, file.source, target, is_link=False))
        if found is not None:
            return found
        with loader.store.read() as connection:
            known = ledger.find_file(connection, landing.file_id(path, loader.hash_of(target)))
        assert known is not None, "a file that needs no handling is in the ledger"
        return known
    except FileRefused as refusal:
        # A member that must not be read has no content to be known by: its place in the archive stands for it.
        name = landing.file_id(f"{path}#{member.index}", archive_hash)
        blank = FileRecord(
            name, file.source, path, archive_hash, member.bytes, "refused", loader.now,
            contract=f"{CONTRACT}/{file.source}", loaded_at=loader.now,
        )  # fmt: skip
        return _refused(loader, blank, refusal)
    finally:
        target.unlink(missing_ok=True)


def _refused(loader: Loader, blank: FileRecord, refusal: FileRefused) -> FileRecord:
    folder = Path(blank.source) / "_archive" / f"{blank.file_id}.parquet"
    row = {
        "batch_id": blank.file_id,
        "source": blank.source,
        "entity": "_archive",
        "contract": blank.contract,
        "contract_version": "",
        "file": blank.path,
        "scope": "file",
        "line": 0,
        "code": refusal.code,
        "reason": refusal.reason,
        "raw": "",
        "rejected_at": loader.now,
    }
    with ParquetFile(loader.settings.quarantine / folder) as quarantine:
        quarantine.write(pa.Table.from_pylist([row], schema=QUARANTINE_SCHEMA))
        quarantine.place()
        path = quarantine.path.relative_to(loader.settings.home).as_posix()
    return _record(
        loader,
        replace(
            blank,
            status="refused",
            code=refusal.code,
            reason=refusal.reason,
            quarantine_path=path,
            detail={"limits": loader.limits.words},
        ),
    )


def _record(loader: Loader, record: FileRecord) -> FileRecord:
    with loader.store.begin() as connection:
        ledger.record(connection, record, None)
    return record
