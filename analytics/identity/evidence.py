"""From tables of text to an integer graph: records on one side, identifier values on the other, evidence between.

Edges always lead from a record to a value, never from record to record: a value with n records costs n edges
instead of n * (n - 1) / 2, and whoever wants to know why two records are one finds the value in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.matching import Places, numbered
from analytics.identity.normalize import normalize, tidy
from analytics.identity.pseudonym import RECORD, SEPARATOR
from analytics.identity.rules import PROBABLE, STEWARD, Rule, RuleTable

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# A time nobody wrote down: later than all others where the first is sought, earlier where the last is.
NEVER_FIRST = np.iinfo(np.int64).max
NEVER_LAST = np.iinfo(np.int64).min

DEVICE, USER = "device_id", "user_id"
# Types that no file can bring.
RESERVED = frozenset({RECORD, STEWARD, PROBABLE})


class IdentityInputError(ValueError):
    """The tables contradict each other: a record given twice, or evidence for a record that is not there."""


@dataclass(frozen=True, slots=True)
class Records:
    """One row per source record. `seen` is microseconds since 1970 or NEVER_FIRST."""

    source: pa.StringArray
    record_key: pa.StringArray
    seen: Ints
    source_code: Ints
    sources: tuple[str, ...]
    endpoint: Bools

    def __len__(self) -> int:
        return len(self.seen)


@dataclass(frozen=True, slots=True)
class Values:
    """One row per distinct identifier value; `type_code` counts from the strongest rule to the weakest.

    `refused` names what is wrong with the value on sight (`invalid`, `blocked_value`), with `refused_why` beside it.
    """

    type_code: Ints
    text: pa.StringArray
    invalid: Bools
    blocked: Bools
    refused_why: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.type_code)


@dataclass(frozen=True, slots=True)
class Edges:
    """One row per record and value, those of a value and of a source beside each other where `gather` made them.

    `login` marks a user id seen on a device record.
    """

    record: Ints
    value: Ints
    first: Ints
    last: Ints
    login: Bools

    def __len__(self) -> int:
        return len(self.record)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The whole input as integers.

    `logins` are (device value, user value) pairs of the device log; `older` are (value, value whose earlier generation
    it is) pairs of values that changed hands.
    """

    records: Records
    values: Values
    edges: Edges
    types: tuple[Rule, ...]
    logins: tuple[Ints, Ints]
    older: tuple[Ints, Ints] = (np.empty(0, np.int64), np.empty(0, np.int64))

    def type_index(self, identifier_type: str) -> int:
        """Code of a type, -1 where no evidence of that type exists."""
        names = [rule.identifier_type for rule in self.types]
        return names.index(identifier_type) if identifier_type in names else -1


def gather(
    source_records: pa.Table,
    identifiers: pa.Table,
    device_logins: pa.Table | None,
    rules: RuleTable,
    default_country: str,
) -> Evidence:
    """Read, normalise and number everything. Empty texts are no evidence and leave no trace.

    Raises IdentityInputError when a source record is given twice or evidence names an unknown record.
    """
    given = _Given.of(identifiers)
    records = _records(source_records, rules)
    logins = _Logins.of(device_logins)

    names = set(pc.unique(given.kind).to_pylist())
    if names & RESERVED:
        raise IdentityInputError(f"identifiers: {', '.join(sorted(names & RESERVED))} is a type of Kizuna's own")
    if len(logins.device):
        names |= {DEVICE, USER}
    types = tuple(sorted((rules.rule(name) for name in names), key=lambda rule: (rule.priority, rule.identifier_type)))

    # Whose rows these are, and which values they show: neither needs the other, and both are mostly Arrow's.
    with ThreadPoolExecutor(1) as beside:
        owners = beside.submit(_records_of, records, given)
        builder, row_value, login_nodes = _number_values(types, given, logins, default_country)
        row_record = owners.result()
    values = builder.done()

    device_code = next((code for code, rule in enumerate(types) if rule.identifier_type == DEVICE), -1)
    user_code = next((code for code, rule in enumerate(types) if rule.identifier_type == USER), -1)
    device_rows = records.endpoint[row_record] & (values.type_code[row_value] == device_code)
    # What the device log says is evidence of the device's own record too.
    on, login = join_on(row_value[device_rows], login_nodes[DEVICE])
    edges = _edges(
        _joined(row_record, row_record[device_rows][on]),
        _joined(row_value, login_nodes[USER][login]),
        _joined(given.first, logins.first[login]),
        _joined(given.last, logins.last[login]),
        records,
    )
    is_login = records.endpoint[edges.record] & (values.type_code[edges.value] == user_code)
    return Evidence(
        records=records,
        values=values,
        edges=Edges(edges.record, edges.value, edges.first, edges.last, is_login),
        types=types,
        logins=(login_nodes[DEVICE], login_nodes[USER]),
    )


