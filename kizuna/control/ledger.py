"""The file ledger: every landing file ever seen, and the batch of accepted rows it became.

A file is one content at one path; the same content under another name is recorded as a `duplicate` of the first.
Functions work on an open SQLAlchemy connection, so that a file and its batch are recorded in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import LABEL_STYLE_TABLENAME_PLUS_COL, Connection, Row, Table, select, update

from kizuna.control import schema

#: accepted: its good rows are in a batch (or it holds none) · held: too many bad rows, nothing is used ·
#: refused: not readable as its contract says · duplicate: content known under another name ·
#: unmatched: no contract fits its path · discarded: a person decided not to use it
FileStatus = Literal["accepted", "held", "refused", "duplicate", "unmatched", "discarded"]


@dataclass(frozen=True)
class FileRecord:
    """One row of `files`. `rows_in` = `accepted` + `quarantined` + `duplicates` for every file that could be counted.

    `detail` holds what the file's contract and reader noted: relation, encoding, drift, and why rows were discarded.
    """

    file_id: str
    source: str
    path: str
    content_hash: str
    bytes: int
    status: FileStatus
    first_seen_at: datetime
    entity: str | None = None
    contract: str | None = None
    contract_version: str | None = None
    rows_in: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    code: str | None = None
    reason: str | None = None
    duplicate_of: str | None = None
    batch_id: str | None = None
    quarantine_path: str | None = None
    loaded_at: datetime | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def relation(self) -> str | None:
        """Raw relation its rows belong to, None for a file without a contract."""
        return self.detail.get("relation")


@dataclass(frozen=True)
class BatchRecord:
    """One row of `batches`: the accepted rows of one file as one Parquet file. `path` is relative to the home."""

    batch_id: str
    file_id: str
    source: str
    entity: str
    relation: str
    namespace: str | None
    path: str
    content_hash: str
    parquet_hash: str
    bytes: int
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    known_at: datetime
    active: bool = True


def find_file(connection: Connection, file_id: str) -> FileRecord | None:
    """The file of this id, if it was ever recorded."""
    row = connection.execute(select(schema.files).where(schema.files.c.file_id == file_id)).one_or_none()
    return None if row is None else _file(row)


def find_content(connection: Connection, content_hash: str, contract: str) -> FileRecord | None:
    """The first file with this content that was read by `contract`, whatever became of it."""
    files = schema.files
    row = connection.execute(
        select(files)
        .where(files.c.content_hash == content_hash, files.c.contract == contract, files.c.status != "duplicate")
        .order_by(files.c.first_seen_at, files.c.path)
    ).first()
    return None if row is None else _file(row)


def sizes_with_old_hashes(connection: Connection) -> frozenset[int]:
    """Bytes of the files that are known by the hash of an earlier release."""
    files = schema.files
    old = select(files.c.bytes).where(files.c.content_hash.startswith("sha256:")).distinct()
    return frozenset(connection.execute(old).scalars())


def has_content(connection: Connection, content_hash: str) -> bool:
    """Whether any file is known by this hash."""
    files = schema.files
    found = select(files.c.file_id).where(files.c.content_hash == content_hash).limit(1)
    return connection.execute(found).first() is not None


def last_header(connection: Connection, contract: str) -> list[str] | None:
    """Column names, in order, of the file that `contract` accepted last."""
    files = schema.files
    details: list[dict[str, Any] | None] = list(
        connection.execute(
            select(files.c.detail)
            .where(files.c.contract == contract, files.c.status == "accepted")
            .order_by(files.c.loaded_at.desc(), files.c.path.desc())
            .limit(20)
        ).scalars()
    )
    return next((detail["header"] for detail in details if detail and detail.get("header")), None)


def list_files(
    connection: Connection, *, statuses: Sequence[FileStatus] = (), source: str | None = None, problems: bool = False
) -> list[FileRecord]:
    """Files by path. With `problems` only those with something to look at: held, refused, or with quarantined rows."""
    files = schema.files
    query = select(files).order_by(files.c.path, files.c.first_seen_at, files.c.file_id)
    if statuses:
        query = query.where(files.c.status.in_(statuses))
    if source is not None:
        query = query.where(files.c.source == source)
    if problems:
        query = query.where((files.c.quarantined > 0) | files.c.status.in_(("held", "refused")))
    return [_file(row) for row in connection.execute(query)]


def list_batches(
    connection: Connection, *, known_as_of: datetime | None = None, active: bool = True
) -> list[tuple[BatchRecord, FileRecord]]:
    """Batches with their files, by relation and path. `known_as_of` leaves out what was loaded later (naive UTC)."""
    batches, files = schema.batches, schema.files
    query = (
        select(batches, files)
        .join(files, batches.c.file_id == files.c.file_id)
        .order_by(batches.c.relation, files.c.path, batches.c.batch_id)
    )
    if active:
        query = query.where(batches.c.active)
    if known_as_of is not None:
        query = query.where(batches.c.known_at <= known_as_of)
    pairs = connection.execute(query.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)).mappings()
    return [
        (BatchRecord(**_prefixed(row, batches)), FileRecord(**_without_none_detail(_prefixed(row, files))))
        for row in pairs
    ]


def record(connection: Connection, file: FileRecord, batch: BatchRecord | None) -> None:
    """Write a file and the batch it became, replacing what was known of the file.

    Earlier batches of the same file (read by an older contract) stop being used; they stay listed.
    """
    _put(connection, schema.files, "file_id", asdict(file))
    connection.execute(
        update(schema.batches)
        .where(schema.batches.c.file_id == file.file_id, schema.batches.c.active)
        .values(active=False)
    )
    if batch is not None:
        values = asdict(batch)
        # Loaded again (its Parquet file was lost), a batch is known since the first time.
        first = connection.execute(
            select(schema.batches.c.known_at).where(schema.batches.c.batch_id == batch.batch_id)
        ).scalar()
        _put(connection, schema.batches, "batch_id", values if first is None else {**values, "known_at": first})


def set_status(connection: Connection, file_id: str, status: FileStatus, reason: str) -> None:
    """Change what is to become of a file; a file that is not `accepted` takes its batch out of use."""
    connection.execute(
        update(schema.files).where(schema.files.c.file_id == file_id).values(status=status, reason=reason)
    )
    if status != "accepted":
        connection.execute(update(schema.batches).where(schema.batches.c.file_id == file_id).values(active=False))


def set_detail(connection: Connection, file_id: str, detail: dict[str, Any]) -> None:
    """Replace the notes on a file (drift, encoding, discarded rows)."""
    connection.execute(update(schema.files).where(schema.files.c.file_id == file_id).values(detail=detail))


def _put(connection: Connection, table: Table, key: str, values: dict[str, Any]) -> None:
    same = table.c[key] == values[key]
    if connection.execute(update(table).where(same).values(values)).rowcount == 0:
        connection.execute(table.insert().values(values))


def _file(row: Row[Any]) -> FileRecord:
    return FileRecord(**_without_none_detail(dict(row._mapping)))


def _without_none_detail(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "detail": values["detail"] or {}}


def _prefixed(row: Any, table: Table) -> dict[str, Any]:
    return {column.name: row[f"{table.name}_{column.name}"] for column in table.columns}
