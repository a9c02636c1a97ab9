"""Parquet files of one landing file: accepted rows and rejected rows, each put in place in one step.

Rows go to a temporary name; `place()` forces them to the disk and renames. A kill before leaves only a temporary file,
which the next run removes; a kill after leaves a whole file that the next run overwrites with the same rows.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.contract import Contract
from ingestion.parse import problems_json
from ingestion.readers.base import Reject
from kizuna.failpoints import failpoint
from kizuna.files import fsync_file, fsync_folder

QUARANTINE_SCHEMA = pa.schema(
    [
        ("batch_id", pa.string()),
        ("source", pa.string()),
        ("entity", pa.string()),
        ("contract", pa.string()),
        ("contract_version", pa.string()),
        ("file", pa.string()),
        ("scope", pa.string()),  # row | file
        ("line", pa.int64()),
        ("column", pa.string()),
        ("code", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
        ("problems", pa.string()),  # JSON, where a row has more than one
        ("rejected_at", pa.timestamp("us")),
    ]
)

_TEMPORARY = ".tmp"


class ParquetFile:
    """A Parquet file in the making at `path`. Nothing is visible there before `place()`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        # The process is in the name, so that a child that outlives its run for a moment disturbs nobody.
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
        self._writer: pq.ParquetWriter | None = None
        self._is_made = False

    @classmethod
    def to_be_adopted(cls, temporary: Path) -> ParquetFile:
        """A file that one process writes at `temporary` and another one puts in place."""
        file = cls(temporary)
        file.temporary = temporary
        return file

    def write(self, table: pa.Table) -> None:
        if table.num_rows == 0:
            return
        if self._is_made:
            self._open_again()
        if self._writer is None:
            self._open(table)
        assert self._writer is not None
        self._writer.write_table(table)
        self.rows += table.num_rows

    def adopt(self, rows: int) -> None:
        """Take over what another process wrote under the temporary name."""
        self.rows, self._is_made = rows, rows > 0

    def finish(self) -> None:
        """Close the file and leave it under its temporary name."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._is_made = True

    def place(self) -> bool:
        """Put the file in place; False when there was nothing to write. An older file of the name then goes away."""
        self.finish()
        if not self._is_made:
            self.path.unlink(missing_ok=True)
            return False
        fsync_file(self.temporary)
        failpoint("ingest.parquet_written")
        self.temporary.replace(self.path)
        self._is_made = False
        fsync_folder(self.path.parent)
        failpoint("ingest.parquet_renamed")
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        self.temporary.unlink(missing_ok=True)

    def _open(self, table: pa.Table) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(
            self.temporary,
            table.schema,
            compression="zstd",
            version="2.6",
            use_dictionary=_repetitive(table),
            # Least and greatest of texts help no query here and cost a tenth of writing.
            write_statistics=[one.name for one in table.schema if not pa.types.is_string(one.type)],
        )

    def _open_again(self) -> None:
        """Go on with a file that was finished: its rows are copied, since Parquet cannot be added to."""
        before = self.temporary.with_name(f"{self.temporary.name}.before{_TEMPORARY}")
        self.temporary.replace(before)
        self._is_made = False
        with pq.ParquetFile(before) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                if self._writer is None:
                    self._open(table)
                assert self._writer is not None
                self._writer.write_table(table)
        before.unlink()


def remove_leftovers(folder: Path) -> int:
    """Remove temporary files of a run that was killed; returns how many. Only while holding the ingest lock."""
    leftovers = list(folder.rglob(f".*.parquet*{_TEMPORARY}")) if folder.is_dir() else []
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def _repetitive(table: pa.Table) -> list[str]:
    """Columns worth a dictionary, by the first rows of the file: one of other columns costs time and saves nothing."""
    sample = table.slice(0, 10_000)
    return [
        name for name in sample.column_names if pc.count_distinct(sample[name], "all").as_py() * 2 <= sample.num_rows
    ]


def accepted_rows(good: pa.Table, *, file: str, batch_id: str, loaded_at: datetime) -> pa.Table:
    """Typed rows with their origin, as they are stored in the raw store."""
    count = good.num_rows
    extra, line = good["_extra"], good["_line"]
    table = good.drop_columns(["_extra", "_line"])
    return (
        table.append_column("_extra", extra)
        .append_column("_file", pa.repeat(pa.scalar(file, pa.string()), count))
        .append_column("_line", line)
        .append_column("_batch", pa.repeat(pa.scalar(batch_id, pa.string()), count))
        .append_column("_loaded_at", pa.repeat(pa.scalar(loaded_at, pa.timestamp("us")), count))
    )


def rejected_rows(
    rejects: tuple[Reject, ...], contract: Contract, *, file: str, batch_id: str, at: datetime, scope: str = "row"
) -> pa.Table:
    """Rejected rows as they are stored in quarantine."""
    same = {
        "batch_id": batch_id, "source": contract.source, "entity": contract.entity, "contract": contract.name,
        "contract_version": contract.version if rejects else None, "file": file, "scope": scope, "rejected_at": at,
    }  # fmt: skip
    own = {
        "line": [reject.line for reject in rejects],
        "column": [reject.column for reject in rejects],
        "code": [reject.code for reject in rejects],
        "reason": [reject.reason for reject in rejects],
        "raw": [reject.raw for reject in rejects],
        "problems": [problems_json(reject) for reject in rejects],
    }
    arrays = {
        field.name: pa.array(own[field.name], field.type)
        if field.name in own
        else pa.repeat(pa.scalar(same[field.name], field.type), len(rejects))
        for field in QUARANTINE_SCHEMA
    }
    return pa.table(arrays, schema=QUARANTINE_SCHEMA)


class EventSpan:
    """Earliest and latest event time over the chunks of a file."""

    def __init__(self, contract: Contract) -> None:
        self._column = contract.event_time
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, good: pa.Table) -> None:
        if self._column is None or good.num_rows == 0:
            return
        column = good[self._column]
        # An offset can carry a time out of the years that Python knows.
        known = pc.and_(pc.greater_equal(column, datetime.min), pc.less_equal(column, datetime.max))
        found = pc.min_max(column.filter(known))
        low, high = found["min"].as_py(), found["max"].as_py()
        if low is not None:
            self.first = low if self.first is None else min(self.first, low)
            self.last = high if self.last is None else max(self.last, high)