def _number_values(
    types: tuple[Rule, ...], given: _Given, logins: _Logins, default_country: str
) -> tuple[_ValueBuilder, Ints, dict[str, Ints]]:
    """The distinct values, the value of every row given, and those of the logins' devices and users."""
    row_value = np.full(len(given.raw), -1, dtype=np.int64)
    of_row = _codes(given.kind, pa.array([rule.identifier_type for rule in types], pa.string()))
    builder = _ValueBuilder(default_country)
    login_nodes: dict[str, Ints] = {DEVICE: np.empty(0, np.int64), USER: np.empty(0, np.int64)}
    for code, rule in enumerate(types):
        rows = np.flatnonzero(of_row == code)
        texts = [given.raw.take(pa.array(rows))]
        if rule.identifier_type in login_nodes:
            texts.append(logins.device if rule.identifier_type == DEVICE else logins.user)
        nodes = builder.add(code, rule, pa.concat_arrays(texts))
        row_value[rows] = nodes[: len(rows)]
        if rule.identifier_type in login_nodes:
            login_nodes[rule.identifier_type] = nodes[len(rows) :]
    return builder, row_value, login_nodes


def join_keys(source: pa.StringArray | pa.ChunkedArray, record_key: pa.StringArray | pa.ChunkedArray) -> pa.StringArray:
    """The name of each record: its source and its key."""
    joined = pc.binary_join_element_wise(source, record_key, SEPARATOR)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def join_on(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Row numbers of both sides for every pair of equal keys (an inner join)."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    begin = np.searchsorted(ordered, left, side="left")
    count = np.searchsorted(ordered, left, side="right") - begin
    rows = np.repeat(np.arange(len(left)), count)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    return rows, order[np.repeat(begin, count) + within]


@dataclass(frozen=True, slots=True)
class _Given:
    source: pa.ChunkedArray
    record_key: pa.StringArray
    kind: pa.ChunkedArray
    raw: pa.StringArray
    first: Ints
    last: Ints

    @staticmethod
    def of(identifiers: pa.Table) -> _Given:
        raw = identifiers["raw_value"].cast(pa.string())
        blank = pc.or_(pc.equal(raw, ""), pc.utf8_is_space(raw))
        written = pc.invert(pc.fill_null(blank, True))
        # Evidence is nearly always written, and a copy of all of it is not small.
        table = identifiers if pc.all(written, min_count=0).as_py() else identifiers.filter(written)
        seen = "last_seen_at" if "last_seen_at" in table.column_names else "seen_at"
        return _Given(
            source=table["source"],
            record_key=text_of(table, "record_key"),
            kind=table["identifier_type"],
            raw=text_of(table, "raw_value"),
            first=_times(table, "seen_at", NEVER_FIRST),
            last=_times(table, seen, NEVER_LAST),
        )


@dataclass(frozen=True, slots=True)
class _Logins:
    device: pa.StringArray
    user: pa.StringArray
    first: Ints
    last: Ints

    @staticmethod
    def of(table: pa.Table | None) -> _Logins:
        if table is None:
            nothing = np.empty(0, np.int64)
            return _Logins(pa.array([], pa.string()), pa.array([], pa.string()), nothing, nothing)
        whole = table.filter(pc.and_(pc.is_valid(table["device_id"]), pc.is_valid(table["user_id"])))
        once = whole.group_by(["device_id", "user_id"]).aggregate([("login_at", "min"), ("login_at", "max")])
        return _Logins(
            device=text_of(once, "device_id"),
            user=text_of(once, "user_id"),
            first=_times(once, "login_at_min", NEVER_FIRST),
            last=_times(once, "login_at_max", NEVER_LAST),
        )


class _ValueBuilder:
    """Collects the distinct values of all types under one numbering."""

    def __init__(self, default_country: str) -> None:
        self._country = default_country
        self._types: list[Ints] = []
        self._texts: list[pa.StringArray] = []
        self._invalid: list[Bools] = []
        self._blocked: list[Bools] = []
        self._why: dict[int, str] = {}
        self._size = 0

    def add(self, code: int, rule: Rule, raw: pa.StringArray) -> Ints:
        """Value number of each raw text."""
        nodes, distinct = numbered(raw)
        normal = normalize(rule.form, distinct, self._country)
        is_invalid, reasons = _bools(pc.is_null(normal.values)), normal.reasons
        # An invalid value keeps its tidied text, so that its drop can be told apart from others.
        texts = pc.if_else(pa.array(is_invalid), tidy(distinct), normal.values) if is_invalid.any() else normal.values
        # Written as it is normalised, each distinct text stays one.
        if texts is not distinct:
            of_distinct, once = numbered(texts)
            if len(once) < len(texts):
                first = np.full(len(once), len(texts), np.int64)
                np.minimum.at(first, of_distinct, np.arange(len(texts)))
                nodes, is_invalid, reasons = of_distinct[nodes], is_invalid[first], reasons.take(pa.array(first))
            texts = once
        reasons = pc.if_else(pa.array(is_invalid), reasons, _blocked_by(rule, texts, reasons))
        for row in np.flatnonzero(_bools(pc.is_valid(reasons))):
            self._why[self._size + int(row)] = reasons[int(row)].as_py()
        self._types.append(np.full(len(texts), code, dtype=np.int64))
        self._texts.append(texts)
        self._invalid.append(is_invalid)
        self._blocked.append(_bools(pc.is_valid(reasons)) & ~is_invalid)
        nodes = nodes + self._size
        self._size += len(texts)
        return nodes

    def done(self) -> Values:
        return Values(
            type_code=np.concatenate([np.empty(0, np.int64), *self._types]),
            text=pa.concat_arrays([pa.array([], pa.string()), *self._texts]),
            invalid=np.concatenate([np.empty(0, np.bool_), *self._invalid]),
            blocked=np.concatenate([np.empty(0, np.bool_), *self._blocked]),
            refused_why=self._why,
        )


def _blocked_by(rule: Rule, texts: pa.StringArray, reasons: pa.StringArray) -> pa.StringArray:
    for name, pattern in rule.blocked_patterns:
        reasons = pc.if_else(pc.match_substring_regex(texts, pattern), name, reasons)
    if rule.blocked_values:
        listed = pc.is_in(texts, value_set=pa.array(sorted(rule.blocked_values), pa.string()))
        reasons = pc.if_else(listed, "listed", reasons)
    return reasons


def _joined(rows: Ints, more: Ints) -> Ints:
    return np.concatenate([rows, more]) if len(more) else rows


def _records_of(records: Records, given: _Given) -> Ints:
    """The record of each row. One source at a time: its keys alone are names, and fewer of them are found faster."""
    sources = pa.array(records.sources, pa.string())
    of_row = _codes(given.source, sources)
    found = np.full(len(of_row), -1, np.int64)
    for code in range(len(records.sources)):
        own, named = np.flatnonzero(records.source_code == code), np.flatnonzero(of_row == code)
        keys = records.record_key.take(pa.array(own))
        places = Places(keys)
        if keys.null_count or not places.unique:
            raise IdentityInputError("source_records: (source, record_key) must be there and unique")
        found[named] = np.append(own, -1)[places.of(given.record_key.take(pa.array(named)))]
    unknown = np.count_nonzero(found < 0)
    if unknown:
        raise IdentityInputError(f"identifiers: {unknown} rows name a record that is not in source_records")
    return found


def _records(table: pa.Table, rules: RuleTable) -> Records:
    source, record_key = text_of(table, "source"), text_of(table, "record_key")
    encoded = source.dictionary_encode()
    sources = tuple(encoded.dictionary.to_pylist())
    code = _ints(encoded.indices)
    kinds = np.array([name.rpartition(".")[2] in rules.endpoint_kinds for name in sources], dtype=np.bool_)
    return Records(
        source=source,
        record_key=record_key,
        seen=_times(table, "seen_at", NEVER_FIRST),
        source_code=code,
        sources=sources,
        endpoint=kinds[code] if len(kinds) else np.zeros(len(code), np.bool_),
    )


def _edges(record: Ints, value: Ints, first: Ints, last: Ints, records: Records) -> Edges:
    """One row per pair, in the order in which `customer_identifiers` is put together, which need not sort again."""
    key = value * max(len(records.sources), 1)
    key += records.source_code[record]
    key *= max(len(records), 1)
    key += record
    order = np.argsort(key)
    key = key[order]
    new = np.append(True, key[1:] != key[:-1])[: len(key)]
    record, value, first, last = record[order], value[order], first[order], last[order]
    if not new.all():
        begin = np.flatnonzero(new)
        record, value = record[begin], value[begin]
        first, last = np.minimum.reduceat(first, begin), np.maximum.reduceat(last, begin)
    return Edges(record, value, first, last, np.zeros(len(record), np.bool_))


def text_of(table: pa.Table, name: str) -> pa.StringArray:
    """A column as one array of texts."""
    column = table[name].cast(pa.string())
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays([pa.array([], pa.string()), *column.chunks])


def _codes(names: pa.ChunkedArray, of: pa.StringArray) -> npt.NDArray[np.int32]:
    """The place of each name in `of`, -1 for any other."""
    return np.asarray(pc.fill_null(pc.index_in(names.cast(pa.string()), value_set=of), -1).to_numpy(), np.int32)


def _times(table: pa.Table, name: str, missing: int) -> Ints:
    moments = table[name].cast(pa.timestamp("us")).cast(pa.int64())
    return _ints(pc.fill_null(moments, missing))


def _ints(array: pa.Array | pa.ChunkedArray) -> Ints:
    return np.asarray(array.to_numpy(), dtype=np.int64)


def _bools(array: pa.Array) -> Bools:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.bool_)
