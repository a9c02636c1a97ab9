"""From text to typed values in one DuckDB query per chunk, with every refusal named.

A cast is not validation: read as an integer `9.5` becomes 10, and an offset in a timestamp is silently ignored. So
each value is checked by pattern or round trip before it is cast. The query reads a relation of text columns named like
the contract's columns; where that relation comes from (rows parsed in Python, or the engine's own reader) is all the
same to it.

Problems of a row come back in `_problems` as entries `<column number>:<code>`, separated by `;`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from ingestion.contract import NAMED_TIMES, STRPTIME_PATTERNS, Column, Contract
from ingestion.currencies import WITHOUT_DECIMALS, codes

#: What a code means for a person; `{value}`, `{rule}` are filled in where the row is reported.
REASONS = {
    "value.required": "is empty but must have a value",
    "type.integer": "{value} is not a whole number",
    "type.decimal": "{value} is not a number {rule}",
    "type.boolean": "{value} is not a yes or no (true, false, 1, 0)",
    "type.date": "{value} is not a date {rule}",
    "type.timestamp": "{value} is not a time {rule}",
    "type.json": "{value} is not valid JSON",
    "type.scalar": "holds a list or an object where one value was expected",
    "value.min": "{value} is below {rule}",
    "value.max": "{value} is above {rule}",
    "value.allowed": "{value} is not one of {rule}",
    "value.pattern": "{value} does not look like {rule}",
    "value.currency": "{value} is no currency code of ISO 4217",
    "value.minor_units": "{value} has decimals, which its currency does not; `round: true` would round it",
}

#: A day from 1982 to 2064, with its time, as a spreadsheet counts it.
_DAY_NUMBER = re.compile(r"[3-5]\d{4}(\.\d+)?")

_OFFSET = r"(Z|z|[ ]?UTC|[ ]?[+-]\d{2}:?\d{2}|[+-]\d{2})"
_ISO_DAY = r"\d{4}-\d{2}-\d{2}"
_ISO_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?"
_SET_BACK_BY = ("1 HOUR", "30 MINUTE")
_TRUE = ("true", "1", "yes", "y", "t")
_FALSE = ("false", "0", "no", "n", "f")
_OFTEN = ("JPY", "USD", "EUR", "GBP", "CNY")


def literal(text: str) -> str:
    """`text` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def typing_query(
    contract: Contract, relation: str, *, file_hash: str, ready: Collection[str] = (), skip: Collection[str] = ()
) -> str:
    """SELECT over `relation` (text columns, `_pos`, `_line`, `_extra`, `_found`): typed columns and `_problems`.

    `ready` are columns `_t<number of a column>` of `relation` with the times that are known already; the columns `skip`
    are left out. Where times of the contract can name two moments there is a column `_doubled`, true for a row with
    such a time.
    """
    clean, values, problems, doubled = [], [], [], []
    for number, column in enumerate(contract.columns):
        if column.name in skip:
            continue
        clean.append(f"{_clean(contract, column, file_hash)} AS c{number}")
        value = _typed(contract, column, f"c{number}")
        if f"_t{number}" in ready:
            value = f"CASE WHEN c{number} IS NOT NULL THEN coalesce(_t{number}, {value}) END"
        if column.round and column.currency is not None:
            value = f"CASE WHEN {_without_decimals(contract, column)} THEN round({value}, 0) ELSE {value} END"
        values.append(f"{value} AS v{number}")
        if twice := _doubled(contract, column, f"c{number}"):
            doubled.append(f"(_t{number} IS NULL AND {twice})" if f"_t{number}" in ready else twice)
        problems.extend(_problems(contract, column, number))
    kept = ", ".join(["_pos, _line, _extra, _found", *ready])
    found = ", ".join(["nullif(_found, '')", *problems])
    columns = [(n, column.name) for n, column in enumerate(contract.columns) if column.name not in skip]
    outputs = "".join(f"v{n} AS {identifier(name)}, " for n, name in columns)
    twice = f"coalesce({' OR '.join(doubled)}, false) AS _doubled, " if doubled else ""
    return (
        f"WITH clean AS (SELECT {', '.join([kept, *clean])} FROM {relation}), "
        f"typed AS (SELECT {', '.join(['*', *values])} FROM clean) "
        f"SELECT {outputs}_extra, _line, _pos, {twice}concat_ws(';', {found}) AS _problems FROM typed"
    )


