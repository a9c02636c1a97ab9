"""One landing file on its way into the raw store: read in a child, judged, put in place and recorded in one step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion import doubled, drift, landing
from ingestion.batch_files import ParquetFile, rejected_rows
from ingestion.children import Children
from ingestion.contract import Contract
from ingestion.landing import Landed, Matched
from ingestion.limits import Limits
from ingestion.readers.base import FileRefused, Reject
from ingestion.reading import Job, Reading
from kizuna.control import ledger
from kizuna.control.ledger import BatchRecord, FileRecord
from kizuna.failpoints import failpoint
from kizuna.files import has_hash, hash_of, old_hash_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from kizuna.control.store import Store
    from kizuna.settings import Settings

#: Bytes of a file that is hashed before it is known to be whole.
_HASHED_EARLY = 1 << 29

#: Does what is left to do for a file, waiting where needed; its record, None where there was nothing to do.
Begun = Callable[[], FileRecord | None]


class StillChanging(Exception):
    """The file was written to while it was read."""


@dataclass
class Run:
    """What the files of one ingest share. Close `children` when done."""

    settings: Settings
    store: Store
    contracts: Sequence[Contract]
    now: datetime
    headers: dict[str, list[str] | None] = field(default_factory=dict)
    #: (hash, contract) of the files that are being read: the ledger does not know them yet.
    under_way: set[tuple[str, str]] = field(default_factory=set)
    #: Hash by path, of files that looked the same before and after it was made.
    hashes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def children(self) -> Children:
        """Processes that read the files."""
        return Children(Limits(**self.settings.company.limits.model_dump()))

    @cached_property
    def _old_sizes(self) -> frozenset[int]:
        with self.store.read() as connection:
            return ledger.sizes_with_old_hashes(connection)

    def hash_of(self, path: Path) -> str:
        """What the file's content is known by: the hash of an earlier release where the ledger has it."""
        if path.stat().st_size in self._old_sizes:
            old = old_hash_of(path)
            with self.store.read() as connection:
                if ledger.has_content(connection, old):
                    return old
        return hash_of(path)

    def prepare(self, files: Sequence[Landed], due: float) -> None:
        """Do what reading will need, until `due` (by `time.monotonic`): start a child, hash files."""
        read = [file for file in files if landing.match(file, self.contracts) is not None]
        if read:
            self.children.start()
        for file in read:
            if time.monotonic() >= due:
                return
            with suppress(OSError):
                # A larger one may be one that is being copied; it is hashed when it is known to be whole.
                if file.full.stat().st_size <= _HASHED_EARLY:
                    self.hashes[file.path] = self.hash_of(file.full)


def load_file(run: Run, file: Landed, matched: Matched, blank: FileRecord, *, force: bool = False) -> FileRecord:
    """Read one file by its contract and record what became of it. `force` accepts a batch that would be held."""
    record = begin_file(run, file, matched, blank, force=force)()
    assert record is not None
    return record


def begin_file(run: Run, file: Landed, matched: Matched, blank: FileRecord, *, force: bool = False) -> Begun:
    """Have the file read. Calling what comes back waits for that and records it, or raises `StillChanging`."""
    contract = matched.contract
    batch_id = landing.batch_id(contract, blank.content_hash)
    blank = replace(
        blank,
        entity=contract.entity,
        contract=contract.name,
        contract_version=contract.version,
        loaded_at=run.now,
        detail={**blank.detail, "relation": contract.relation},
    )
    folder = Path(contract.source) / contract.entity / f"{batch_id}.parquet"
    raw, quarantine = ParquetFile(run.settings.raw / folder), ParquetFile(run.settings.quarantine / folder)
    job = Job(
        place=os.fsencode(file.full).hex(),
        kind=matched.format,
        contract=contract,
        name=file.path,
        content_hash=blank.content_hash,
        bytes=blank.bytes,
        batch_id=batch_id,
        loaded_at=run.now,
        raw=raw.temporary,
        quarantine=quarantine.temporary,
        limits=run.children.limits,
    )
    key = (blank.content_hash, contract.name)
    run.under_way.add(key)
    reading = run.children.submit(job)

    def finish() -> FileRecord:
        try:
            with raw, quarantine:
                return _record(run, file, matched, blank, batch_id, reading, raw, quarantine, force=force)
        finally:
            run.under_way.discard(key)

    return finish


