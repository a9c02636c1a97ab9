"""One file through its reader and the type checks: typed chunks of good rows, and every rejected row with its reason.

This is the interface between formats and the loader: whatever reads the file, what comes out is a `Parsed`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import Contract, Format
from ingestion.readers.base import Chunk, Notes, Reject, TextBlock
from ingestion.readers.text import find_encoding, open_bytes, open_text
from ingestion.typing_sql import describe_problem, typing_query
from ingestion.usual import UsualColumns
from kizuna.files import Hasher

if TYPE_CHECKING:
    import duckdb


#: Positions of rows in a chunk.
Positions = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Parsed:
    """One chunk: `good` has the contract's typed columns, `_extra` and `_line`, in file order.

    `doubled` of the good rows have a time in an hour that clocks show twice.
    """

    good: pa.Table
    rejects: tuple[Reject, ...]
    doubled: int = 0


def engine() -> duckdb.DuckDBPyConnection:
    """In-memory DuckDB for the type checks; it opens no file and no network.

    One thread, so that rows keep their order; blocks of a file are typed side by side on cursors of their own.
    """
    import duckdb

    con = duckdb.connect(config={"autoinstall_known_extensions": "false", "threads": "1"})
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    con.execute("SET enable_external_access = false")
    return con


def parse_file(
    con: duckdb.DuckDBPyConnection, path: Path, contract: Contract, kind: Format, file_hash: str, notes: Notes
) -> Iterator[Parsed]:
    """Good rows and rejects of the file, chunk by chunk; `notes` fills up while reading.

    Raises `FileRefused` when the file as a whole cannot be used.
    """
    if kind in ("csv", "ndjson"):
        yield from _parse_blocks(con, path, contract, kind, file_hash, notes)
        return
    for chunk in _chunks(path, contract, kind, notes):
        yield _check(con, contract, chunk, file_hash)


def parse_exactly(
    con: duckdb.DuckDBPyConnection, path: Path, contract: Contract, file_hash: str, notes: Notes
) -> Iterator[Parsed]:
    """A delimited file or one of NDJSON record by record: slow, and what `parse_file` is measured by."""
    from ingestion.readers.csv import read_delimited
    from ingestion.readers.json import read_ndjson

    if contract.format == "ndjson":
        for chunk in read_ndjson(path, contract, notes):
            yield _check(con, contract, chunk, file_hash, row_by_row=True)
        return
    notes.encoding = notes.encoding or find_encoding(path, contract.dialect.encodings)
    with open_text(path, notes.encoding) as stream:
        for chunk in read_delimited(stream, contract, notes):
            yield _check(con, contract, chunk, file_hash, row_by_row=True)


def _parse_blocks(
    con: duckdb.DuckDBPyConnection, path: Path, contract: Contract, kind: Format, file_hash: str, notes: Notes
) -> Iterator[Parsed]:
    from ingestion.readers import delimited, ndjson

    def type_block(block: TextBlock) -> tuple[TextBlock, pa.Table]:
        with con.cursor() as cursor:
            return block, _typed(cursor, contract, block.table, block.cells, file_hash, is_json=block.is_json)

    if kind == "csv":
        notes.encoding = notes.encoding or find_encoding(path, contract.dialect.encodings)
    read = delimited.read_file if kind == "csv" else ndjson.read_file
    hashed = Hasher()
    with open_bytes(path, hashed) as stream:
        for found in read(stream, contract, notes, con, path.stat().st_size, type_block):
            if isinstance(found, Chunk):
                yield _check(con, contract, found, file_hash)
                continue
            (block, typed), again = found
            keep = None if again is None else ~again[block.records]
            rejects = [reject for n, reject in block.rejects.items() if again is None or not again[n]]

            def values(positions: Positions, name: str, block: TextBlock = block) -> list[str | None]:
                column = block.cells.get(name)
                found: list[str | None] = [None] * len(positions)
                return found if column is None else block.table[column].take(pa.array(positions)).to_pylist()

            def raws(positions: Positions, block: TextBlock = block) -> list[str]:
                found: list[str] = block.texts.take(pa.array(block.records[positions])).to_pylist()
                return found

            yield _split(contract, typed, rejects, keep, values, raws)
        notes.content_hash = hashed.stated()


def encoding_of(path: Path, contract: Contract, kind: Format) -> str | None:
    """Encoding of a delimited file, settled once so that counter and reader agree; None for other formats."""
    return find_encoding(path, contract.dialect.encodings) if kind == "csv" else None


def _chunks(path: Path, contract: Contract, kind: Format, notes: Notes) -> Iterator[Chunk]:
    from ingestion.readers import json

    match kind:
        case "json_pages":
            yield from json.read_page(path, contract, notes)
        case "parquet":
            yield from json.read_parquet(path, contract, notes)
        case "xlsx":
            from ingestion.readers.xlsx import read_xlsx

            yield from read_xlsx(path, contract, notes)


def _check(
    con: duckdb.DuckDBPyConnection, contract: Contract, chunk: Chunk, file_hash: str, *, row_by_row: bool = False
) -> Parsed:
    def values(positions: Positions, name: str) -> list[str | None]:
        texts: list[str | None] = chunk.table[name].take(pa.array(positions)).to_pylist()
        return texts

    def raws(positions: Positions) -> list[str]:
        return [chunk.raw(position) for position in positions.tolist()]

    names = {column.name: column.name for column in contract.columns if column.sources}
    typed = _typed(con, contract, chunk.table, names, file_hash, row_by_row=row_by_row)
    return _split(contract, typed, chunk.rejects, None, values, raws)


def _typed(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    chunk: pa.Table,
    cells: dict[str, str],
    file_hash: str,
    *,
    row_by_row: bool = False,
    is_json: bool = False,
) -> pa.Table:
    """The type checks over a chunk. `cells`: column of the contract -> column of the chunk that holds its text.

    Columns in which nothing is odd are typed as a whole, the others by the query, which says what is wrong with a row;
    without such a column there is no `_problems`. `is_json` says that the texts of JSON columns are known to be JSON.
    """
    texts = {name: chunk[cell] for name, cell in cells.items()}
    json_columns = [column.name for column in contract.columns if column.type == "json"] if is_json else []
    usual, ready = {}, {}
    if not row_by_row:
        looked_at = UsualColumns(contract, texts, chunk.num_rows, json_columns)
        usual, ready = looked_at.all(), looked_at.some_times
    others = {name: chunk[name] for name in ("_extra", "_line", "_pos")}
    names = [column.name for column in contract.columns]
    left = [column for column in contract.columns if column.name not in usual]
    if not left and chunk["_found"].null_count == chunk.num_rows:
        return pa.table({name: usual[name] for name in names} | others)
    # The currency decides how many decimals an amount may have.
    wanted = {column.name for column in left} | {column.currency for column in left if column.currency is not None}
    nothing = pa.nulls(chunk.num_rows, pa.string())
    asked = {name: texts.get(name, nothing) for name in names if name in wanted}
    asked |= {"_pos": chunk["_pos"], "_line": chunk["_line"], "_extra": nothing, "_found": chunk["_found"]}
    con.register("chunk", pa.table(asked | ready))
    skip = [name for name in names if name not in wanted]
    typed = con.execute(
        typing_query(contract, "chunk", file_hash=file_hash, ready=list(ready), skip=skip)
    ).to_arrow_table()
    con.unregister("chunk")
    # The engine has one thread and keeps the order of the rows.
    columns = {name: usual[name] if name in usual else typed[name] for name in names}
    told = {name: typed[name] for name in ("_doubled", "_problems") if name in typed.column_names}
    return pa.table(columns | others | told)


def _split(
    contract: Contract,
    typed: pa.Table,
    rejects: Sequence[Reject],
    keep: np.ndarray[Any, Any] | None,
    values: Callable[[Positions, str], list[str | None]],
    raws: Callable[[Positions], list[str]],
) -> Parsed:
    """Good and rejected rows of what the type checks gave; `keep` (by position) leaves out repetitions.

    `values` gives the texts of a column, `raws` those of the rows, at some positions.
    """
    if keep is not None:
        typed = typed.filter(pa.array(keep))
    if "_problems" not in typed.column_names:
        return Parsed(typed.drop_columns(["_pos"]), tuple(rejects))
    is_good = pc.equal(typed["_problems"], "")
    good = typed.drop_columns(["_pos", "_problems"])
    if not pc.all(is_good).as_py():
        good = good.filter(is_good)
        bad = typed.filter(pc.invert(is_good))
        found = _rejects(contract, bad["_pos"].to_numpy(), bad["_line"], bad["_problems"], values, raws)
        rejects = sorted((*rejects, *found), key=lambda reject: reject.line)
    doubled = 0
    if "_doubled" in good.column_names:
        doubled = pc.sum(good["_doubled"]).as_py() or 0
        good = good.drop_columns(["_doubled"])
    return Parsed(good, tuple(rejects), doubled)


def _rejects(
    contract: Contract,
    positions: Positions,
    lines: pa.ChunkedArray,
    problems: pa.ChunkedArray,
    values: Callable[[Positions, str], list[str | None]],
    raws: Callable[[Positions], list[str]],
) -> list[Reject]:
    """The rejected rows, each with every problem in words; what rows share is looked up once."""
    texts: dict[int, list[str | None]] = {}
    parts: dict[str, list[tuple[int, str, str]]] = {}
    words: dict[tuple[int, str, str | None], tuple[str, str, str]] = {}
    rejects = []
    rows = zip(lines.to_pylist(), problems.to_pylist(), raws(positions), strict=True)
    for n, (line, entry, raw) in enumerate(rows):
        if entry not in parts:
            parts[entry] = _first_of_each(contract, entry)
        found = []
        for number, name, code in parts[entry]:
            if number not in texts:
                texts[number] = values(positions, name)
            key = (number, code, texts[number][n])
            if key not in words:
                words[key] = (name, code, describe_problem(contract, *key))
            found.append(words[key])
        name, code, reason = found[0]
        rejects.append(Reject(line, code, reason, raw.rstrip("\r\n"), name, tuple(found)))
    return rejects


def _first_of_each(contract: Contract, problems: str) -> list[tuple[int, str, str]]:
    """(number, name, code) of the first problem of each column."""
    found: dict[int, tuple[int, str, str]] = {}
    for entry in problems.split(";"):
        number, _, code = entry.partition(":")
        found.setdefault(int(number), (int(number), contract.columns[int(number)].name, code))
    return list(found.values())


def problems_json(reject: Reject) -> str | None:
    """All problems of a row as JSON, None when there is only the one already named."""
    if len(reject.problems) < 2:
        return None
    keys = ("column", "code", "reason")
    return json.dumps([dict(zip(keys, entry, strict=True)) for entry in reject.problems], ensure_ascii=False)