def describe_problem(contract: Contract, number: int, code: str, value: str | None) -> str:
    """One problem in words: the column, the value, what is allowed."""
    column = contract.columns[number]
    shown = repr(value if value is None or len(value) <= 80 else value[:77] + "…")
    times = "or the moment does not exist"
    if contract.times.ambiguous == "quarantine":
        times += ", or clocks show it twice"
    rule = {
        "value.min": str(column.min),
        "value.max": str(column.max),
        "value.allowed": ", ".join(column.allowed),
        "value.pattern": column.pattern or "",
        "type.decimal": _decimal_rule(contract, column),
        "type.date": f"written as {' or '.join(_date_formats(contract, column))}, or the day does not exist",
        "type.timestamp": f"written as {' or '.join(_time_formats(contract, column))}, {times}",
    }.get(code, "")
    header = column.source or column.name
    is_day_number = code in ("type.date", "type.timestamp") and _DAY_NUMBER.fullmatch(value or "") is not None
    hint = "; it looks like a spreadsheet's number of a day: give the cells a date format" if is_day_number else ""
    return f"{header}: {REASONS[code].format(value=shown, rule=rule)}{hint}"


def _clean(contract: Contract, column: Column, file_hash: str) -> str:
    if column.generated:
        return f"substr(sha256({literal(file_hash)} || ':' || _line::VARCHAR), 1, 32)"
    if column.value is not None:
        return literal(column.value)
    if not column.sources:
        return "NULL::VARCHAR"
    text = identifier(column.name)
    if column.type not in ("string", "json"):
        # Only spaces are ASCII to be trimmed; the engine's trim looks at every character.
        as_is = f"strlen({text}) = length({text}) AND NOT starts_with({text}, ' ') AND NOT ends_with({text}, ' ')"
        text = f"CASE WHEN {as_is} THEN {text} ELSE trim({text}) END"
    if column.strip_prefix:
        prefix, start = literal(column.strip_prefix), len(column.strip_prefix) + 1
        text = f"CASE WHEN starts_with({text}, {prefix}) THEN substr({text}, {start}) ELSE {text} END"
    markers = contract.null_markers if column.null_markers is None else column.null_markers
    if column.type not in ("string", "json") and "" not in markers:
        markers = ("", *markers)
    for marker in markers:
        text = f"nullif({text}, {literal(marker)})"
    if column.values:
        cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in column.values.items())
        text = f"CASE {text} {cases} ELSE {text} END"
    return text


def _typed(contract: Contract, column: Column, text: str) -> str:
    match column.type:
        case "string":
            return text
        case "json":
            return f"CASE WHEN json_valid({text}) THEN {text} END"
        case "integer":
            plain = _plain_number(contract, text)
            whole = f"regexp_full_match({plain}, '[+-]?\\d{{1,19}}(\\.0*)?')"
            exact = f"CASE WHEN {whole} THEN TRY_CAST(regexp_replace({plain}, '\\.0*$', '') AS BIGINT) END"
            return _usual(f"TRY_CAST({text} AS BIGINT)", text, exact)
        case "decimal":
            return _decimal(contract, column, text)
        case "boolean":
            lower = f"lower({text})"
            true, false = (", ".join(literal(word) for word in words) for words in (_TRUE, _FALSE))
            return f"CASE WHEN {lower} IN ({true}) THEN true WHEN {lower} IN ({false}) THEN false END"
        case "date":
            return _first(_date(text, entry) for entry in _date_formats(contract, column))
        case "timestamp":
            zone = column.timezone or contract.times.timezone
            fold = contract.times.ambiguous
            return _first(_timestamp(text, entry, zone, fold) for entry in _time_formats(contract, column))


