"""Files on their way: each is written under a temporary name, its rows counted, what was spoilt kept in a book."""

import csv
import gzip
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, cast

LANDING = "landing"
STAGED = "deliveries/day2"


@dataclass
class FileTruth:
    """What a delivered file holds: `rows` counts every row as written, spoilt and repeated ones included."""

    delivery: int
    path: str
    rows: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Malformed:
    """A row that must be quarantined. `line` is the physical line on which it begins, 1-based with the header."""

    path: str
    line: int
    column: str
    family: str
    raw: str


@dataclass(frozen=True)
class Duplicate:
    """A row that repeats an earlier row of the same file byte for byte."""

    path: str
    line: int
    first_line: int


class TextFile:
    """One file of a delivery; *.gz is compressed with a fixed header, so that equal content gives equal bytes."""

    def __init__(self, book: "Deliveries", day: int, path: str, encoding: str) -> None:
        self._book, self._encoding = book, encoding
        self.truth = FileTruth(day, path)
        self._final = book.root(day) / path
        self._final.parent.mkdir(parents=True, exist_ok=True)
        self._part = self._final.with_name(f".{self._final.name}.part")
        self._raw: BinaryIO = self._part.open("wb")
        self._body: BinaryIO = self._raw
        if path.endswith(".gz"):
            self._body = cast(BinaryIO, gzip.GzipFile("", "wb", compresslevel=5, fileobj=self._raw, mtime=0))
        self.line = 1

    def write(self, text: str) -> None:
        """Append text as it is; `line` is afterwards the physical line of the next character."""
        self._body.write(text.encode(self._encoding))
        self.line += text.count("\n")

    def record(self, text: str) -> int:
        """Append one row with its line end; returns the physical line on which it began."""
        began = self.line
        self.write(text)
        self.truth.rows += 1
        return began

    def malformed(self, text: str, column: str, family: str) -> None:
        """Append a row that no contract may accept."""
        self._book.malformed.append(Malformed(self.truth.path, self.record(text), column, family, text.rstrip("\r\n")))

    def duplicate(self, text: str, first_line: int) -> None:
        """Append a row again."""
        self._book.duplicates.append(Duplicate(self.truth.path, self.record(text), first_line))

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._body is not self._raw:
            self._body.close()
        self._raw.close()
        self.truth.sha256 = hashlib.sha256(self._part.read_bytes()).hexdigest()
        self._part.replace(self._final)
        self._book.files.append(self.truth)


class CsvFile(TextFile):
    """A CSV file whose cells are given by column name; a column that is not given stays empty."""

    def __init__(
        self,
        book: "Deliveries",
        day: int,
        path: str,
        header: Sequence[str],
        *,
        encoding: str = "utf-8",
        newline: str = "\n",
        quote_all: bool = False,
        bom: bool = False,
    ) -> None:
        super().__init__(book, day, path, encoding)
        self.header = tuple(header)
        self._newline, self._quote_all = newline, quote_all
        if bom:
            self.write("\ufeff")
        self.write(self.text(list(self.header)))

    def text(self, cells: Sequence[object]) -> str:
        """One CSV row as text, with its line end."""
        buffer = io.StringIO(newline="")
        quoting: Literal[0, 1] = csv.QUOTE_ALL if self._quote_all else csv.QUOTE_MINIMAL
        csv.writer(buffer, lineterminator=self._newline, quoting=quoting).writerow(cells)
        return buffer.getvalue()

    def cells(self, values: dict[str, object]) -> list[object]:
        """Cells in header order."""
        unknown = values.keys() - set(self.header)
        if unknown:
            raise KeyError(f"{self.truth.path}: no such column: {sorted(unknown)}")
        return [values.get(name, "") for name in self.header]

    def row(self, values: dict[str, object]) -> int:
        """Append one row; returns its physical line."""
        return self.record(self.text(self.cells(values)))

    def bad(self, values: dict[str, object], column: str, family: str) -> None:
        """Append a row with a spoilt cell."""
        self.malformed(self.text(self.cells(values)), column, family)


@dataclass
class Deliveries:
    """All files of the demo, by day."""

    out: Path
    files: list[FileTruth] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    uncontracted: list[str] = field(default_factory=list)

    def root(self, day: int) -> Path:
        """Folder that receives the day's files."""
        return self.out / (LANDING if day == 1 else STAGED)

    def lines(self, day: int, path: str) -> TextFile:
        """A file of lines: NDJSON, or one JSON document."""
        return TextFile(self, day, path, "utf-8")

    def csv(
        self,
        day: int,
        path: str,
        header: Sequence[str],
        *,
        encoding: str = "utf-8",
        newline: str = "\n",
        quote_all: bool = False,
        bom: bool = False,
    ) -> CsvFile:
        """A CSV file with its header written."""
        return CsvFile(self, day, path, header, encoding=encoding, newline=newline, quote_all=quote_all, bom=bom)


def deliver_day2(out: Path) -> list[Path]:
    """Move the files of day 2 into landing, each under a temporary name first; returns them (none the second time)."""
    staged, landing = out / STAGED, out / LANDING
    arrived = []
    for source in sorted(path for path in staged.rglob("*") if path.is_file() and not path.name.endswith(".part")):
        target = landing / source.relative_to(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        waiting = target.with_name(f".{target.name}.part")
        source.replace(waiting)
        waiting.replace(target)
        arrived.append(target)
    return arrived
