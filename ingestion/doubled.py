"""Rows whose time names one of two moments, since clocks were set back: how many, and which one was taken."""

from __future__ import annotations

from typing import Any

from ingestion.contract import Contract
from kizuna.control.ledger import FileRecord


def noted(contract: Contract, rows: int) -> dict[str, Any]:
    """What the ledger keeps of a file; nothing when it has no such row."""
    return {"doubled_hours": {"rows": rows, "taken": contract.times.ambiguous}} if rows else {}


def rows_of(file: FileRecord) -> int:
    """Accepted rows of the file with a time in an hour that clocks show twice."""
    return int((file.detail.get("doubled_hours") or {}).get("rows", 0))


def taken_of(file: FileRecord) -> str | None:
    """Which of the two moments was taken: `first` or `second`; None where no row has such a time."""
    return str(file.detail["doubled_hours"]["taken"]) if rows_of(file) else None


def words(file: FileRecord) -> str | None:
    """One sentence for people, None when there is nothing to say."""
    rows = rows_of(file)
    if not rows:
        return None
    taken = taken_of(file)
    what = "1 row has" if rows == 1 else f"{rows:,} rows have"
    return (
        f"{what} a time that clocks showed twice when they were set back; the {taken} of the two moments was taken. "
        f"times.ambiguous of contract {file.contract} decides"
    )
