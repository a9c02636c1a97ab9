"""The work list of rejected rows: what was rejected and why, read again after a mend, or let go.

Quarantined rows hold raw text, so personal data: they are shown to the person who asks and go nowhere else.
"""

from __future__ import annotations

import getpass
import json
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion import landing
from ingestion.archive_load import FOLDER
from ingestion.archives import is_archive, split, unpacked
from ingestion.contract_files import load_contracts
from ingestion.landing import Landed
from ingestion.lock import ingest_lock
from ingestion.one_file import Run, load_file
from ingestion.readers.base import FileRefused
from kizuna.control import ledger
from kizuna.control.ledger import FileRecord
from kizuna.control.store import utcnow
from kizuna.errors import InputError
from kizuna.files import has_hash

if TYPE_CHECKING:
    from kizuna.control.store import Store
    from kizuna.settings import Settings

_DISCARDED = "discarded_at"


@dataclass(frozen=True)
class Problem:
    """Rejected rows of one code and column in one file; `line` and `reason` are those of the first."""

    code: str
    column: str | None
    rows: int
    line: int
    reason: str


@dataclass(frozen=True)
class QuarantinedFile:
    """One file with something to look at. `id` is the first 8 digits of `file_id`, enough for the command line."""

    file_id: str
    path: str
    contract: str | None
    status: ledger.FileStatus
    rows_in: int
    quarantined: int
    code: str | None
    reason: str | None
    loaded_at: datetime | None
    relation: str | None
    problems: tuple[Problem, ...]

    @property
    def id(self) -> str:
        return self.file_id[:8]

    @property
    def next_step(self) -> str:
        """What a person does about it, as a command where there is one."""
        match self.status:
            case "held":
                return f"mend contract or file, or take it as it is: kizuna quarantine replay {self.id} --force"
            case "refused":
                return f"get a right file, then: kizuna quarantine discard {self.id} --reason …"
            case _:
                return f"kizuna quarantine show {self.id}, then replay or discard"


@dataclass(frozen=True)
class QuarantinedRow:
    """One rejected row (or, with scope `file`, the file as a whole). `problems` lists all when there are several."""

    file: str
    scope: str
    line: int | None
    column: str | None
    code: str
    reason: str
    raw: str
    problems: tuple[dict[str, str], ...]


def list_quarantined(
    settings: Settings, store: Store, *, source: str | None = None, code: str | None = None
) -> list[QuarantinedFile]:
    """Files held, refused or with rejected rows, without what was discarded; with `code` only those that show it."""
    with store.read() as connection:
        files = ledger.list_files(connection, source=source, problems=True)
    open_files = [file for file in files if not _is_decided(file)]
    found = [_summary(settings, file) for file in open_files]
    return [file for file in found if code is None or code in (file.code, *(problem.code for problem in file.problems))]


@dataclass(frozen=True)
class WorkList:
    """How much waits for a person, and how much was decided. Rows of held files count as waiting, good ones too."""

    held: int
    refused: int
    files: int
    rows: int
    decided_files: int
    decided_rows: int


def count_work(store: Store) -> WorkList:
    """The work list in numbers, from the ledger alone."""
    with store.read() as connection:
        files = ledger.list_files(connection, problems=True)
        files += ledger.list_files(connection, statuses=("discarded",))
    decided = {file.file_id: file for file in files if _is_decided(file)}
    waiting = [file for file in files if file.file_id not in decided]
    return WorkList(
        held=sum(file.status == "held" for file in waiting),
        refused=sum(file.status == "refused" for file in waiting),
        files=len(waiting),
        rows=sum(file.rows_in if file.status == "held" else file.quarantined for file in waiting),
        decided_files=len(decided),
        decided_rows=sum(file.detail.get("decisions", [{}])[-1].get("rows", 0) for file in decided.values()),
    )


def _is_decided(file: FileRecord) -> bool:
    return file.status == "discarded" or _DISCARDED in file.detail


def show(settings: Settings, store: Store, reference: str, *, limit: int | None = 50) -> list[QuarantinedRow]:
    """Rejected rows of a file by line, the file's own problem first."""
    rows = _rows(settings, _find(store, reference))
    rows.sort(key=lambda row: (row["scope"] != "file", row["line"] or 0))
    return [
        QuarantinedRow(
            file=row["file"],
            scope=row["scope"],
            line=row["line"],
            column=row["column"],
            code=row["code"],
            reason=row["reason"],
            raw=row["raw"],
            problems=tuple(json.loads(row["problems"])) if row["problems"] else (),
        )
        for row in rows[:limit]
    ]


