"""Tables that are kept as they are: a contract of the company's that maps to no entity (`maps_to: table`).

Owners, pipelines, stock, tags: nobody's customer 360 needs them, and a company still wants them whole, counted, decoded
and watched for drift. Their rows lie in the raw store like any other's, and a build shows them as
`raw.kept__<source>__<table>`. No model of Kizuna's reads that; the company's own may.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ingestion.contract import Column, Contract, FilePattern, Name, Reading, StoredName
from kizuna.errors import InputError

#: What `maps_to` says in such a contract.
TABLE = "table"

#: Of a relation's name with its schema: as much as the ledger takes.
_LONGEST = 128


def _column(value: Any) -> Any:
    """`id: string` is short for `id: {type: string}`."""
    return {"type": value} if isinstance(value, str) else {} if value is None else value


class KeptFile(Reading):
    """Keys of a contract that keeps a table. A column is read from the header of its own name unless `from` differs.

    `key`: columns in which each row must have a value, and by which rows are told apart. Without one, rows that are
    equal are several rows, since a table of tags or steps may well hold two of them.
    """

    source: Name
    maps_to: Literal["table"]
    table: Name
    files: tuple[str | FilePattern, ...]
    key: tuple[str, ...] = ()
    event_time: str | None = None
    identical_rows: Literal["duplicate", "keep"] | None = None
    columns: Annotated[dict[StoredName, Annotated[Column, BeforeValidator(_column)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> KeptFile:
        met: dict[str, str] = {}
        for name in self.columns:
            if met.setdefault(name.casefold(), name) != name:
                raise ValueError(f"columns {met[name.casefold()]!r} and {name!r} are one name in a database")
        return self


def is_kept(data: dict[str, Any]) -> bool:
    """True for the keys of a contract file that says `maps_to: table`; whatever else is wrong is told on loading."""
    return data.get("maps_to") == TABLE


def load_kept(path: Path) -> Contract:
    """The contract of a kept table. Raises `InputError` for what it must not say."""
    from ingestion.contract_files import as_contract, parse_file, patterns_of

    file = parse_file(path, KeptFile)
    relation = f"raw.kept__{file.source}__{file.table}"
    if len(relation) > _LONGEST:
        raise InputError(f"{path}: table: {relation!r} has {len(relation)} characters; at most {_LONGEST} are stored")
    shared = {name: getattr(file, name) for name in Reading.model_fields}
    fields = shared | {
        "name": f"{file.source}__{file.table}",
        "source": file.source,
        "entity": file.table,
        "kept": True,
        "files": patterns_of(file.files, file.format),
        "key": file.key,
        "event_time": file.event_time,
        "identical_rows": file.identical_rows or ("duplicate" if file.key else "keep"),
        "columns": tuple(_stored(name, column, file.key) for name, column in file.columns.items()),
        "origin": str(path),
    }
    return as_contract(path, fields)


def _stored(name: str, column: Column, key: tuple[str, ...]) -> Column:
    is_read = column.value is None and not column.generated
    more: dict[str, Any] = {"name": name}
    if column.source is None and is_read:
        more["source"] = name
    if name in key and is_read and column.required == "no":
        more["required"] = "value"
    return column.model_copy(update=more)
