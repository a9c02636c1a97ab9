"""The first rows of a file, for suggestions to a person; never for loading.

At most `SAMPLE_BYTES` are read, whatever the file's size or ratio of compression, so that a look costs nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingestion.contract import WHITESPACE, Contract, Dialect
from ingestion.readers.header import name_of
from ingestion.readers.text import open_text

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 500

#: Where a header that is not in the first line is looked for, and what may part its names.
_HEADER_LINES = 20
_DELIMITERS = (",", ";", "\t", "|")
_SIGNS = {"\t": "tabs"}


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
        found = tuple(name_of(cell) for cell in next(records, []))
        header = header or found
    rows = []
    for record in records:
        if len(record) == len(header):
            rows.append(tuple(record))
        if len(rows) >= SAMPLE_ROWS:
            break
    return Sample(header, tuple(rows))


def where_names_are(path: Path, contract: Contract, encoding: str) -> str:
    """Where a header is that its reader did not find, and what to do: below other lines, or parted by another sign."""
    dialect = contract.dialect
    known = {name.casefold() for column in contract.columns for name in column.sources}
    with open_text(path, encoding) as stream:
        lines = stream.read(SAMPLE_BYTES).splitlines()[:_HEADER_LINES]
    best, place, sign = 0, 0, dialect.delimiter
    for number, line in enumerate(lines, start=1):
        if dialect.delimiter == WHITESPACE:
            break
        for delimiter in dict.fromkeys((dialect.delimiter, *_DELIMITERS)):
            record = next(_records(line, dialect.model_copy(update={"delimiter": delimiter})), [])
            met = len(known & {name_of(cell).casefold() for cell in record})
            if met > best:
                best, place, sign = met, number, delimiter
    if not best:
        return (
            f"None of its first lines ({len(lines)} looked at) names a column of the contract: is it another export? "
            "A file without a header needs `header_rows: 0` and `columns` in dialect"
        )
    to_do = []
    if place > 1:
        to_do.append(f"its names stand in line {place}: have it exported without what is above them")
    if sign != dialect.delimiter:
        to_do.append(f"its names are parted by {_SIGNS.get(sign, repr(sign))}: declare that as dialect.delimiter")
    return "In the file, " + "; ".join(to_do) if to_do else "Not all of its names are those of the contract"


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