def replay(
    settings: Settings, store: Store, reference: str, *, force: bool = False, now: datetime | None = None
) -> FileRecord:
    """Read the file again by today's contract; its new batch replaces the old one in the next build.

    `force` accepts a batch above its threshold. Raises `InputError` when the landing file is gone or was changed.
    """
    known = _find(store, reference)
    archive, member = split(known.path)
    with ExitStack() as stack:
        stack.enter_context(ingest_lock(settings))
        full = settings.landing / archive
        contracts = load_contracts(settings.contracts_dir, timezone=settings.company.timezone)
        run = Run(settings, store, contracts, now or utcnow())
        stack.callback(run.children.close)
        if member is not None and full.is_file():
            try:
                out = unpacked(full, member, settings.home / FOLDER, run.children.limits, run.children.unpack)
                full = stack.enter_context(out)
            except FileRefused as refusal:
                raise InputError(f"{known.path}: {refusal.reason}.") from None
        if not full.is_file() or not has_hash(full, known.content_hash):
            raise InputError(
                f"{settings.landing / archive} is gone or holds something else now, so it cannot be read again. Put "
                f"the file back, or let its rows go with `kizuna quarantine discard {known.file_id[:8]}`."
            )
        if is_archive(known.path):
            raise InputError(f"{known.path} is an archive; replay one of its members, or put a whole one into landing.")
        file = Landed(known.path, known.source, full, is_link=False)
        matched = landing.match(file, contracts)
        if matched is None:
            raise InputError(f"{known.path}: {landing.advice(file, contracts)}")
        blank = FileRecord(
            known.file_id, known.source, known.path, known.content_hash, known.bytes, "unmatched", known.first_seen_at,
            detail={"decisions": [*known.detail.get("decisions", ()), _decision("replay", now, forced=force)]},
        )  # fmt: skip
        return load_file(run, file, matched, blank, force=force)


def discard(
    store: Store, reference: str, *, reason: str, whole_file: bool = False, now: datetime | None = None
) -> FileRecord:
    """Let the rejected rows of a file go: they leave the work list but stay on disk and in the counts.

    A held or refused file becomes `discarded` and is not tried again; the accepted rows of an accepted one stay in
    use, unless `whole_file` takes them out of the next build too. `replay` brings either back.
    """
    known = _find(store, reference)
    if known.status not in ("held", "refused") and not known.quarantined and not whole_file:
        raise InputError(
            f"{known.path} has nothing in quarantine. Add --whole-file to leave out its accepted rows too."
        )
    if not reason.strip():
        raise InputError("A reason is needed: who reads the ledger later will want to know why the rows were let go.")
    status: ledger.FileStatus = "accepted" if known.status == "accepted" and not whole_file else "discarded"
    rows = known.quarantined if status == "accepted" else known.rows_in
    decision = _decision("discard", now, reason=reason, rows=rows)
    detail = {
        **known.detail,
        _DISCARDED: decision["at"],
        "discarded_because": reason,
        "decisions": [*known.detail.get("decisions", ()), decision],
    }
    with store.begin() as connection:
        ledger.set_detail(connection, known.file_id, detail)
        if status == "discarded":
            ledger.set_status(connection, known.file_id, "discarded", reason)
    return replace(known, detail=detail, status=status)


def _decision(what: str, now: datetime | None, **more: Any) -> dict[str, Any]:
    """Who decided what and when (UTC), for the ledger."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = str(os.getuid())
    return {"what": what, "who": who, "at": (now or utcnow()).isoformat(), **more}


def _find(store: Store, reference: str) -> FileRecord:
    """The file with this id (its start is enough) or landing path."""
    with store.read() as connection:
        files = [file for file in ledger.list_files(connection) if file.status not in ("duplicate", "unmatched")]
    found = [file for file in files if file.file_id.startswith(reference)] if len(reference) >= 4 else []
    found = found or [file for file in files if file.path == reference]
    if not found:
        raise InputError(f"No loaded file has the id or path {reference!r}. `kizuna quarantine list` shows both.")
    if len(found) > 1:
        shown = ", ".join(f"{file.file_id[:8]} ({file.path})" for file in found[:5])
        raise InputError(f"{reference!r} means several files: {shown}. Give the longer id.")
    return found[0]


def _summary(settings: Settings, file: FileRecord) -> QuarantinedFile:
    return QuarantinedFile(
        file_id=file.file_id,
        path=file.path,
        contract=file.contract,
        status=file.status,
        rows_in=file.rows_in,
        quarantined=file.quarantined,
        code=file.code,
        reason=file.reason,
        loaded_at=file.loaded_at,
        relation=file.relation,
        problems=tuple(_problems(_rows(settings, file, columns=["line", "column", "code", "reason"]))),
    )


def _problems(rows: Sequence[dict[str, Any]]) -> list[Problem]:
    counts = Counter((row["code"], row["column"]) for row in rows)
    first: dict[tuple[str, str | None], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["line"] or 0):
        first.setdefault((row["code"], row["column"]), row)
    return [
        Problem(code, column, number, first[(code, column)]["line"] or 0, first[(code, column)]["reason"])
        for (code, column), number in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0][0]))
    ]


def _rows(settings: Settings, file: FileRecord, columns: list[str] | None = None) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    if file.quarantine_path is None:
        return []
    path: Path = settings.home / file.quarantine_path
    rows: list[dict[str, Any]] = pq.read_table(path, columns=columns).to_pylist() if path.is_file() else []
    return rows
