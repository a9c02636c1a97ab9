"""From landing to the raw store: every row of every file ends as accepted, quarantined or duplicate, and is counted.

A file becomes visible in one step: its Parquet files are put in place first, then file and batch are recorded in one
transaction. Killed anywhere, a plain re-run does the rest. One ingest at a time (a lock on the home folder).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion import archive_load, landing
from ingestion.archives import is_archive, split
from ingestion.batch_files import remove_leftovers
from ingestion.contract_files import load_contracts
from ingestion.landing import Landed, Matched
from ingestion.lock import ingest_lock
from ingestion.one_file import Begun, Run, StillChanging, begin_file
from ingestion.own_store import require_own_store
from ingestion.scan import unfinished_files
from kizuna.control import ledger
from kizuna.control.ledger import FileRecord
from kizuna.control.store import utcnow
from kizuna.files import has_hash, make_private

if TYPE_CHECKING:
    from kizuna.control.store import Store
    from kizuna.settings import Settings


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
    with ingest_lock(settings):
        require_own_store(settings, store)
        leftovers = remove_leftovers(settings.raw) + remove_leftovers(settings.quarantine)
        archive_load.clear(settings)
        run = Run(settings, store, contracts, now or utcnow())
        found = landing.scan(settings.landing, only)
        waiting = unfinished_files(store, found, contracts, run.prepare)
        tally = _Tally(run.now, len(found), progress)
        tally.changing += waiting
        under_way: deque[tuple[Landed, Begun]] = deque()
        with closing(run.children):
            for file in found:
                if file.path in waiting:
                    tally.done += 1
                    continue
                if is_archive(file.path):
                    # Its members are read one by one; whatever came before is recorded first.
                    _finish(under_way, tally, leave=0)
                    tally.take(file, partial(_members, run, file))
                    continue
                begun = _begin(run, file)
                while begun is None:
                    _finish(under_way, tally, leave=len(under_way) - 1)
                    begun = _begin(run, file)
                under_way.append((file, begun))
                _finish(under_way, tally, leave=2 * run.children.limits.workers)
            _finish(under_way, tally, leave=0)
    seconds = time.monotonic() - started
    return IngestReport(
        tuple(tally.handled), tuple(tally.unmatched), tally.known, tuple(tally.changing), seconds, leftovers
    )


class _Tally:
    """What has become of the files so far, in the order of their paths."""

    def __init__(self, now: datetime, total: int, progress: Callable[[Progress], None] | None) -> None:
        self.handled: list[FileRecord] = []
        self.unmatched: list[str] = []
        self.changing: list[str] = []
        self.known = self.done = 0
        self._now, self._total, self._progress = now, total, progress

    def say(self, file: Landed, record: FileRecord | None = None) -> None:
        if self._progress is not None:
            self._progress(Progress(self.done, self._total, file.path, record))

    def take(self, file: Landed, finish: Callable[[], list[FileRecord]]) -> None:
        self.say(file)
        try:
            records = finish()
        except StillChanging:
            self.changing.append(file.path)
            self.done += 1
            return
        self.done += 1
        self.unmatched += [record.path for record in records if record.status == "unmatched"]
        news = [record for record in records if record.loaded_at == self._now]
        self.known += not news
        self.handled += news
        for record in news:
            self.say(file, record)


def _finish(under_way: deque[tuple[Landed, Begun]], tally: _Tally, *, leave: int) -> None:
    """Record the first files under way, in their order, until `leave` are left."""
    while len(under_way) > leave:
        file, begun = under_way.popleft()

        def finish(begun: Begun = begun) -> list[FileRecord]:
            record = begun()
            return [] if record is None else [record]

        tally.take(file, finish)


def _members(run: Run, file: Landed) -> list[FileRecord]:
    """Records of an archive: those of its members and its own."""
    if not file.is_link and any(file.source == c.source for c in run.contracts):

        def settled(known: FileRecord) -> bool:
            member = Landed(known.path, known.source, file.full, is_link=False)
            return _is_settled(run, known, landing.match(member, run.contracts))

        loader = archive_load.Loader(
            run.settings, run.store, run.now, lambda member: _handle(run, member), settled, run.children.limits,
            run.children.unpack, run.hash_of,
        )  # fmt: skip
        try:
            return list(archive_load.load_archive(loader, file))
        except OSError as error:
            return [_unreadable(run, file, error)]
    record = _handle(run, file)
    return [] if record is None else [record]


def _handle(run: Run, file: Landed) -> FileRecord | None:
    """Bring one landing file up to date. None, or what was known already, when there is nothing to do."""
    begun = _begin(run, file)
    assert begun is not None, "nothing else is under way"
    return begun()


def _begin(run: Run, file: Landed) -> Begun | None:
    """Begin to bring one landing file up to date; None while the same content is under way under another name."""
    matched = None if file.is_link else landing.match(file, run.contracts)
    try:
        content_hash = "" if file.is_link else run.hashes.pop(file.path, "") or run.hash_of(file.full)
    except OSError as error:
        return partial(_unreadable, run, file, error)
    if matched is not None and (content_hash, matched.contract.name) in run.under_way:
        return None
    file_id = landing.file_id(file.path, content_hash)
    with run.store.read() as connection:
        known = ledger.find_file(connection, file_id)
        first = None if matched is None else ledger.find_content(connection, content_hash, matched.contract.name)
    moved = first if first is not None and first.file_id != file_id and _is_waiting_elsewhere(run, first) else None
    if known is not None and _is_settled(run, known, matched):
        unmatched = known if known.status == "unmatched" else None
        return lambda: unmatched
    since = known.first_seen_at if known else run.now
    size = 0 if file.is_link else file.full.stat().st_size
    blank = FileRecord(file_id, file.source, file.path, content_hash, size, "unmatched", since, loaded_at=run.now)
    if matched is None:
        record = replace(blank, code="contract.none", reason=landing.advice(file, run.contracts))
        return partial(_record, run, record)
    if first is not None and first.file_id != file_id and moved is None:
        same = replace(
            blank,
            entity=matched.contract.entity,
            contract=matched.contract.name,
            contract_version=matched.contract.version,
            detail={"relation": matched.contract.relation},
        )
        if not size:
            # Every failed export looks like this, and each has to be told.
            reason = f"the file is empty (0 bytes), as {first.path} is; ask for the export again"
            return partial(_record, run, replace(same, status="refused", code="file.empty", reason=reason))
        reason = f"same content as {first.path}"
        return partial(_record, run, replace(same, status="duplicate", duplicate_of=first.file_id, reason=reason))
    begun = begin_file(run, file, matched, blank)
    return begun if moved is None else partial(_instead_of, run, moved, begun)


def _is_waiting_elsewhere(run: Run, first: FileRecord) -> bool:
    """True for a held or refused file that no longer lies where it was met: nobody can read it again under that name,
    so a file of the same content stands for it from now on. Of an archive's member, when the archive is gone.
    """
    if first.status not in ("held", "refused") or not first.bytes:
        return False
    archive, member = split(first.path)
    full = run.settings.landing / archive
    try:
        if member is not None or first.path != archive:
            return not full.is_file()
        return full.stat().st_size != first.bytes or not has_hash(full, first.content_hash)
    except OSError:
        return True


def _instead_of(run: Run, moved: FileRecord, begun: Begun) -> FileRecord | None:
    """Record a file that was held or refused under another name, which becomes the name of a duplicate."""
    record = begun()
    if record is not None:
        other = replace(
            moved, status="duplicate", duplicate_of=record.file_id, code=None, reason=f"lies at {record.path} now",
            rows_in=0, accepted=0, quarantined=0, duplicates=0, quarantine_path=None,
        )  # fmt: skip
        _record(run, other)
    return record


def _unreadable(run: Run, file: Landed, error: OSError) -> FileRecord:
    """Reported each time and not recorded: without its content a file has no identity."""
    return FileRecord(
        landing.file_id(file.path, ""), file.source, file.path, "", 0, "refused", run.now, loaded_at=run.now,
        code="file.unreadable", reason=f"cannot be read ({error.strerror}); mend its permissions",
    )  # fmt: skip


def _record(run: Run, record: FileRecord) -> FileRecord:
    with run.store.begin() as connection:
        ledger.record(connection, record, None)
    return record


def _is_settled(run: Run, known: FileRecord, matched: Matched | None) -> bool:
    """True when looking at the file again would change nothing.

    A held or refused file is tried again once its contract has changed; an accepted one only by `quarantine replay`.
    One whose reader ended or failed is tried by every run: a machine short of memory takes any process, and a defect
    goes with the next release.
    """
    if known.code in ("reader.died", "reader.failed"):
        return False
    match known.status:
        case "unmatched":
            return matched is None
        case "held" | "refused":
            if str(known.contract).startswith(f"{archive_load.CONTRACT}/"):
                return archive_load.is_settled(known, run.children.limits)
            return matched is not None and known.contract_version == matched.contract.version
        case "accepted":
            return known.accepted == 0 or _raw_file(run, known).exists()
        case "duplicate":
            with run.store.read() as connection:
                first = ledger.find_content(connection, known.content_hash, str(known.contract))
            return first is not None and not _is_waiting_elsewhere(run, first)
        case _:
            return True


def _raw_file(run: Run, record: FileRecord) -> Path:
    return run.settings.raw / record.source / str(record.entity) / f"{record.batch_id}.parquet"
