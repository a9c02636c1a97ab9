"""NDJSON, JSON pages and Parquet rows: nested records, read one by one through the contract's paths into text columns.

NDJSON is read in blocks (`ndjson.py`), and only the lines that the engine might read otherwise come here.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from ingestion.contract import Contract
from ingestion.limits import limits
from ingestion.readers.base import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    Chunk,
    FileRefused,
    Notes,
    Reject,
    SeenTexts,
    is_known,
    text_table,
)
from ingestion.readers.paths import VALUE_KINDS, FieldPath, parse_path, used_keys
from ingestion.readers.text import diagnose, open_bytes

_PARQUET_ROWS = 10_000

#: A `\u0000` or a half of a surrogate pair, which no text column can hold.
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_ESCAPED_UNSTORABLE = re.compile(r"\\u(0000|[dD][89a-fA-F])")

_Getter = Callable[[dict[str, Any], dict[tuple[str, ...], dict[str, Any]]], Any]


def read_ndjson(path: Path, contract: Contract, notes: Notes) -> Iterator[Chunk]:
    """One record per line, line by line: slow, and what `ndjson.py` is measured by.

    A line that is not a JSON object is rejected alone.
    """
    rows = Records(contract, notes, bytes.decode)
    seen = SeenTexts()
    keep = contract.identical_rows == "keep"
    number = 0
    line = b""
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, start=1):
            content = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip()
            if not content:
                continue
            if not keep and seen.is_repeat(content):
                notes.duplicates += 1
                continue
            rows.add_line(content, number)
            if rows.is_full():
                yield rows.finish()
    notes.lines = 0 if line == codecs.BOM_UTF8 and number == 1 else number
    notes.encoding = "utf-8"
    yield rows.finish()


def read_page(path: Path, contract: Contract, notes: Notes) -> Iterator[Chunk]:
    """Records of one JSON document; `_line` is the record's number. Lists beside them are joined as declared."""
    with open_bytes(path) as stream:
        content = stream.read()
    try:
        document = _loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        if (wrong := diagnose(path, "utf-8", is_json=True)) is not None:
            raise wrong from error
        raise FileRefused("encoding.invalid", f"not UTF-8 at byte {error.start}", line=1) from error
    except json.JSONDecodeError as error:
        reason = f"not valid JSON at line {error.lineno}, character {error.colno}: {error.msg}"
        raise FileRefused("json.invalid", reason, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise FileRefused("json.invalid", f"not valid JSON: {error}", line=1) from error
    notes.encoding = "utf-8"
    shape = contract.json_shape
    # "$" is the document itself: some APIs answer with a bare list.
    records = document if shape.records == "$" else _walk(document, tuple((shape.records or "").split(".")))
    if not isinstance(records, list):
        found = ", ".join(document) if isinstance(document, dict) else type(document).__name__
        raise FileRefused("json.no_records", f"no list of records at {shape.records!r}; found: {found}", line=1)
    joined = [(join, _by_key(_walk(document, tuple(join.path.split("."))), join.key)) for join in shape.joins]

    def attached() -> Iterator[Any]:
        for record in records:
            if isinstance(record, dict):
                for join, found in joined:
                    match = found.get(str(record.get("id")))
                    if match is not None and not record.get(join.into):
                        record[join.into] = match
            yield record

    yield from _records(attached(), contract, notes)


def read_parquet(path: Path, contract: Contract, notes: Notes) -> Iterator[Chunk]:
    """Rows of a Parquet file, nested ones as records; `_line` is the row's number."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        # Equal values are packed to nearly nothing; read, each takes a byte at the very least.
        limits().check_unpacked(path.stat().st_size, file.metadata.num_rows * file.metadata.num_columns)
        notes.header = tuple(file.schema_arrow.names)
        for column in contract.columns:
            if column.sources and not any(parse_path(name).steps[0] in notes.header for name in column.sources):
                notes.dropped.add(column.sources[0])
        batches = (batch.to_pylist() for batch in file.iter_batches(batch_size=_PARQUET_ROWS))
        yield from _records((row for batch in batches for row in batch), contract, notes)


def _records(records: Iterable[Any], contract: Contract, notes: Notes) -> Iterator[Chunk]:
    rows = Records(contract, notes, _dump)
    seen = SeenTexts()
    keep = contract.identical_rows == "keep"
    for number, record in enumerate(records, start=1):
        text = json.dumps(record, sort_keys=True, default=_to_text)
        if not keep and seen.is_repeat(text.encode()):
            notes.duplicates += 1
        elif isinstance(record, dict):
            suspect = _ESCAPED_UNSTORABLE.search(text) is not None
            rows.add(record, number, record, len(text), suspect=suspect)
        else:
            rows.rejects.append(Reject(number, "json.not_object", "is not an object", _dump(record)))
        if rows.is_full():
            yield rows.finish()
    yield rows.finish()


def _decode(content: bytes, number: int, rows: Records) -> dict[str, Any] | None:
    """The object on a line, or None after rejecting the line."""
    try:
        record = _loads(content.decode())
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 at byte {error.start} of the line"
        rows.rejects.append(Reject(number, "encoding.invalid", reason, content.decode("utf-8", "backslashreplace")))
        return None
    except (ValueError, RecursionError) as error:
        place = f"character {error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        rows.rejects.append(Reject(number, "json.invalid", f"not valid JSON, {place}", content.decode()))
        return None
    if not isinstance(record, dict):
        rows.rejects.append(Reject(number, "json.not_object", _not_object(record), content.decode()))
        return None
    return record


def _not_object(value: Any) -> str:
    if not isinstance(value, list):
        return "is not an object"
    return "is a list and not an object; where a file is one list, its contract is `format: json_pages`, `records: $`"


class Records:
    """Records gathered for the next chunk, already as text columns."""

    def __init__(self, contract: Contract, notes: Notes, raw_text: Callable[[Any], str]) -> None:
        self.contract, self.notes, self.raw_text = contract, notes, raw_text
        columns = [(number, column) for number, column in enumerate(contract.columns) if column.sources]
        paths = [tuple(parse_path(source) for source in column.sources) for _, column in columns]
        self._names = [column.name for _, column in columns]
        self._plan = [
            (number, column.type == "json", tuple(_getter(path) for path in choices))
            for (number, column), choices in zip(columns, paths, strict=True)
        ]
        self._arrays = sorted({path.steps for choices in paths for path in choices if path.parameter is not None})
        self._used = used_keys(path for choices in paths for path in choices)
        self._met: set[str] = set()
        self._start()

    def _start(self) -> None:
        self.rejects: list[Reject] = []
        # By column, and the raw rows as bytes: a list per row would keep the garbage collector busy.
        self.columns: list[list[str | None]] = [[] for _ in self._names]
        self.lines: list[int] = []
        self.extra: list[str | None] = []
        self.found: list[str | None] = []
        self.raws: list[Any] = []
        self.characters = 0

    def add_line(self, content: bytes, line: int) -> None:
        """Take, or reject, a line of NDJSON without blanks around it."""
        record = _decode(content, line, self)
        if record is not None:
            suspect = b"\\u" in content and _ESCAPED_UNSTORABLE.search(content.decode()) is not None
            self.add(record, line, content, len(content), suspect=suspect)

    def add(self, record: dict[str, Any], line: int, raw: Any, size: int, *, suspect: bool) -> None:
        """Take a record whose text has `size` characters; `suspect` if it may hold what no text column can."""
        parameters = [_parameters(_walk(record, steps)) for steps in self._arrays]
        known = dict(zip(self._arrays, parameters, strict=True))
        texts: list[str | None] = []
        problems = ""
        for number, is_json, getters in self._plan:
            value = getters[0](record, known)
            for getter in getters[1:]:
                if value is not None:
                    break
                value = getter(record, known)
            if value is None or (type(value) is str and not is_json):
                texts.append(value)
            elif is_json:
                texts.append(_dump(value))
            elif isinstance(value, dict | list):
                texts.append(None)
                problems += f"{number}:type.scalar;"
            else:
                texts.append(_to_text(value))
        extra = _leftover(record, self._used)
        extra_text = _dump(extra) if extra else None
        if suspect and any(text and _UNSTORABLE.search(text) for text in (*texts, extra_text)):
            reason = "holds a NUL character or half of a surrogate pair"
            self.rejects.append(Reject(line, "text.nul", reason, _escaped(self.raw_text(raw))))
            return
        if not self._met.issuperset(extra):
            self._met.update(extra)
            self.notes.added.update(key for key in extra if not is_known(self.contract, key))
        for column, text in zip(self.columns, texts, strict=True):
            column.append(text)
        self.characters += size
        self.lines.append(line)
        self.extra.append(extra_text)
        self.found.append(problems[:-1] or None)
        self.raws.append(raw)

    def is_full(self) -> bool:
        return len(self.lines) >= CHUNK_ROWS or self.characters >= CHUNK_CHARACTERS or len(self.rejects) >= CHUNK_ROWS

    def finish(self) -> Chunk:
        by_name = dict(zip(self._names, self.columns, strict=True))
        table = text_table(self.contract, by_name, lines=self.lines, extra=self.extra, found=self.found)
        raws, rejects = self.raws, tuple(self.rejects)
        self._start()
        return Chunk(table, lambda position: self.raw_text(raws[position]), rejects)


def _getter(path: FieldPath) -> _Getter:
    """Function that reads a path; the short ones, which are nearly all, without a loop."""
    steps, parameter = path.steps, path.parameter
    if parameter is not None:
        return lambda _, arrays: arrays[steps].get(parameter)
    if len(steps) == 1:
        key = steps[0]
        return lambda record, _: record.get(key)
    if len(steps) == 2:
        outer, inner = steps

        def nested(record: dict[str, Any], _: Any) -> Any:
            value = record.get(outer)
            return value.get(inner) if isinstance(value, dict) else None

        return nested
    return lambda record, _: _walk(record, steps)


def _walk(value: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _parameters(array: Any) -> dict[str, Any]:
    """`{key: value}` of a GA4 parameter array; the first kind of value that is set counts, the first of equal keys."""
    found: dict[str, Any] = {}
    for entry in array if isinstance(array, list) else ():
        if not isinstance(entry, dict) or entry.get("key") in found:
            continue
        value = entry.get("value")
        if isinstance(value, dict):
            kinds, value = value, None
            for kind in VALUE_KINDS:
                value = kinds.get(kind)
                if value is not None:
                    break
        found[str(entry.get("key"))] = value
    return found


def _leftover(record: dict[str, Any], used: dict[str, Any]) -> dict[str, Any]:
    """What the contract does not read, nested parts included, by key."""
    kept: dict[str, Any] = {}
    for key, value in sorted(record.items()):
        branch = used.get(key)
        if branch is None:
            if value is not None:
                kept[key] = value
        elif branch and isinstance(value, dict):
            inner = _leftover(value, branch)
            if inner:
                kept[key] = inner
        elif branch and value is not None and not ("*" in branch and isinstance(value, list)):
            # An object was expected here, and only its parts are read.
            kept[key] = value
    return kept


def _by_key(entries: Any, key: str) -> dict[str, Any]:
    if not isinstance(entries, list):
        return {}
    return {str(entry.get(key)): entry for entry in entries if isinstance(entry, dict)}


def _to_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        shown = repr(value)
        return format(Decimal(shown), "f") if "e" in shown else shown
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _loads(text: str) -> Any:
    return _STRICT.decode(text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key written twice one value would go without a word, so the record is rejected."""
    found = dict(pairs)
    if len(found) < len(pairs):
        met: set[str] = set()
        twice = next(key for key, _ in pairs if key in met or met.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:60]!r} is written twice in one object")
    return found


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object)


def _dump(value: Any) -> str:
    return _COMPACT.encode(value)


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_to_text)


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
