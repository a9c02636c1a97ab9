"""The first rows of a file, for suggestions to a person; never for loading.

At most `SAMPLE_BYTES` are read, whatever the file's size or ratio of compression, so that a look costs nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingestion.contract import WHITESPACE, Dialect
from ingestion.readers.text import open_text

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 500


@dataclass(frozen=True)
class Sample:
    """Header and first rows as text. Rows that do not have as many cells as the header are left out."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """Values of the first column of this name."""
        position = self.header.index(name)
        return [row[position] for row in self.rows]


def sample_delimited(path: Path, encoding: str, dialect: Dialect) -> Sample:
    """Header and first rows of a delimited file, read leniently."""
    with open_text(path, encoding) as stream:
        text = stream.read(SAMPLE_BYTES)
    records = _records(text, dialect)
    header = dialect.columns
    for _ in range(dialect.header_rows):
        found = tuple(cell.strip() for cell in next(records, []))
        header = header or found
    rows = []
    for record in records:
        if len(record) == len(header):
            rows.append(tuple(record))
        if len(rows) >= SAMPLE_ROWS:
            break
    return Sample(header, tuple(rows))


def _records(text: str, dialect: Dialect) -> Iterator[list[str]]:
    if dialect.delimiter == WHITESPACE:
        yield from (line.split() for line in text.splitlines() if line.strip())
        return
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
    )
    try:
        yield from (record for record in reader if record)
    except csv.Error:
        return
