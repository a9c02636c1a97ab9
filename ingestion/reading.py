"""One file read from its first byte to two Parquet files under temporary names; what a child process does for a run.

Nothing here knows the ledger or puts a file in place: what was read is told in a `Reading`, and the run decides.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from ingestion import drift
from ingestion.archives import write_member
from ingestion.batch_files import EventSpan, ParquetFile, accepted_rows, rejected_rows
from ingestion.contract import Contract, Format
from ingestion.limits import Limits, give_back, use_limits
from ingestion.parse import encoding_of, parse_file
from ingestion.readers.base import FileRefused, Notes
from ingestion.readers.count import Count, count_records
from ingestion.readers.signature import refuse_foreign
from ingestion.readers.text import printable
from kizuna.files import hex_of

if TYPE_CHECKING:
    import duckdb

#: Chunks after which freed memory is handed back: some 200 MB of text, of whose time it takes a fiftieth.
_GIVE_BACK_EVERY = 50


@dataclass(frozen=True)
class Job:
    """A file to be read. `place` is its path as hex, since a name need not be text; `name` is its path in landing;
    `raw` and `quarantine` are where the rows go."""

    place: str
    kind: Format
    contract: Contract
    name: str
    content_hash: str
    bytes: int
    batch_id: str
    loaded_at: datetime
    raw: Path
    quarantine: Path
    limits: Limits = field(default_factory=Limits)

    @property
    def path(self) -> Path:
        return Path(os.fsdecode(bytes.fromhex(self.place)))

    def to_json(self) -> str:
        return _JOB.dump_json(self, by_alias=True).decode()


@dataclass(frozen=True)
class UnpackJob:
    """A member of a ZIP, at `index`, to be written to `target`; `before` is what its neighbours unpacked to."""

    place: str
    index: int
    name: str
    target: Path
    before: int
    limits: Limits = field(default_factory=Limits)
    kind: Literal["zip"] = "zip"

    def to_json(self) -> str:
        return _UNPACK_JOB.dump_json(self).decode()


@dataclass(frozen=True)
class Refusal:
    """Why a file is not used, and how many of its rows could be counted."""

    code: str
    reason: str
    line: int | None = None
    column: str | None = None
    raw: str = ""
    rows: int = 0

    def to_error(self) -> FileRefused:
        return FileRefused(self.code, self.reason, line=self.line, column=self.column, raw=self.raw)


@dataclass(frozen=True)
class Reading:
    """What came of a file. With a `refusal` the other figures are those until reading stopped."""

    rows_in: int = 0
    accepted: int = 0
    quarantined: int = 0
    notes: Notes = field(default_factory=Notes)
    watch: dict[str, Any] = field(default_factory=dict)
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    refusal: Refusal | None = None
    #: Bytes of a member that was only unpacked.
    unpacked: int = 0

    def to_json(self) -> str:
        return _READING.dump_json(self).decode()

    @staticmethod
    def from_json(text: str) -> Reading:
        return _READING.validate_json(text)


_JOB: TypeAdapter[Job] = TypeAdapter(Job)
_UNPACK_JOB: TypeAdapter[UnpackJob] = TypeAdapter(UnpackJob)
_ANY_JOB: TypeAdapter[Job | UnpackJob] = TypeAdapter(Job | UnpackJob)
_READING: TypeAdapter[Reading] = TypeAdapter(Reading)


def job_of(text: str) -> Job | UnpackJob:
    """A job as a child gets it."""
    return _ANY_JOB.validate_json(text)


def unpack_job(job: UnpackJob) -> Reading:
    """Unpack a member. What must not be unpacked is told as a refusal."""
    path = Path(os.fsdecode(bytes.fromhex(job.place)))
    try:
        return Reading(unpacked=write_member(path, job.index, job.name, job.target, job.before, job.limits))
    except FileRefused as refused:
        return Reading(refusal=Refusal(refused.code, refused.reason))


def read_job(con: duckdb.DuckDBPyConnection, job: Job) -> Reading:
    """Read the file. A file that cannot be used is told as a refusal; whatever else goes wrong is raised."""
    use_limits(job.limits)
    raw, quarantine = ParquetFile.to_be_adopted(job.raw), ParquetFile.to_be_adopted(job.quarantine)
    notes, span, watch = Notes(), EventSpan(job.contract), drift.Watch(job.contract)
    refusal, rows_in = None, 0
    try:
        try:
            count = _read(con, job, raw, quarantine, notes, span, watch)
            rows_in = _agreed_rows(raw.rows + quarantine.rows + notes.duplicates, notes, count)
        except FileRefused as refused:
            refusal = _refusal(job, refused)
    finally:
        raw.finish()
        quarantine.finish()
    return Reading(rows_in, raw.rows, quarantine.rows, notes, watch.state(), span.first, span.last, refusal)


def _read(
    con: duckdb.DuckDBPyConnection,
    job: Job,
    raw: ParquetFile,
    quarantine: ParquetFile,
    notes: Notes,
    span: EventSpan,
    watch: drift.Watch,
) -> Count:
    if job.bytes == 0:
        raise FileRefused("file.empty", "the file is empty (0 bytes); ask for the export again", line=1)
    refuse_foreign(job.path, job.kind)
    notes.encoding = encoding_of(job.path, job.contract, job.kind)
    with ThreadPoolExecutor(1) as other:
        # Text is counted while it is read, where there is memory for both; of other formats the counter says first
        # whether they can be read at all.
        counting = other.submit(count_records, job.path, job.contract, job.kind, notes.encoding)
        if job.limits.is_tight or job.kind not in ("csv", "ndjson"):
            counting.result()
        _take_rows(con, job, raw, quarantine, notes, span, watch)
        count = counting.result()
    watch.refuse_misread(job.kind, job.path, notes.encoding)
    return count


def _take_rows(
    con: duckdb.DuckDBPyConnection,
    job: Job,
    raw: ParquetFile,
    quarantine: ParquetFile,
    notes: Notes,
    span: EventSpan,
    watch: drift.Watch,
) -> None:
    for number, parsed in enumerate(
        parse_file(con, job.path, job.contract, job.kind, hex_of(job.content_hash), notes), start=1
    ):
        if number % _GIVE_BACK_EVERY == 0:
            give_back()
        raw.write(accepted_rows(parsed.good, file=job.name, batch_id=job.batch_id, loaded_at=job.loaded_at))
        quarantine.write(
            rejected_rows(parsed.rejects, job.contract, file=job.name, batch_id=job.batch_id, at=job.loaded_at)
        )
        span.add(parsed.good)
        watch.add(parsed)
        notes.doubled += parsed.doubled


def _agreed_rows(handled: int, notes: Notes, count: Count) -> int:
    """Rows of the file by the independent counter, which must equal what became of them."""
    if (handled, notes.lines) != (count.rows, count.lines):
        raise FileRefused(
            "accounting.mismatch",
            f"the counter sees {count.rows} rows in {count.lines} lines, the reader {handled} in {notes.lines}; "
            "nothing of the file is used, so that no row is lost unseen. Check the dialect of the contract.",
        )
    return count.rows


def _refusal(job: Job, refused: FileRefused) -> Refusal:
    """The refusal with its likely cause. Every row that can be counted is quarantined with the file."""
    if refused.code.startswith("limit."):
        return Refusal(refused.code, refused.reason, refused.line, refused.column, printable(refused.raw))
    refused = drift.explain(refused, job.contract, job.kind, job.path)
    rows = 0
    if job.bytes and refused.code != "format.foreign":
        try:
            # Line ends and quotes are the same bytes in any of the encodings but UTF-16.
            known = job.kind != "csv" or refused.code == "encoding.wrong"
            encoding = "latin-1" if known else encoding_of(job.path, job.contract, job.kind)
            rows = count_records(job.path, job.contract, job.kind, encoding).rows
        except FileRefused:
            rows = 0
    return Refusal(refused.code, refused.reason, refused.line, refused.column, printable(refused.raw), rows)


def stopped(code: str, reason: str) -> Reading:
    """A reading that ended before it could tell anything."""
    return Reading(refusal=Refusal(code, reason))
