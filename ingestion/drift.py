"""How the columns of a file differ from its contract, what the contract says about that, and what a person should do.

Six kinds: added, dropped, renamed (a header that is a known alias), retyped (most values of a column are not of its
type), reordered and recased (harmless, columns are found by name). A rename nobody declared is only suspected: one
column is gone, another is new, and its values would fit. Whatever the policy, each is reported and no value is lost:
columns without a place in the contract stay in `_extra`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion.contract import Column, Contract, Format
from ingestion.fit import accepted_share
from ingestion.parse import Parsed, engine
from ingestion.readers.base import FileRefused, Notes
from ingestion.readers.text import diagnose, find_encoding
from ingestion.sample import Sample, sample_delimited, where_names_are

if TYPE_CHECKING:
    from kizuna.control.ledger import FileRecord

#: Kinds a policy may be declared for, in the order in which they are judged.
KINDS = ("added", "dropped", "renamed", "retyped", "reordered", "recased")

#: A column is retyped when more than half of its values, and at least so many, are not of its type.
_RETYPED_SHARE, _RETYPED_FLOOR = 0.5, 3

_ENOUGH_RECORDS = 20

_ALIKE = 0.6
_FITS = 0.9
#: Names kept of a header; more are no header anybody wrote.
_KEPT_NAMES = 2000


@dataclass(frozen=True)
class Finding:
    """One difference in words: `what` names columns only, never values."""

    kind: str
    what: str
    to_do: str


class Watch:
    """Gathers, chunk by chunk, what the rows say about drift."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._read = [column for column in contract.columns if column.sources]
        self._fine: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._described = 0
        self.rows = 0
        self.codes: Counter[str] = Counter()

    def add(self, parsed: Parsed) -> None:
        self.rows += parsed.good.num_rows
        for column in self._read:
            self._fine[column.name] += parsed.good.num_rows - parsed.good[column.name].null_count
        for reject in parsed.rejects:
            self.codes[reject.code] += 1
            self._described += bool(reject.problems)
            for name, code, _ in reject.problems:
                if code.startswith("type."):
                    self._failed[name] += 1

    def state(self) -> dict[str, Any]:
        """What was gathered, for `restored` in another process."""
        names = ("_fine", "_failed", "_described", "rows", "codes")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restored(cls, contract: Contract, state: dict[str, Any]) -> Watch:
        watch = cls(contract)
        for name, value in state.items():
            setattr(watch, name, Counter(value) if isinstance(value, dict) else value)
        return watch

    def refuse_misread(self, kind: Format, path: Path, encoding: str | None) -> None:
        """Raise `FileRefused` when rows were rejected for their bytes because all of the text is written otherwise."""
        broken = self.codes["encoding.invalid"]
        misread = diagnose(path, encoding or "utf-8") if kind == "csv" and broken else None
        # JSON has one encoding that nobody declares: a few broken lines stay the sender's slips.
        if kind == "ndjson" and broken > self.rows:
            misread = diagnose(path, "utf-8", is_json=True)
        if misread is not None:
            raise misread

    def filled(self) -> list[str]:
        """Columns of the contract, by their usual names, that held a value at all."""
        return [column.sources[0] for column in self._read if self._fine[column.name]]

    def retyped(self) -> dict[str, dict[str, Any]]:
        """`{header: {column, failed, of}}` of columns whose values have become something else."""
        found = {}
        for column in self._read:
            failed = self._failed[column.name]
            # A row that was rejected for other columns only speaks for this one.
            of = self._fine[column.name] + self._described
            if failed >= _RETYPED_FLOOR and failed > _RETYPED_SHARE * of:
                found[str(column.source)] = {"column": column.name, "failed": failed, "of": of}
        return found


def note_drift(
    contract: Contract, kind: Format, path: Path, notes: Notes, watch: Watch, before: Sequence[str] | None
) -> dict[str, Any]:
    """Everything that differs, for the ledger; empty when nothing does. `before` is the header of the file before."""
    found = notes.drift()
    header = notes.header
    if kind in ("ndjson", "json_pages"):
        # A record may leave out what is empty, so a column is gone only if the file before had it in this many rows.
        if watch.rows >= _ENOUGH_RECORDS:
            found["dropped"] = sorted(set(before or ()) - set(watch.filled()))
    elif header and contract.dialect.header_rows:
        found |= {"reordered": _moved(header, before or ()), "recased": _recased(contract, header)}
    found["retyped"] = watch.retyped()
    if kind == "csv" and notes.added and notes.dropped:
        found["suspected"] = suspected_renames(contract, path, notes)
    return {key: value for key, value in found.items() if value}