def _without_decimals(contract: Contract, column: Column) -> str:
    """True for a row whose currency has no smaller unit."""
    number = [other.name for other in contract.columns].index(str(column.currency))
    return f"upper(c{number}) IN ({', '.join(literal(code) for code in sorted(WITHOUT_DECIMALS))})"


def _problems(contract: Contract, column: Column, number: int) -> list[str]:
    text, value = f"c{number}", f"v{number}"
    checks: list[tuple[str, str]] = []
    if column.required == "value":
        checks.append((f"{text} IS NULL", "value.required"))
    if column.type != "string":
        untyped = f"{text} IS NOT NULL AND {value} IS NULL"
        if column.type == "date" and column.impossible == "empty":
            untyped = f"{untyped} AND NOT ({_written_as_dates(contract, column, text)})"
        checks.append((untyped, f"type.{column.type}"))
    if column.min is not None:
        checks.append((f"{value} < {_bound(column, column.min)}", "value.min"))
    if column.max is not None:
        checks.append((f"{value} > {_bound(column, column.max)}", "value.max"))
    if column.allowed:
        checks.append((f"{text} NOT IN ({', '.join(literal(entry) for entry in column.allowed)})", "value.allowed"))
    if column.pattern is not None:
        checks.append((f"NOT regexp_full_match({text}, {literal(column.pattern)})", "value.pattern"))
    if column.iso4217:
        known = ", ".join(literal(code) for code in codes())
        # Every code of a list is compared on its own, so those that most rows have are asked about first.
        often = ", ".join(map(literal, _OFTEN))
        unknown = f"CASE WHEN {text} IN ({often}) THEN false ELSE upper({text}) NOT IN ({known}) END"
        checks.append((unknown, "value.currency"))
    if column.currency is not None:
        broken = f"CASE WHEN {value} <> trunc({value}) THEN {_without_decimals(contract, column)} ELSE false END"
        checks.append((broken, "value.minor_units"))
    return [f"CASE WHEN {condition} THEN '{number}:{code}' END" for condition, code in checks]


def _written_as_dates(contract: Contract, column: Column, text: str) -> str:
    """Whether a text has the form of a date, whatever day it names."""
    patterns = [
        _ISO_DAY if entry == "iso" else _strptime_pattern(entry)
        for entry in _date_formats(contract, column)
        if entry == "iso" or entry not in NAMED_TIMES
    ]
    return " OR ".join(f"regexp_full_match({text}, {literal(pattern)})" for pattern in patterns) or "false"


def _bound(column: Column, bound: str | int | float) -> str:
    shown = f"{bound:.12f}".rstrip("0").rstrip(".") if isinstance(bound, float) else str(bound)
    return f"CAST({literal(shown)} AS {column.sql_type})"


def _plain_number(contract: Contract, text: str) -> str:
    """The number with `.` as separator. Thousands separators count only where they stand right (1,234 not 12,34)."""
    decimal, thousands = contract.numbers.decimal_separator, contract.numbers.thousands_separator
    if thousands is not None:
        grouped = f"[+-]?\\d{{1,3}}({re.escape(thousands)}\\d{{3}})+({re.escape(decimal)}\\d*)?"
        text = (
            f"CASE WHEN regexp_full_match({text}, {literal(grouped)}) "
            f"THEN replace({text}, {literal(thousands)}, '') ELSE {text} END"
        )
    if decimal == ",":
        text = f"CASE WHEN contains({text}, '.') THEN 'mixed' ELSE replace({text}, ',', '.') END"
    return text


