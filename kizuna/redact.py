"""Error texts without the values they quote: an engine's message may hold a row, and logs are read by many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kizuna.errors import BuildError

#: Kinds of engine errors that quote data. Catalog, binder and parser errors speak of SQL names and stay as they are.
_QUOTES_DATA = re.compile(
    r"Could not convert|Conversion Error|Constraint Error|Duplicate key|Invalid Input Error|Out of Range Error"
    r"|Mismatch Type Error|Could not parse|out of range"
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def without_values(text: str) -> str:
    """`text` with quoted parts blanked where the message is of a kind that quotes data."""
    return _QUOTED.sub("'…'", text) if _QUOTES_DATA.search(text) else text


def tree_without_values(tree: Any) -> Any:
    """The same for every text in a structure of dicts and lists."""
    if isinstance(tree, str):
        return without_values(tree)
    if isinstance(tree, dict):
        return {key: tree_without_values(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [tree_without_values(value) for value in tree]
    return tree


@contextmanager
def engine_errors_without_values() -> Iterator[None]:
    """Turn an engine's error into a `BuildError` whose text names tables and columns but quotes no row."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise BuildError(f"{type(error).__name__}: {without_values(str(error))}") from None
