"""Person records as sources write them, prepared for comparison: one text column per attribute, null where unknown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.normalize import normalize
from analytics.identity.rules import RuleTable
from analytics.linkage.addresses import Address, address, postcode
from analytics.linkage.names import Name, name

#: What a table of persons has; all but the first two may be null. `birth_text` is a date as written, where it is none.
PERSONS = pa.schema(
    [("source", pa.string()), ("record_key", pa.string())]
    + [
        (column, pa.string())
        for column in (
            "given_name", "family_name", "full_name", "kana", "birth_text", "house_number", "street", "locality",
            "city", "region", "postal_code", "email", "phone",
        )
    ]
    + [("birth_on", pa.date32())]
)  # fmt: skip

Result = TypeVar("Result")

# What systems store where a birth date is required and unknown.
_NO_BIRTH = frozenset({"00000000", "00010101", "18000101", "19000101", "19700101", "11111111", "99991231", "99999999"})


def prepare(persons: pa.Table, rules: RuleTable, default_country: str) -> pa.Table:
    """Comparable columns, one row per row of `persons`, in the same order.

    E-mail and phone are normalised as identifiers are; values that the rule table blocks (role addresses, keyboard
    rows) are no more than nothing here.
    """
    names = _each(name, _texts(persons, "given_name", "family_name", "full_name", "kana"), Name())
    places = _each(address, _texts(persons, "house_number", "street", "locality", "city", "region"), Address())
    births = _each(birth, _texts(persons, "birth_on", "birth_text"), None)
    email = _identifier(persons["email"], "email", rules, default_country)
    columns: dict[str, pa.Array] = {
        "given": pa.array([item.given for item in names], pa.string()),
        "family": pa.array([item.family for item in names], pa.string()),
        "full": pa.array([item.full for item in names], pa.string()),
        "reading": pa.array([item.reading for item in names], pa.string()),
        "birth": pa.array(births, pa.string()),
        "email": email,
        "mailbox": pc.replace_substring_regex(email, "@.*$", ""),
        "phone": _identifier(persons["phone"], "phone", rules, default_country),
        "house": pa.array([item.house for item in places], pa.string()),
        "street": pa.array([item.street for item in places], pa.string()),
        "locality": pa.array([item.locality for item in places], pa.string()),
        "city": pa.array([item.city for item in places], pa.string()),
        "postcode": pa.array(_each(postcode, _texts(persons, "postal_code"), None), pa.string()),
        "region": pa.array([item.region for item in places], pa.string()),
    }
    return pa.table(columns)


def birth(on: str | None, written: str | None) -> str | None:
    """Eight digits, year first; impossible days stay as they are written, since a slip of the keyboard made them."""
    digits = (on or "").replace("-", "")
    if not digits and written:
        parts = [part for part in re.split(r"\D+", written.strip()) if part]
        if len(parts) >= 3 and len(parts[0]) == 4:
            digits = parts[0] + parts[1].zfill(2) + parts[2].zfill(2)
        elif len(parts) >= 3 and len(parts[2]) == 4:
            # Which of the two is the day is not known; exchanged ones are a level of agreement of their own.
            digits = parts[2] + parts[1].zfill(2) + parts[0].zfill(2)
        else:
            digits = "".join(parts)
    return digits if len(digits) == 8 and digits not in _NO_BIRTH else None


def _texts(persons: pa.Table, *columns: str) -> list[list[str | None]]:
    return [persons[column].cast(pa.string()).to_pylist() for column in columns]


def _each(function: Callable[..., Result], columns: list[list[str | None]], empty: Result) -> list[Result]:
    """The function over rows, once per distinct row: a file of a million people has far fewer addresses and names."""
    known: dict[tuple[str | None, ...], Result] = {}
    results = []
    for row in zip(*columns, strict=True):
        if row not in known:
            known[row] = function(*row) if any(row) else empty
        results.append(known[row])
    return results


def _identifier(texts: pa.ChunkedArray, kind: str, rules: RuleTable, country: str) -> pa.Array:
    """Normalised values of an identifier, null where invalid, fictitious or blocked."""
    rule = rules.rule(kind)
    encoded = texts.cast(pa.string()).combine_chunks().dictionary_encode()
    normal = normalize(rule.form, encoded.dictionary, country)
    usable = pc.and_(pc.is_valid(normal.values), pc.is_null(normal.reasons))
    for _, pattern in rule.blocked_patterns:
        usable = pc.and_not(usable, pc.fill_null(pc.match_substring_regex(normal.values, pattern), False))
    if rule.blocked_values:
        usable = pc.and_not(usable, pc.is_in(normal.values, value_set=pa.array(sorted(rule.blocked_values))))
    values = pc.if_else(usable, normal.values, pa.scalar(None, pa.string()))
    return values.take(encoded.indices)
