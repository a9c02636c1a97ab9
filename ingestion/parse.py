"""One file through its reader and the type checks: typed chunks of good rows, and every rejected row with its reason.

This is the interface between formats and the loader: whatever reads the file, what comes out is a `Parsed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import Contract, Format
from ingestion.readers.base import Chunk, Notes, Reject
from ingestion.readers.text import find_encoding, open_text
from ingestion.typing_sql import describe_problem, typing_query

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Parsed:
    """One chunk: `good` has the contract's typed columns, `_extra` and `_line`, in file order."""

    good: pa.Table
    rejects: tuple[Reject, ...]


def engine() -> duckdb.DuckDBPyConnection:
    """In-memory DuckDB for the type checks; it opens no file and no network."""
    import duckdb

    con = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_external_access = false")
    return con


def parse_file(
    con: duckdb.DuckDBPyConnection, path: Path, contract: Contract, kind: Format, file_hash: str, notes: Notes
) -> Iterator[Parsed]:
    """Good rows and rejects of the file, chunk by chunk; `notes` fills up while reading.

    Raises `FileRefused` when the file as a whole cannot be used.
    """
    query = typing_query(contract, "chunk", file_hash=file_hash)
    for chunk in _chunks(path, contract, kind, notes):
        yield _check(con, query, contract, chunk)


def encoding_of(path: Path, contract: Contract, kind: Format) -> str | None:
    """Encoding of a delimited file, settled once so that counter and reader agree; None for other formats."""
    return find_encoding(path, contract.dialect.encodings) if kind == "csv" else None


def _chunks(path: Path, contract: Contract, kind: Format, notes: Notes) -> Iterator[Chunk]:
    from ingestion.readers import csv, json

    match kind:
        case "csv":
            notes.encoding = notes.encoding or find_encoding(path, contract.dialect.encodings)
            with open_text(path, notes.encoding) as stream:
                yield from csv.read_delimited(stream, contract, notes)
        case "ndjson":
            yield from json.read_ndjson(path, contract, notes)
        case "json_pages":
            yield from json.read_page(path, contract, notes)
        case "parquet":
            yield from json.read_parquet(path, contract, notes)
        case "xlsx":
            from ingestion.readers.xlsx import read_xlsx

            yield from read_xlsx(path, contract, notes)


def _check(con: duckdb.DuckDBPyConnection, query: str, contract: Contract, chunk: Chunk) -> Parsed:
    con.register("chunk", chunk.table)
    typed = con.execute(query).to_arrow_table()
    con.unregister("chunk")
    is_good = pc.equal(typed["_problems"], "")
    good = typed.filter(is_good).drop_columns(["_pos", "_problems"])
    if good.num_rows == typed.num_rows:
        return Parsed(good, chunk.rejects)
    bad = typed.filter(pc.invert(is_good)).select(["_pos", "_line", "_problems"]).to_pylist()
    rejects = (_reject(contract, chunk, row["_pos"], row["_line"], row["_problems"]) for row in bad)
    return Parsed(good, tuple(sorted((*chunk.rejects, *rejects), key=lambda reject: reject.line)))


def _reject(contract: Contract, chunk: Chunk, position: int, line: int, problems: str) -> Reject:
    found: list[tuple[str, str, str]] = []
    for entry in problems.split(";"):
        number, _, code = entry.partition(":")
        column = contract.columns[int(number)]
        if any(name == column.name for name, *_ in found):
            continue
        value = chunk.table[column.name][position].as_py()
        found.append((column.name, code, describe_problem(contract, int(number), code, value)))
    name, code, reason = found[0]
    return Reject(line, code, reason, chunk.raw(position).rstrip("\r\n"), name, tuple(found))


def problems_json(reject: Reject) -> str | None:
    """All problems of a row as JSON, None when there is only the one already named."""
    if len(reject.problems) < 2:
        return None
    keys = ("column", "code", "reason")
    return json.dumps([dict(zip(keys, entry, strict=True)) for entry in reject.problems], ensure_ascii=False)