def _moved(header: Sequence[str], before: Sequence[str]) -> list[str]:
    """Names both headers have that do not stand in the same order: the fewest that were moved."""
    common = set(header) & set(before)
    now, then = [name for name in header if name in common], [name for name in before if name in common]
    if now == then:
        return []
    kept = {
        now[block.a + offset]
        for block in SequenceMatcher(None, now, then, autojunk=False).get_matching_blocks()
        for offset in range(block.size)
    }
    return [name for name in now if name not in kept]


def _recased(contract: Contract, header: Sequence[str]) -> dict[str, str]:
    exact, folded = set(header), {name.casefold(): name for name in reversed(header)}
    found = {}
    for column in contract.columns:
        for name in column.sources:
            if name in exact:
                break
            if name.casefold() in folded:
                found[name] = folded[name.casefold()]
                break
    return found


def suspected_renames(contract: Contract, path: Path, notes: Notes) -> dict[str, str]:
    """`{expected header: new header}` where the new column's values would do."""
    encoding = (notes.encoding or "utf-8").removesuffix("-sig")
    sample = sample_delimited(path, notes.encoding or encoding, contract.dialect)
    missing = [column for column in contract.columns if column.sources and column.sources[0] in notes.dropped]
    return _pair(contract, missing, sorted(notes.added), sample)


def _pair(contract: Contract, missing: Sequence[Column], new: Sequence[str], sample: Sample) -> dict[str, str]:
    new = [name for name in new if name in sample.header]
    only = len(missing) == 1 and len(new) == 1
    found: dict[str, str] = {}
    for column in missing:
        ranked = sorted(new, key=lambda name: -_likeness(column, name))
        for name in ranked:
            if name in found.values() or not (only or _likeness(column, name) >= _ALIKE):
                continue
            if _fits(contract, column, sample.column(name)):
                found[column.sources[0]] = name
                break
    return found


def _likeness(column: Column, header: str) -> float:
    names = [*column.sources, column.name]
    return max(SequenceMatcher(None, _plain(name), _plain(header)).ratio() for name in names)


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _fits(contract: Contract, column: Column, values: Sequence[str]) -> bool:
    """True when nearly all of the values would be accepted in that column."""
    con = engine()
    try:
        return accepted_share(con, contract, column, values) >= _FITS
    finally:
        con.close()


def explain(refusal: FileRefused, contract: Contract, kind: Format, path: Path) -> FileRefused:
    """A refusal with its likely cause: another encoding, or a required column under a new name."""
    if kind == "xlsx" and refusal.code == "header.missing_column":
        to_do = "Where the table begins lower or on another sheet, say so: `xlsx: {sheet: …, range: A3}`"
        return _with(refusal, to_do)
    if kind != "csv" or not contract.dialect.header_rows:
        return refusal
    if refusal.code == "header.unreadable":
        return diagnose(path, contract.dialect.encodings[0]) or refusal
    if refusal.code != "header.missing_column":
        return refusal
    encoding = find_encoding(path, contract.dialect.encodings)
    sample = sample_delimited(path, encoding, contract.dialect)
    known = {name.casefold() for column in contract.columns for name in column.sources}
    present = {name.casefold() for name in sample.header}
    if not known & present or len(sample.header) == 1:
        # No header at all, but a row: its cells must not be quoted as names.
        return _with(refusal, where_names_are(path, contract, encoding))
    missing = [
        column
        for column in contract.columns
        if column.sources and column.required != "no" and not any(n.casefold() in present for n in column.sources)
    ]
    new = [name for name in sample.header if name and name.casefold() not in known]
    renames = _pair(contract, missing, new, sample)
    if not renames:
        return refusal
    hints = "; ".join(f"{new!r} may be the new name of {old!r}" for old, new in renames.items())
    return _with(refusal, f"{hints}: if so, add it to the column's aliases")