def _decimal(contract: Contract, column: Column, text: str) -> str:
    plain = _plain_number(contract, text)
    if column.factor is not None:
        return _multiplied(column, plain)
    whole, scale = 18 - column.scale, column.scale
    decimals = r"\d*" if column.round else f"\\d{{0,{scale}}}0*"
    pattern = f"[+-]?(\\d{{1,{whole}}}(\\.{decimals})?|\\.\\d{decimals})"
    wide = f"TRY_CAST({plain} AS DECIMAL(38,18))" if column.round else plain
    exact = f"CASE WHEN regexp_full_match({plain}, {literal(pattern)}) THEN TRY_CAST({wide} AS {column.sql_type}) END"
    usual_point = contract.numbers.decimal_separator == "." and contract.numbers.thousands_separator != "."
    return _usual(f"TRY_CAST({text} AS {column.sql_type})", text, exact) if usual_point else exact


def _multiplied(column: Column, plain: str) -> str:
    """The number times the column's factor, exact or nothing unless the column rounds."""
    product = f"TRY_CAST({plain} AS DECIMAL(24,8)) * {column.factor}::DECIMAL(12,4)"
    kept = f"TRY_CAST({product} AS {column.sql_type})"
    exact = "" if column.round else f" AND {product} = {kept}"
    pattern = r"[+-]?(\d{1,15}(\.\d{0,8}0*)?|\.\d{1,8}0*)"
    return f"CASE WHEN regexp_full_match({plain}, {literal(pattern)}){exact} THEN {kept} END"


def _usual(cast: str, text: str, exact: str) -> str:
    """The cast where the value is written as the engine itself would write it, which needs no pattern."""
    return f"CASE WHEN {cast}::VARCHAR = {text} THEN {cast} ELSE {exact} END"


def _decimal_rule(contract: Contract, column: Column) -> str:
    places = "" if column.round else f" with at most {column.scale} decimals"
    times = "" if column.factor is None else f" times {column.factor}"
    return f"written with {contract.numbers.decimal_separator!r}{places}{times}"


def _date_formats(contract: Contract, column: Column) -> tuple[str, ...]:
    return column.formats or contract.times.date_formats


def _time_formats(contract: Contract, column: Column) -> tuple[str, ...]:
    return column.formats or contract.times.formats


def _first(expressions: Iterable[str]) -> str:
    parts = list(expressions)
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def _date(text: str, entry: str) -> str:
    if entry == "iso":
        exact = f"CASE WHEN regexp_full_match({text}, '{_ISO_DAY}') THEN TRY_CAST({text} AS DATE) END"
        return f"CASE WHEN strlen({text}) = 10 THEN {_usual(f'TRY_CAST({text} AS DATE)', text, exact)} ELSE {exact} END"
    if entry in NAMED_TIMES:
        return f"CAST({_timestamp(text, entry, 'UTC')} AS DATE)"
    pattern = literal(_strptime_pattern(entry))
    return (
        f"CASE WHEN regexp_full_match({text}, {pattern}) THEN CAST(try_strptime({text}, {literal(entry)}) AS DATE) END"
    )


