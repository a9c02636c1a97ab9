"""XLSX workbooks: one sheet, or a range of it, as rows of text with the sheet's row numbers as lines.

Dates come as ISO text and numbers as their shortest digits, whatever the sheet shows. The workbook's XML is scanned
once more beside the library: it counts the rows independently and finds cells whose value the library leaves out
(errors such as #N/A, formulas that were never computed), so that their rows are rejected and not read as empty.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import pyarrow as pa

from ingestion.contract import Contract, XlsxShape
from ingestion.limits import limits
from ingestion.readers.base import CHUNK_ROWS, Chunk, FileRefused, Notes, Reject, text_table
from ingestion.readers.header import Layout, name_of

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_BLOCK = 1 << 20
_NO_LIMIT = 1 << 30


@dataclass(frozen=True)
class Area:
    """Rows and columns of a sheet, counted from 1, both ends included."""

    first_row: int = 1
    last_row: int = _NO_LIMIT
    first_column: int = 1
    last_column: int = _NO_LIMIT


@dataclass
class _Scan:
    """What the XML of a sheet says: how many rows hold something, and which cells have lost their value."""

    rows: int = 0
    lost: dict[int, str] = field(default_factory=dict)


def area_of(shape: XlsxShape) -> Area:
    """The declared range, `B3:F200`, `B3` (from there on) or `B:F`; everything when none is declared."""
    if shape.range is None:
        return Area()
    start, _, end = shape.range.upper().partition(":")
    row, column = _cell(start)
    last_row, last_column = _cell(end) if end else (0, 0)
    return Area(row or 1, last_row or _NO_LIMIT, column or 1, last_column or _NO_LIMIT)


def read_xlsx(path: Path, contract: Contract, notes: Notes) -> Iterator[Chunk]:
    """Chunks of the sheet. Raises `FileRefused` when workbook, sheet or header cannot be used."""
    area = area_of(contract.xlsx)
    sheet, index = _open(path, contract.xlsx)
    lost = _scan(path, index, area).lost
    rows = _rows(sheet, area, lost)
    headers, raw = _header(rows, contract)
    layout = Layout(contract, headers, notes, raw)
    seen: set[bytes] = set()
    chunk = _Rows(contract, layout, headers)
    for number, cells in rows:
        texts = [_text(cell) for cell in cells]
        digest = hashlib.blake2b(json.dumps(texts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if contract.identical_rows == "duplicate" and digest in seen:
            notes.duplicates += 1
            continue
        seen.add(digest)
        if number in lost:
            reason = f"cell {lost[number]} holds an error or a formula that was never computed"
            chunk.rejects.append(Reject(number, "xlsx.no_value", reason, _shown(texts), lost[number]))
        elif any(texts[layout.width :]):
            reason = f"has values behind the last of the header's {layout.width} columns"
            chunk.rejects.append(Reject(number, "row.ragged", reason, _shown(texts)))
        else:
            chunk.add(number, (texts + [""] * layout.width)[: layout.width], cells)
        if chunk.is_full():
            yield chunk.finish()
            chunk = _Rows(contract, layout, headers)
    yield chunk.finish()


def count_xlsx(path: Path, contract: Contract) -> int:
    """Rows with anything in them, without header rows, from the XML and not by the library that reads it."""
    _, index = _open(path, contract.xlsx)
    return max(_scan(path, index, area_of(contract.xlsx)).rows - contract.dialect.header_rows, 0)


def _header(rows: Iterator[tuple[int, list[Any]]], contract: Contract) -> tuple[list[str], str]:
    names, raw = list(contract.dialect.columns), ""
    for position in range(contract.dialect.header_rows):
        found = next(rows, None)
        if found is None:
            raise FileRefused("file.empty", "the sheet ends before its header does", line=1)
        if position == 0:
            texts = [name_of(_text(cell)) for cell in found[1]]
            while texts and not texts[-1]:
                texts.pop()
            names, raw = texts, _shown(texts)
    return names, raw


class _Rows:
    """Rows gathered for the next chunk."""

    def __init__(self, contract: Contract, layout: Layout, headers: list[str]) -> None:
        self.contract, self.layout, self.headers = contract, layout, headers
        self.rejects: list[Reject] = []
        self.numbers: list[int] = []
        self.texts: list[list[str]] = []
        self._types = {
            position: column.type
            for column in contract.columns
            for position in ([layout.cells[column.name]] if column.name in layout.cells else [])
        }

    def add(self, number: int, texts: list[str], cells: list[Any]) -> None:
        for position, kind in self._types.items():
            cell = cells[position] if position < len(cells) else ""
            if isinstance(cell, datetime) and kind in ("date", "string") and cell.time() == time():
                texts[position] = cell.date().isoformat()
            elif isinstance(cell, float) and kind == "decimal" and self.contract.numbers.decimal_separator == ",":
                texts[position] = texts[position].replace(".", ",")
        self.numbers.append(number)
        self.texts.append(texts)

    def is_full(self) -> bool:
        return len(self.numbers) >= CHUNK_ROWS or len(self.rejects) >= CHUNK_ROWS

    def finish(self) -> Chunk:
        texts, layout = self.texts, self.layout
        columns: dict[str, list[str | None]] = {
            name: [row[position] for row in texts] for name, position in layout.cells.items()
        }
        table: pa.Table = text_table(
            self.contract,
            columns,
            lines=self.numbers,
            extra=[self._extra(row) for row in texts],
            found=[None] * len(texts),
        )
        return Chunk(table, lambda position: _shown(texts[position]), tuple(self.rejects))

    def _extra(self, texts: list[str]) -> str | None:
        kept = {header: texts[position] for header, position in self.layout.extra if texts[position]}
        return json.dumps(kept, ensure_ascii=False) if kept else None


def _rows(sheet: CalamineSheet, area: Area, lost: dict[int, str]) -> Iterator[tuple[int, list[Any]]]:
    """(row number, cells from the area's first column on) of rows with anything in them."""
    offset = sheet.start[1] if sheet.start else 0
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if number > area.last_row:
            return
        if number < area.first_row:
            continue
        skipped = area.first_column - 1 - offset
        cells: list[Any] = [""] * max(-skipped, 0) + list(row[max(skipped, 0) :])
        cells = cells[: area.last_column - area.first_column + 1]
        if number in lost or any(cell != "" for cell in cells):
            yield number, cells


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        # A sheet keeps 15 digits; what a binary fraction adds behind them is nobody's number.
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else format(Decimal(f"{cell:.15g}"), "f")
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        seconds = int(cell.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(cell)


def _shown(texts: list[str]) -> str:
    return json.dumps(texts, ensure_ascii=False)


def _open(path: Path, shape: XlsxShape) -> tuple[CalamineSheet, int]:
    """The sheet and its position in the workbook."""
    import python_calamine as calamine

    _refuse_bomb(path)
    try:
        workbook = calamine.CalamineWorkbook.from_path(path)
        names = workbook.sheet_names
        if shape.sheet is not None and shape.sheet not in names:
            shown = ", ".join(repr(name) for name in names[:20])
            raise FileRefused("xlsx.no_sheet", f"the workbook has no sheet {shape.sheet!r}; it has {shown}", line=1)
        index = first_shown(workbook) if shape.sheet is None else names.index(shape.sheet)
        return workbook.get_sheet_by_index(index), index
    except (calamine.CalamineError, IndexError, ValueError, OSError) as error:
        raise FileRefused(
            "xlsx.invalid", f"not a readable workbook ({error}); fetch or export it again", line=1
        ) from None


def first_shown(workbook: CalamineWorkbook) -> int:
    """Position of the first sheet that is not hidden: what a person sees is what was meant."""
    from python_calamine import SheetVisibleEnum

    sheets = enumerate(workbook.sheets_metadata)
    return next((n for n, sheet in sheets if sheet.visible == SheetVisibleEnum.Visible), 0)


def _refuse_bomb(path: Path) -> None:
    """Unpack every part once without keeping it: the library would hold it all in memory.

    An honest sheet of equal cells unpacks to 60 times its size.
    """
    size, packed, most = 0, path.stat().st_size, limits()
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            most.check_members(len(parts))
            for part in parts:
                with archive.open(part) as stream:
                    while block := stream.read(_BLOCK):
                        size += len(block)
                        most.check_member(packed, size, total_mb=most.workbook_mb, setting="limits.workbook_mb")
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        raise FileRefused(
            "xlsx.invalid", f"not a readable workbook ({error}); fetch or export it again", line=1
        ) from None


def _scan(path: Path, index: int, area: Area) -> _Scan:
    scan = _Scan()
    try:
        with zipfile.ZipFile(path) as archive:
            empty = _empty_shared_strings(archive)
            _SheetParser(scan, area, empty).parse(archive, _sheet_part(archive, index))
    except (zipfile.BadZipFile, KeyError, IndexError, ValueError, expat.ExpatError) as error:
        raise FileRefused("xlsx.invalid", f"the workbook's XML cannot be read ({error})", line=1) from None
    return scan


def _sheet_part(archive: zipfile.ZipFile, index: int) -> str:
    """Name of the part that holds a sheet: workbook -> relation -> target."""
    ids: list[str] = []
    targets: dict[str, str] = {}

    def workbook(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "sheet":
            ids.append(next(value for key, value in attributes.items() if key.rpartition(":")[2] == "id"))

    def relations(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "Relationship":
            targets[attributes["Id"]] = attributes["Target"]

    _feed(archive, "xl/workbook.xml", _parser(start=workbook))
    _feed(archive, "xl/_rels/workbook.xml.rels", _parser(start=relations))
    target = targets[ids[index]]
    return target.removeprefix("/") if target.startswith("/") else str(PurePosixPath("xl") / target)


def _empty_shared_strings(archive: zipfile.ZipFile) -> set[str]:
    """Numbers, as text, of shared strings without a character."""
    empty: set[str] = set()
    state = {"number": -1, "length": 0}

    def start(name: str, _: dict[str, str]) -> None:
        if name == "si":
            state["number"] += 1
            state["length"] = 0

    def end(name: str) -> None:
        if name == "si" and not state["length"]:
            empty.add(str(state["number"]))

    def text(data: str) -> None:
        state["length"] += len(data)

    if "xl/sharedStrings.xml" in archive.namelist():
        _feed(archive, "xl/sharedStrings.xml", _parser(start=start, end=end, text=text))
    return empty


class _SheetParser:
    """Walks `<row><c r= t=><f/><v>…</v></c></row>`."""

    def __init__(self, scan: _Scan, area: Area, empty: set[str]) -> None:
        self.scan, self.area, self.empty = scan, area, empty
        self.row = self.column = 0
        self.kind = ""
        self.filled = self.inside = self.formula = self.in_value = False
        self.value = ""

    def parse(self, archive: zipfile.ZipFile, part: str) -> None:
        _feed(archive, part, _parser(start=self._start, end=self._end, text=self._text))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            self.row = int(attributes.get("r") or self.row + 1)
            self.column, self.filled = 0, False
        elif name == "c":
            self.column = _cell(attributes["r"])[1] if "r" in attributes else self.column + 1
            self.kind, self.value, self.formula = attributes.get("t", "n"), "", False
            self.inside = (
                self.area.first_row <= self.row <= self.area.last_row
                and self.area.first_column <= self.column <= self.area.last_column
            )
        elif name == "f":
            self.formula = True
        self.in_value = name in ("v", "t")

    def _text(self, data: str) -> None:
        if self.in_value:
            self.value += data

    def _end(self, name: str) -> None:
        self.in_value = False
        if name == "c" and self.inside:
            if self.kind == "e" or (self.formula and not self.value and self.kind != "str"):
                self.scan.lost.setdefault(self.row, f"{_letters(self.column)}{self.row}")
                self.filled = True
            elif self.value and not (self.kind == "s" and self.value in self.empty):
                self.filled = True
        elif name == "row":
            self.scan.rows += self.filled


def _parser(start: Any = None, end: Any = None, text: Any = None) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a document type declaration, which no spreadsheet writes")


def _feed(archive: zipfile.ZipFile, part: str, parser: expat.XMLParserType) -> None:
    with archive.open(part) as stream:
        while block := stream.read(_BLOCK):
            parser.Parse(block, False)
        parser.Parse(b"", True)


def _cell(reference: str) -> tuple[int, int]:
    """(row, column) of `B3`, zeros for what is left out."""
    match = re.fullmatch(r"\$?([A-Z]{0,3})\$?(\d{0,7})", reference)
    if match is None:
        raise ValueError(f"{reference!r} is not a cell such as B3")
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return int(match[2] or 0), column


def _letters(column: int) -> str:
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text
