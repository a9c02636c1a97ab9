"""Would these values be accepted in that column? Asked of the type checks themselves, for suggestions to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ingestion.contract import Column, Contract
from ingestion.readers.base import text_table
from ingestion.typing_sql import typing_query

if TYPE_CHECKING:
    import duckdb


def accepted_share(con: duckdb.DuckDBPyConnection, contract: Contract, column: Column, values: Sequence[str]) -> float:
    """Share of the values that are not empty and would be accepted, from 0 to 1; 0 when all are empty."""
    filled: list[str | None] = [value for value in values if value]
    if not filled:
        return 0.0
    # Whether an amount may have decimals is the word of another column, which is not asked here.
    column = column.model_copy(update={"currency": None})
    alone = contract.model_copy(update={"columns": (column,), "key": (), "event_time": None})
    nothing: list[str | None] = [None] * len(filled)
    table = text_table(alone, {column.name: filled}, lines=[*range(len(filled))], extra=nothing, found=nothing)
    con.register("chunk", table)
    typed = con.execute(typing_query(alone, "chunk", file_hash="")).to_arrow_table()
    con.unregister("chunk")
    problems: list[str] = typed["_problems"].to_pylist()
    return problems.count("") / len(filled)