def _record(
    run: Run,
    file: Landed,
    matched: Matched,
    blank: FileRecord,
    batch_id: str,
    future: Future[Reading],
    raw: ParquetFile,
    quarantine: ParquetFile,
    *,
    force: bool,
) -> FileRecord:
    contract = matched.contract
    reading = future.result()
    raw.adopt(reading.accepted)
    quarantine.adopt(reading.quarantined)
    problem = FileRefused("", "")
    if reading.refusal is not None:
        problem = reading.refusal.to_error()
        rows = reading.refusal.rows
        record = replace(
            blank, status="refused", rows_in=rows, quarantined=rows, code=problem.code, reason=problem.reason
        )
    else:
        record = _accepted(run, file, matched, blank, reading)
        record = record if force else drift.judge_rows(drift.judge_drift(record, contract), contract)
    if record.code is not None:
        item = Reject(problem.line or 0, record.code, record.reason or "", problem.raw, problem.column)
        quarantine.write(rejected_rows((item,), contract, file=file.path, batch_id=batch_id, at=run.now, scope="file"))
    if not str(record.code).startswith("limit."):
        # Of a file that was stopped nothing is used, and reading it once more may be what the limit is there against.
        is_hashed = reading.refusal is None and reading.notes.content_hash == blank.content_hash
        _unchanged_or_raise(file, blank, is_hashed=is_hashed)
    if quarantine.place():
        record = replace(record, quarantine_path=quarantine.path.relative_to(run.settings.home).as_posix())
    batch = None
    if record.status == "accepted" and raw.place():
        record = replace(record, batch_id=batch_id)
        batch = _batch(run, record, contract, raw, reading)
    with run.store.begin() as connection:
        ledger.record(connection, record, batch)
    if record.status == "accepted" and record.detail.get("header"):
        run.headers[contract.name] = record.detail["header"]
    failpoint("ingest.ledger_recorded")
    return record


def _accepted(run: Run, file: Landed, matched: Matched, blank: FileRecord, reading: Reading) -> FileRecord:
    contract, notes = matched.contract, reading.notes
    watch = drift.Watch.restored(contract, reading.watch)
    differs = drift.note_drift(contract, matched.format, file.full, notes, watch, _header_before(run, contract))
    detail: dict[str, Any] = {
        "encoding": notes.encoding,
        "drift": differs,
        "header": drift.kept_header(matched.format, notes, watch),
        **doubled.noted(contract, notes.doubled),
    }
    return replace(
        blank,
        status="accepted",
        rows_in=reading.rows_in,
        accepted=reading.accepted,
        quarantined=reading.quarantined,
        duplicates=notes.duplicates,
        detail={**blank.detail, **detail},
    )


def _header_before(run: Run, contract: Contract) -> list[str] | None:
    """Header of the file of this contract that was accepted last."""
    if contract.name not in run.headers:
        with run.store.read() as connection:
            run.headers[contract.name] = ledger.last_header(connection, contract.name)
    return run.headers[contract.name]


def _unchanged_or_raise(file: Landed, blank: FileRecord, *, is_hashed: bool) -> None:
    """A file rewritten while it was read must not be recorded under the old hash.

    Where what was read has that hash, only one that grows or shrinks is still being written: half of it would count.
    """
    if file.full.stat().st_size != blank.bytes or not (is_hashed or has_hash(file.full, blank.content_hash)):
        raise StillChanging(file.path)


def _batch(run: Run, record: FileRecord, contract: Contract, raw: ParquetFile, reading: Reading) -> BatchRecord:
    return BatchRecord(
        batch_id=str(record.batch_id),
        file_id=record.file_id,
        source=contract.source,
        entity=contract.entity,
        relation=contract.relation,
        namespace=contract.namespace,
        path=raw.path.relative_to(run.settings.home).as_posix(),
        content_hash=record.content_hash,
        parquet_hash=hash_of(raw.path),
        bytes=record.bytes,
        rows_in=record.rows_in,
        accepted=record.accepted,
        quarantined=record.quarantined,
        duplicates=record.duplicates,
        first_event_at=reading.first_event_at,
        last_event_at=reading.last_event_at,
        known_at=run.now,
    )
