"""What every reader gives: chunks of text columns with their lines, rejected rows, and notes on the file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa

from ingestion.contract import Contract

#: Rows handed to the type checks at a time; memory of a run is bounded by this and by `CHUNK_CHARACTERS`.
CHUNK_ROWS = 50_000
CHUNK_CHARACTERS = 64 << 20


class FileRefused(Exception):
    """The whole file cannot be used. Says why, and where in the file when a place can be named."""

    def __init__(
        self, code: str, reason: str, *, line: int | None = None, column: str | None = None, raw: str = ""
    ) -> None:
        super().__init__(reason)
        self.code, self.reason, self.line, self.column, self.raw = code, reason, line, column, raw


@dataclass(frozen=True)
class Reject:
    """One row that is not accepted. `line` is physical for text files, the record's number otherwise."""

    line: int
    code: str
    reason: str
    raw: str
    column: str | None = None
    problems: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Chunk:
    """Rows as text. `table` has the contract's columns (those that come from the file), `_pos`, `_line`, `_extra`
    and `_found` (problems the reader met, see `typing_sql`); `raw(pos)` is a row's own text."""

    table: pa.Table
    raw: Callable[[int], str]
    rejects: tuple[Reject, ...]


@dataclass(frozen=True)
class TextBlock:
    """A block as text; `table` has `_pos`, `_line`, `_extra` and `_found` beside the cells, as that of a `Chunk`.

    `cells` says which column of `table` holds which column of the contract. `rejects` maps a record's number to
    why it is rejected; the rows of `table` are the other records, in order, with their numbers in `records`. `keys` are
    the hashes of all records, None where repetitions are kept. `is_json` says that texts of JSON columns are JSON.
    """

    table: pa.Table
    cells: dict[str, str]
    texts: pa.Array
    records: np.ndarray[Any, Any]
    rejects: dict[int, Reject]
    keys: np.ndarray[Any, Any] | None
    is_json: bool = False


@dataclass
class Notes:
    """What a reader learnt about the file beside its rows."""

    duplicates: int = 0
    #: Accepted rows with a time that clocks showed twice.
    doubled: int = 0
    lines: int | None = None
    encoding: str | None = None
    #: Column names as the file writes them, in its order; empty where a format has none.
    header: tuple[str, ...] = ()
    added: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    #: Of the bytes the rows were read from, where that is known.
    content_hash: str | None = field(default=None, compare=False)

    def drift(self) -> dict[str, Any]:
        """Differences from the contract, for the ledger; empty when there are none."""
        found = {
            "added": sorted(self.added),
            "dropped": sorted(self.dropped),
            "renamed": dict(sorted(self.renamed.items())),
        }
        return {kind: value for kind, value in found.items() if value}


class SeenTexts:
    """Tells whether an identical text was met before; 16 bytes each are kept, in a set."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def is_repeat(self, content: bytes) -> bool:
        digest = hashlib.blake2b(content, digest_size=16).digest()
        if digest in self._digests:
            return True
        self._digests.add(digest)
        return False


def is_known(contract: Contract, header: str) -> bool:
    """True for a column that the vendor is known to write although the contract does not type it."""
    return any(fnmatchcase(header.casefold(), pattern.casefold()) for pattern in contract.known)


def text_table(
    contract: Contract,
    columns: dict[str, list[str | None]],
    *,
    lines: list[int],
    extra: list[str | None],
    found: list[str | None],
) -> pa.Table:
    """Arrow table of a chunk; contract columns the file lacks are NULL."""
    count = len(lines)
    arrays = {
        column.name: pa.array(columns[column.name], pa.string())
        if column.name in columns
        else pa.nulls(count, pa.string())
        for column in contract.columns
    }
    arrays["_pos"] = pa.array(range(count), pa.int64())
    arrays["_line"] = pa.array(lines, pa.int64())
    arrays["_extra"] = pa.array(extra, pa.string())
    arrays["_found"] = pa.array(found, pa.string())
    return pa.table(arrays)