def _with(refusal: FileRefused, advice: str) -> FileRefused:
    reason = f"{refusal.reason}. {advice}"
    return FileRefused(refusal.code, reason, line=refusal.line, column=refusal.column, raw=refusal.raw)


def judge_drift(record: FileRecord, contract: Contract) -> FileRecord:
    """Held or refused where the contract says so about what differs; otherwise the record as it is."""
    drift = record.detail.get("drift", {})
    for kind in KINDS:
        policy = getattr(contract.drift, kind)
        if policy == "evolve" or kind not in drift:
            continue
        what = " ".join(f"{finding.what}. {finding.to_do}" for finding in findings(drift) if finding.kind == kind)
        reason = f"{what} (Drift policy of {contract.name}: {kind}: {policy}; nothing of the file is used.)"
        if policy == "quarantine":
            return replace(record, status="held", code=f"drift.{kind}", reason=reason)
        record = replace(record, accepted=0, duplicates=0, quarantined=record.rows_in)
        return replace(record, status="refused", code=f"drift.{kind}", reason=reason)
    return record


def judge_rows(record: FileRecord, contract: Contract) -> FileRecord:
    """Held where more rows were rejected than the contract allows; otherwise the record as it is."""
    if record.status != "accepted" or not contract.hold.holds(record.quarantined, record.rows_in):
        return record
    share = record.quarantined / record.rows_in
    return replace(
        record,
        status="held",
        code="batch.over_threshold",
        reason=f"{record.quarantined} of {record.rows_in} rows ({share:.0%}) were rejected, more than {contract.name} "
        "allows, so nothing of the file is used. Mend the contract or the file, then "
        f"`kizuna quarantine replay {record.file_id[:8]}`.",
    )


def findings(drift: dict[str, Any]) -> list[Finding]:
    """The differences noted for a file, in words, each with what to do."""
    found = []
    if names := drift.get("added"):
        found.append(
            Finding(
                "added",
                f"columns added: {_list(names)}; their values are kept in _extra",
                "Give them a column in the contract, or list them under `known`.",
            )
        )
    if names := drift.get("dropped"):
        found.append(
            Finding(
                "dropped",
                f"columns dropped: {_list(names)}; they are empty for these rows",
                "Ask the sender whether that is meant.",
            )
        )
    if renamed := drift.get("renamed"):
        found.append(Finding("renamed", f"columns renamed: {_pairs(renamed)}, known aliases", "Nothing to do."))
    if suspected := drift.get("suspected"):
        found.append(
            Finding(
                "suspected",
                f"perhaps renamed: {_pairs(suspected)}; the values would fit",
                "If so, add the new name to the column's `aliases` and replay the file.",
            )
        )
    for header, counts in drift.get("retyped", {}).items():
        found.append(
            Finding(
                "retyped",
                f"column retyped: {counts['failed']:,} of {counts['of']:,} values of {header!r} are not of its type",
                "Mend its `type`, `format` or `numbers` in the contract, or ask for the old form.",
            )
        )
    if names := drift.get("reordered"):
        found.append(
            Finding("reordered", f"columns moved: {_list(names)}", "Nothing to do: columns are found by name.")
        )
    if recased := drift.get("recased"):
        found.append(Finding("recased", f"other capitals: {_pairs(recased)}", "Nothing to do: capitals do not count."))
    return found


def kept_header(kind: Format, notes: Notes, watch: Watch) -> list[str]:
    """What the ledger keeps to compare the next file with: the header, or for JSON the columns that held values."""
    names = watch.filled() if kind in ("ndjson", "json_pages") else list(notes.header)
    return names if len(names) <= _KEPT_NAMES else []


def grouped(files: Sequence[FileRecord]) -> list[tuple[Finding, list[str]]]:
    """Findings over several files, equal ones once, with the paths they were met in."""
    paths: dict[Finding, list[str]] = {}
    for file in files:
        for finding in findings(file.detail.get("drift") or {}):
            paths.setdefault(finding, []).append(file.path)
    return list(paths.items())


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _pairs(pairs: dict[str, str]) -> str:
    return ", ".join(f"{old!r} is now {new[:60]!r}" for old, new in list(pairs.items())[:20])