def _timestamp(text: str, entry: str, zone: str, fold: str = "first") -> str:
    """Naive UTC. A time with an offset is moved by it; one without is taken as local to `zone`.

    A local time that a clock change skips does not exist: converting it there and back gives another one.
    """
    if entry.startswith("epoch_"):
        factor = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}[entry]
        number = f"TRY_CAST(regexp_replace({text}, '\\.0*$', '') AS BIGINT)"
        digits = {"epoch_s": 11, "epoch_ms": 14, "epoch_us": 17}[entry]
        whole = f"regexp_full_match({text}, '-?\\d{{1,{digits}}}(\\.0*)?')"
        return f"CASE WHEN {whole} THEN make_timestamp({number} * {factor}) END"
    if entry == "iso":
        dotted = f"replace({text}, ',', '.')"
        local = f"TRY_CAST({dotted} AS TIMESTAMP)"
        zulu = f"regexp_replace({dotted}, '(Z|z|[ ]?UTC)$', '+00:00')"
        spelled = f"regexp_replace({zulu}, '[ ]?([+-]\\d{{2}}):?(\\d{{2}})$', '\\1:\\2')"
        moved = f"timezone('UTC', TRY_CAST({spelled} AS TIMESTAMPTZ))"
        stamp = f"{_ISO_DAY}[T ]{_ISO_CLOCK}"
        return (
            f"CASE WHEN regexp_full_match({text}, '{stamp}{_OFFSET}') THEN {moved} "
            f"WHEN regexp_full_match({text}, '{stamp}|{_ISO_DAY}') THEN {_from_zone(local, zone, fold)} END"
        )
    pattern = literal(_strptime_pattern(entry))
    parsed = f"try_strptime({text}, {literal(entry)})"
    inner = f"timezone('UTC', {parsed})" if "%z" in entry else _from_zone(parsed, zone, fold)
    return f"CASE WHEN regexp_full_match({text}, {pattern}) THEN {inner} END"


def _from_zone(local: str, zone: str, fold: str) -> str:
    """The engine takes the second of two moments; the first is the one an hour (or half of one) before it."""
    if zone == "UTC":
        return local
    name = literal(zone)
    there = f"timezone({name}, {local})"
    earlier = ""
    if fold != "second" and _sets_clocks_back(zone):
        for shift in _SET_BACK_BY:
            before = f"{there} - INTERVAL {shift}"
            taken = "NULL" if fold == "quarantine" else f"timezone('UTC', {before})"
            earlier += f"WHEN timezone({name}, {before}) = {local} THEN {taken} "
    return f"CASE WHEN timezone({name}, {there}) <> {local} THEN NULL {earlier}ELSE timezone('UTC', {there}) END"


def _doubled(contract: Contract, column: Column, text: str) -> str | None:
    """True where the text, without an offset, names two moments of its zone; None where no text of the column can."""
    zone = column.timezone or contract.times.timezone
    if column.type != "timestamp" or zone == "UTC" or not _sets_clocks_back(zone):
        return None
    found = []
    for entry in _time_formats(contract, column):
        if entry.startswith("epoch_") or "%z" in entry:
            continue
        if entry == "iso":
            pattern, local = f"{_ISO_DAY}[T ]{_ISO_CLOCK}", f"TRY_CAST(replace({text}, ',', '.') AS TIMESTAMP)"
        else:
            pattern, local = _strptime_pattern(entry), f"try_strptime({text}, {literal(entry)})"
        there = f"timezone({literal(zone)}, {local})"
        twice = (f"timezone({literal(zone)}, {there} - INTERVAL {shift}) = {local}" for shift in _SET_BACK_BY)
        is_twice = f"({' OR '.join(twice)})"
        found.append(f"CASE WHEN regexp_full_match({text}, {literal(pattern)}) THEN {is_twice} END")
    return f"coalesce({', '.join([*found, 'false'])})" if found else None


@lru_cache(maxsize=64)
def _sets_clocks_back(zone: str) -> bool:
    """True unless the zone has had one offset since 1970, as Japan's has."""
    place = ZoneInfo(zone)
    offsets = {
        datetime(year, month, 1, tzinfo=place).utcoffset() for year in range(1970, 2038) for month in range(1, 13)
    }
    return len(offsets) > 1


def _strptime_pattern(entry: str) -> str:
    """Regular expression of a strptime pattern; the engine alone would accept more than was declared."""
    pattern, position = "", 0
    while position < len(entry):
        if entry[position] == "%" and position + 1 < len(entry):
            pattern += STRPTIME_PATTERNS[entry[position + 1]]
            position += 2
        else:
            pattern += re.escape(entry[position])
            position += 1
    return pattern
