"""From landing to the raw store: every row of every file ends as accepted, quarantined or duplicate, and is counted.

A file becomes visible in one step: its Parquet files are put in place first, then file and batch are recorded in one
transaction. Killed anywhere, a plain re-run does the rest. One ingest at a time (a lock on the home folder).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion import archive_load, drift, landing
from ingestion.archives import is_archive
from ingestion.batch_files import EventSpan, ParquetFile, accepted_rows, rejected_rows, remove_leftovers
from ingestion.contract import Contract
from ingestion.contract_files import load_contracts
from ingestion.landing import Landed, Matched
from ingestion.lock import ingest_lock, rarer_collections
from ingestion.parse import encoding_of, engine, parse_file
from ingestion.readers.base import FileRefused, Notes, Reject
from ingestion.readers.count import Count, count_records
from ingestion.readers.signature import refuse_foreign
from ingestion.scan import unfinished_files
from kizuna.control import ledger
from kizuna.control.ledger import BatchRecord, FileRecord
from kizuna.control.store import utcnow
from kizuna.failpoints import failpoint
from kizuna.files import make_private, sha256_of

if TYPE_CHECKING:
    import duckdb

    from kizuna.control.store import Store
    from kizuna.settings import Settings


class _StillChanging(Exception):
    """The file was written to while it was read."""


@dataclass(frozen=True)
class Progress:
    """Where an ingest stands: `done` of `total` files, `path` just finished (or begun, with `file` None)."""

    done: int
    total: int
    path: str
    file: FileRecord | None


@dataclass(frozen=True)
class IngestReport:
    """Outcome of one ingest. `files` are those handled now; `known` is how many were known and unchanged.

    `unmatched` names every file in landing that no contract fits, met now or before (why: the ledger's `reason`);
    `changing` names files that were written to while they were read; they are left for the next ingest.
    """

    files: tuple[FileRecord, ...] = ()
    unmatched: tuple[str, ...] = ()
    known: int = 0
    changing: tuple[str, ...] = ()
    seconds: float = 0.0
    leftovers: int = 0

    def with_status(self, *statuses: ledger.FileStatus) -> tuple[FileRecord, ...]:
        return tuple(file for file in self.files if file.status in statuses)

    @property
    def rows_in(self) -> int:
        """Rows of the files that were read now; = accepted + quarantined + duplicates + held."""
        return sum(file.rows_in for file in self.files if file.status != "duplicate")

    @property
    def accepted(self) -> int:
        return sum(file.accepted for file in self.with_status("accepted"))

    @property
    def quarantined(self) -> int:
        return sum(file.quarantined for file in self.with_status("accepted", "refused"))

    @property
    def duplicates(self) -> int:
        return sum(file.duplicates for file in self.with_status("accepted", "refused"))

    @property
    def held(self) -> int:
        return sum(file.rows_in for file in self.with_status("held"))


@dataclass
class Run:
    """What the files of one ingest share."""

    settings: Settings
    store: Store
    contracts: Sequence[Contract]
    now: datetime
    con: duckdb.DuckDBPyConnection = field(default_factory=engine)
    headers: dict[str, list[str] | None] = field(default_factory=dict)


def ingest(
    settings: Settings,
    store: Store,
    *,
    progress: Callable[[Progress], None] | None = None,
    only: str | None = None,
    now: datetime | None = None,
) -> IngestReport:
    """Load every new file of landing (of the source `only`, if given). `now` is the load time, naive UTC.

    Raises `InputError` for a bad contract or while another ingest runs; a bad file never stops the others.
    """
    started = time.monotonic()
    make_private(*settings.private_folders)
    contracts = load_contracts(settings.contracts_dir, timezone=settings.company.timezone)
    with ingest_lock(settings), rarer_collections():
        leftovers = remove_leftovers(settings.raw) + remove_leftovers(settings.quarantine)
        archive_load.clear(settings)
        run = Run(settings, store, contracts, now or utcnow())
        found = landing.scan(settings.landing, only)
        waiting = unfinished_files(store, found, contracts)
        handled: list[FileRecord] = []
        changing: list[str] = list(waiting)
        unmatched: list[str] = []
        known = 0
        for done, file in enumerate(found):
            if progress is not None:
                progress(Progress(done, len(found), file.path, None))
            if file.path in waiting:
                continue
            try:
                records = list(_handle_all(run, file))
            except _StillChanging:
                changing.append(file.path)
                continue
            unmatched += [record.path for record in records if record.status == "unmatched"]
            news = [record for record in records if record.loaded_at == run.now]
            known += not news
            handled += news
            if progress is not None:
                for record in news:
                    progress(Progress(done + 1, len(found), file.path, record))
        run.con.close()
    return IngestReport(tuple(handled), tuple(unmatched), known, tuple(changing), time.monotonic() - started, leftovers)


def _handle_all(run: Run, file: Landed) -> Iterator[FileRecord]:
    """Records of a landing file: one, or for an archive those of its members and its own."""
    if is_archive(file.path) and not file.is_link and any(file.source == c.source for c in run.contracts):

        def settled(known: FileRecord) -> bool:
            member = Landed(known.path, known.source, file.full, is_link=False)
            return _is_settled(run, known, landing.match(member, run.contracts))

        loader = archive_load.Loader(run.settings, run.store, run.now, lambda member: _handle(run, member), settled)
        try:
            yield from archive_load.load_archive(loader, file)
        except OSError as error:
            yield _unreadable(run, file, error)
        return
    record = _handle(run, file)
    if record is not None:
        yield record


def _handle(run: Run, file: Landed) -> FileRecord | None:
    """Bring one landing file up to date. None, or what was known already, when there is nothing to do."""
    matched = None if file.is_link else landing.match(file, run.contracts)
    try:
        sha256 = "" if file.is_link else sha256_of(file.full)
    except OSError as error:
        return _unreadable(run, file, error)
    file_id = landing.file_id(file.path, sha256)
    with run.store.read() as connection:
        known = ledger.find_file(connection, file_id)
        first = None if matched is None else ledger.find_content(connection, sha256, matched.contract.name)
    if known is not None and _is_settled(run, known, matched):
        return known if known.status == "unmatched" else None
    since = known.first_seen_at if known else run.now
    size = 0 if file.is_link else file.full.stat().st_size
    blank = FileRecord(file_id, file.source, file.path, sha256, size, "unmatched", since, loaded_at=run.now)
    if matched is None:
        record = replace(blank, code="contract.none", reason=landing.advice(file, run.contracts))
        return _record_unmatched(run, record)
    if first is not None and first.file_id != file_id:
        record = replace(
            blank,
            status="duplicate",
            entity=matched.contract.entity,
            contract=matched.contract.name,
            contract_version=matched.contract.version,
            duplicate_of=first.file_id,
            reason=f"same content as {first.path}",
            detail={"relation": matched.contract.relation},
        )
        with run.store.begin() as connection:
            ledger.record(connection, record, None)
        return record
    return load_file(run, file, matched, blank)


def _unreadable(run: Run, file: Landed, error: OSError) -> FileRecord:
    """Reported each time and not recorded: without its content a file has no identity."""
    return FileRecord(
        landing.file_id(file.path, ""), file.source, file.path, "", 0, "refused", run.now, loaded_at=run.now,
        code="file.unreadable", reason=f"cannot be read ({error.strerror}); mend its permissions",
    )  # fmt: skip


def _record_unmatched(run: Run, record: FileRecord) -> FileRecord:
    with run.store.begin() as connection:
        ledger.record(connection, record, None)
    return record


def _is_settled(run: Run, known: FileRecord, matched: Matched | None) -> bool:
    """True when looking at the file again would change nothing.

    A held or refused file is tried again once its contract has changed; an accepted one only by `quarantine replay`.
    """
    match known.status:
        case "unmatched":
            return matched is None
        case "held" | "refused":
            if str(known.code).startswith("archive.") and known.contract_version is None:
                return True
            return matched is not None and known.contract_version == matched.contract.version
        case "accepted":
            return known.accepted == 0 or _raw_file(run, known).exists()
        case _:
            return True


def _raw_file(run: Run, record: FileRecord) -> Path:
    return run.settings.raw / record.source / str(record.entity) / f"{record.batch_id}.parquet"


def load_file(run: Run, file: Landed, matched: Matched, blank: FileRecord, *, force: bool = False) -> FileRecord:
    """Read one file by its contract and record what became of it. `force` accepts a batch that would be held."""
    contract = matched.contract
    batch_id = landing.batch_id(contract, blank.sha256)
    blank = replace(
        blank,
        entity=contract.entity,
        contract=contract.name,
        contract_version=contract.version,
        loaded_at=run.now,
        detail={**blank.detail, "relation": contract.relation},
    )
    folder = Path(contract.source) / contract.entity / f"{batch_id}.parquet"
    with ParquetFile(run.settings.raw / folder) as raw, ParquetFile(run.settings.quarantine / folder) as quarantine:
        problem = FileRefused("", "")
        try:
            record, span = _read(run, file, matched, blank, batch_id, raw, quarantine)
            record = _judge(record, contract, force=force)
        except FileRefused as refusal:
            problem = drift.explain(refusal, contract, matched.format, file.full)
            record, span = _refused(file, matched, blank, problem), EventSpan(contract)
        if record.code is not None:
            item = Reject(problem.line or 0, record.code, record.reason or "", problem.raw, problem.column)
            quarantine.write(
                rejected_rows((item,), contract, file=file.path, batch_id=batch_id, at=run.now, scope="file")
            )
        _unchanged_or_raise(file, blank)
        if quarantine.place():
            record = replace(record, quarantine_path=quarantine.path.relative_to(run.settings.home).as_posix())
        batch = None
        if record.status == "accepted" and raw.place():
            record = replace(record, batch_id=batch_id)
            batch = _batch(run, record, contract, raw, span)
    with run.store.begin() as connection:
        ledger.record(connection, record, batch)
    if record.status == "accepted" and record.detail.get("header"):
        run.headers[contract.name] = record.detail["header"]
    failpoint("ingest.ledger_recorded")
    return record


def _read(
    run: Run,
    file: Landed,
    matched: Matched,
    blank: FileRecord,
    batch_id: str,
    raw: ParquetFile,
    quarantine: ParquetFile,
) -> tuple[FileRecord, EventSpan]:
    contract = matched.contract
    if blank.bytes == 0:
        raise FileRefused("file.empty", "the file is empty (0 bytes)", line=1)
    refuse_foreign(file.full, matched.format)
    notes = Notes(encoding=encoding_of(file.full, contract, matched.format))
    count = count_records(file.full, contract, matched.format, notes.encoding)
    span, watch = EventSpan(contract), drift.Watch(contract)
    for parsed in parse_file(run.con, file.full, contract, matched.format, blank.sha256, notes):
        raw.write(accepted_rows(parsed.good, file=file.path, batch_id=batch_id, loaded_at=run.now))
        quarantine.write(rejected_rows(parsed.rejects, contract, file=file.path, batch_id=batch_id, at=run.now))
        span.add(parsed.good)
        watch.add(parsed)
    watch.refuse_misread(matched.format, file.full, notes.encoding)
    differs = drift.note_drift(contract, matched.format, file.full, notes, watch, _header_before(run, contract))
    record = replace(
        blank,
        status="accepted",
        accepted=raw.rows,
        quarantined=quarantine.rows,
        duplicates=notes.duplicates,
        detail={
            **blank.detail,
            "encoding": notes.encoding,
            "drift": differs,
            "header": drift.kept_header(matched.format, notes, watch),
        },
    )
    return replace(record, rows_in=_agreed_rows(record, notes, count)), span


def _header_before(run: Run, contract: Contract) -> list[str] | None:
    """Header of the file of this contract that was accepted last."""
    if contract.name not in run.headers:
        with run.store.read() as connection:
            run.headers[contract.name] = ledger.last_header(connection, contract.name)
    return run.headers[contract.name]


def _agreed_rows(record: FileRecord, notes: Notes, count: Count) -> int:
    """Rows of the file by the independent counter, which must equal what became of them."""
    handled = record.accepted + record.quarantined + record.duplicates
    if (handled, notes.lines) != (count.rows, count.lines):
        raise FileRefused(
            "accounting.mismatch",
            f"the counter sees {count.rows} rows in {count.lines} lines, the reader {handled} in {notes.lines}; "
            "nothing of the file is used, so that no row is lost unseen. Check the dialect of the contract.",
        )
    return count.rows


def _judge(record: FileRecord, contract: Contract, *, force: bool) -> FileRecord:
    """Hold or refuse a batch by the contract's drift policy and thresholds."""
    return record if force else drift.judge_rows(drift.judge_drift(record, contract), contract)


def _refused(file: Landed, matched: Matched, blank: FileRecord, refusal: FileRefused) -> FileRecord:
    """A file that is not used at all: every row that can be counted is quarantined with it."""
    rows = 0
    if blank.bytes and refusal.code != "format.foreign":
        kind = matched.format
        try:
            # Line ends and quotes are the same bytes in any of the encodings but UTF-16.
            known = kind != "csv" or refusal.code == "encoding.wrong"
            encoding = "latin-1" if known else encoding_of(file.full, matched.contract, kind)
            rows = count_records(file.full, matched.contract, kind, encoding).rows
        except FileRefused:
            rows = 0
    return replace(
        blank,
        status="refused",
        rows_in=rows,
        quarantined=rows,
        code=refusal.code,
        reason=refusal.reason,
    )


def _unchanged_or_raise(file: Landed, blank: FileRecord) -> None:
    """A file rewritten while it was read must not be recorded under the old hash."""
    if file.full.stat().st_size != blank.bytes or sha256_of(file.full) != blank.sha256:
        raise _StillChanging(file.path)


def _batch(run: Run, record: FileRecord, contract: Contract, raw: ParquetFile, span: EventSpan) -> BatchRecord:
    return BatchRecord(
        batch_id=str(record.batch_id),
        file_id=record.file_id,
        source=contract.source,
        entity=contract.entity,
        relation=contract.relation,
        namespace=contract.namespace,
        path=raw.path.relative_to(run.settings.home).as_posix(),
        sha256=record.sha256,
        parquet_sha256=sha256_of(raw.path),
        bytes=record.bytes,
        rows_in=record.rows_in,
        accepted=record.accepted,
        quarantined=record.quarantined,
        duplicates=record.duplicates,
        first_event_at=span.first,
        last_event_at=span.last,
        known_at=run.now,
    )
