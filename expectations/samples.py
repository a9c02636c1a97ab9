"""A few rows that failed, told by their shape: enough to recognise the fault, nothing to recognise a person by.

Letters become x, digits 9, characters of Japanese 字; what separates them stays, so that a wrong date format, a number
a hundred times too long or a sign can be seen. Clear are only the columns of `CLEAR`, which hold names of files and
things and keyed pseudonyms, and of them only values that look it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from expectations.rules import Rule

if TYPE_CHECKING:
    import duckdb

#: Rows and columns of a sample.
MAX_ROWS, MAX_COLUMNS, MAX_LENGTH = 5, 6, 40

#: Columns that name no person, in the order they are shown.
CLEAR = (
    "_batch", "_line", "batch_id", "relation", "customer_id", "kpi", "segment_type", "segment", "currency",
    "fate", "day", "period", "week", "month", "identifier_type", "rule", "metric", "record_type", "from_source", "what",
)  # fmt: skip

#: A keyed pseudonym or a hash, and nothing else; a defect may have put anything into a column of ids.
_PSEUDONYM = re.compile(r"(?=.*[a-f])([a-z]+[_-])?[0-9a-f]{16,64}")
#: Names of things and days: nothing with an at sign, and no digits as long as those of a telephone.
_NAME = re.compile(r"(?!.*[0-9]{7})(?!.*[0-9]+-[0-9]+-[0-9]{4})[\w .:/-]{0,64}")
_IDS = frozenset({"_batch", "batch_id", "customer_id"})

Sample = tuple[dict[str, str], ...]


def mask(value: Any) -> str:
    """The shape of a value, at most `MAX_LENGTH` characters; '' for a value that is not there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return "".join(_shape(c) for c in str(value)[:MAX_LENGTH]) + ("…" if len(str(value)) > MAX_LENGTH else "")


def failed_rows(connection: duckdb.DuckDBPyConnection, relation: str, rule: Rule) -> Sample:
    """Up to `MAX_ROWS` failed rows of a rule, masked; none where the rule judges a relation as a whole."""
    sql = _rows_of(relation, rule)
    if sql is None:
        return ()
    import duckdb

    try:
        found = connection.execute(f"select * from ({sql}) as failed limit {MAX_ROWS}")
        names = [column[0] for column in found.description or ()]
        rows = found.fetchall()
    except duckdb.Error:
        # The verdict stands without it, and the message could quote what the sample must not.
        return ()
    shown = _columns(names, rule.column)
    return tuple({names[place]: _shown(names[place], row[place]) for place in shown} for row in rows)


def _rows_of(relation: str, rule: Rule) -> str | None:
    if rule.sample is not None:
        return rule.sample.replace("{batch}", relation)
    column, of = rule.column, f"select * from {relation} where"
    if rule.kind == "ExpectColumnValuesToNotBeNull":
        return f"{of} {column} is null"
    if rule.kind == "ExpectColumnValuesToBeBetween":
        low, high = rule.kwargs.get("min_value"), rule.kwargs.get("max_value")
        ends = [f"{column} < {low}" if low is not None else "", f"{column} > {high}" if high is not None else ""]
        return f"{of} {' or '.join(end for end in ends if end)}"
    if rule.kind == "ExpectColumnValuesToBeInSet":
        known = ", ".join("'" + str(value).replace("'", "''") + "'" for value in rule.kwargs["value_set"])
        return f"{of} cast({column} as varchar) not in ({known})"
    return None


def _columns(names: Sequence[str], column: str | None) -> list[int]:
    """The rule's own column, then what is clear; without either, whatever the rule returns."""
    wanted = [name for name in (column, *CLEAR) if name is not None and name in names]
    chosen = list(dict.fromkeys(wanted)) or [name for name in names if not name.isdigit()]
    return [list(names).index(name) for name in chosen[:MAX_COLUMNS]]


def _shown(name: str, value: Any) -> str:
    text = "" if value is None else str(value)
    if name in CLEAR and (_PSEUDONYM if name in _IDS else _NAME).fullmatch(text):
        return text
    return mask(value)


def _shape(character: str) -> str:
    kind = unicodedata.category(character)
    if kind[0] == "N":
        return "9"
    if kind[0] in "LM":
        return "x" if character.isascii() else "字"
    return character if character.isprintable() else "?"
