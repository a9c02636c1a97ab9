"""A mapping contract drafted from a file, for a person to correct. A draft never becomes active by itself.

Which canonical entity fits, and which column holds which field, is guessed from names in English and Japanese and
confirmed by the type checks themselves. What was guessed, and what is missing, carries the word CHECK.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.contract import Column, Numbers
from ingestion.contract_files import CanonicalEntity, CanonicalField, canonical_entities, load_mapping
from ingestion.draft_look import Look, look_at, scratch
from ingestion.draft_words import FILE_NAMES, NAMES, plain
from ingestion.fit import accepted_share
from ingestion.parse import engine
from kizuna.errors import InputError

if TYPE_CHECKING:
    import duckdb

#: Where drafts lie below a company's contracts; nothing there is ever loaded.
FOLDER = "drafts"
UNKNOWN = "???"

_DAYS = ("%Y/%m/%d", "%d.%m.%Y", "%Y年%m月%d日", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%Y%m%d")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
TIME_FORMATS = ("iso", *(day + clock for day in _DAYS for clock in _CLOCKS), "epoch_s", "epoch_ms", "epoch_us")
_NUMBERS = (
    Numbers(),
    Numbers(thousands_separator=","),
    Numbers(decimal_separator=",", thousands_separator="."),
    Numbers(decimal_separator=","),
)
_FITS, _HALF = 0.9, 0.5


@dataclass
class _Guess:
    """One field of the draft: its column, what is said beside it, and what to check."""

    column: str
    options: dict[str, object] = field(default_factory=dict)
    check: str = ""


@dataclass(frozen=True)
class DraftText:
    """YAML text of a draft, and how many of its lines say CHECK."""

    text: str
    source: str
    entity: str
    checks: int


def draft(path: Path, *, source: str | None = None, entity: str | None = None, currency: str = "JPY") -> DraftText:
    """Draft a contract for the file. Raises `InputError` for a file or an entity that nothing can be made of."""
    entities = canonical_entities()
    if entity is not None and entity not in entities:
        raise InputError(f"--entity {entity!r} is not known: choose one of {', '.join(sorted(entities))}.")
    look = look_at(path)
    if not look.sample.header:
        raise InputError(f"{path}: no columns were found.")
    con = engine()
    try:
        numbers = _number_style(con, look)
        wanted = [entities[entity]] if entity else sorted(entities.values(), key=lambda found: found.entity)
        drafts = [(found, _guesses(con, look, found, numbers)) for found in wanted]
    finally:
        con.close()
    chosen, guesses = max(drafts, key=lambda entry: _score(path, *entry))
    name = source or _source_of(path)
    text = _write(path, name, look, chosen, guesses, numbers, currency)
    _must_load(text)
    return DraftText(text, name, chosen.entity, text.count("CHECK"))


def _guesses(
    con: duckdb.DuckDBPyConnection, look: Look, entity: CanonicalEntity, numbers: Numbers
) -> dict[str, _Guess]:
    """Fields that a column seems to hold, the surest names first; a column is used once."""
    taken: set[str] = set()
    found: dict[str, _Guess] = {}
    ranked = sorted(
        ((_rank(entity, name, header), position, name, header)
         for name in entity.columns for position, header in enumerate(look.sample.header)),
        key=lambda entry: (-entry[0], entry[1]),
    )  # fmt: skip
    for rank, _, name, header in ranked:
        if rank <= 0 or name in found or header in taken or not header:
            continue
        guess = _confirm(con, look, name, entity.columns[name], header, numbers)
        if guess is not None:
            found[name] = guess
            taken.add(header)
    return found


def _rank(entity: CanonicalEntity, name: str, header: str) -> int:
    """3 for the very name, 2 for a known word, 1 for a known word within; required fields first."""
    known, said = NAMES.get(name, frozenset({plain(name)})), plain(header.rpartition(".")[2])
    exact = 3 if said == plain(name) else 2 if said in known else 0
    if not exact and any(len(word) >= 3 and word in said for word in known):
        exact = 1
    return exact * 2 + (entity.columns[name].required or name == entity.key) if exact else 0


def _confirm(
    con: duckdb.DuckDBPyConnection, look: Look, name: str, canonical: CanonicalField, header: str, numbers: Numbers
) -> _Guess | None:
    """The guess with what its values need to be accepted; None when they do not fit the field's type."""
    values = [value for value in look.sample.column(header) if value]
    contract = scratch(look).model_copy(update={"numbers": numbers})

    def share(**more: object) -> float:
        column = Column.model_validate({"name": name, "from": header, "type": canonical.type, **more})
        return accepted_share(con, contract, column, values)

    def fits(**more: object) -> bool:
        return share(**more) >= _FITS

    guess = _Guess(header)
    if not values:
        guess.check = "empty in the rows that were looked at"
    elif canonical.type in ("timestamp", "date"):
        shares = {entry: share(formats=[entry]) for entry in TIME_FORMATS}
        best = max(shares.values())
        if best < _HALF:
            return None
        formats = [entry for entry in TIME_FORMATS if shares[entry] >= min(best, _FITS)]
        if best < _FITS:
            guess.check = f"only {best:.0%} of the values are written so; how are the others meant?"
        if formats[0] != "iso":
            guess.options["format"] = formats[0]
        if {"%m/%d/%Y", "%d/%m/%Y"} <= {entry.partition(" ")[0] for entry in formats}:
            guess.check = "month or day first? no day above 12 was seen"
    elif canonical.type in ("integer", "decimal", "boolean"):
        sign = values[0][:1]
        if fits():
            pass
        elif canonical.type == "decimal" and fits(round=True):
            guess.options["round"], guess.check = True, "values have more decimals than are kept; rounded"
        elif sign in "¥￥$€£" and fits(strip_prefix=sign):
            guess.options["strip_prefix"] = sign
        else:
            return None
    elif canonical.allowed:
        odd = sorted({value for value in values if value not in canonical.allowed})
        if odd and len(odd) <= 12 and all(len(value) <= 30 for value in odd):
            guess.options["values"] = {value: _nearest(value, canonical.allowed) for value in odd}
            guess.check = f"what does each of the words mean? allowed: {', '.join(canonical.allowed)}"
        elif odd:
            return None
    return guess


def _nearest(value: str, allowed: Sequence[str]) -> str:
    return next((word for word in allowed if plain(word) in plain(value)), allowed[0])


def _number_style(con: duckdb.DuckDBPyConnection, look: Look) -> Numbers:
    """How the file writes numbers: the style that reads the most columns, plain ones first."""
    columns = [[value.lstrip("¥￥$€£") for value in look.sample.column(name) if value] for name in look.sample.header]
    figures = [values for values in columns if values and all(re.fullmatch(r"[-+]?[\d.,]+", v) for v in values)]
    column = Column.model_validate({"name": "figure", "from": "figure", "type": "decimal", "round": True})

    def reads(numbers: Numbers) -> float:
        contract = scratch(look).model_copy(update={"numbers": numbers})
        return sum(accepted_share(con, contract, column, values) for values in figures)

    return max(_NUMBERS, key=lambda numbers: (round(reads(numbers), 6), -_NUMBERS.index(numbers)))


def _score(path: Path, entity: CanonicalEntity, guesses: dict[str, _Guess]) -> tuple[float, str]:
    needed = [name for name, column in entity.columns.items() if column.required and name not in _CONSTANTS]
    share = sum(name in guesses for name in needed) / max(len(needed), 1)
    own = sum(name in guesses for name in entity.columns if name not in _COMMON)
    named = any(word in plain(path.name) for word in FILE_NAMES.get(entity.entity, ()))
    return 4 * share + own + 3 * named + 0.1 * len(guesses), entity.entity


#: Fields that a constant may fill, and fields that say nothing about the entity.
_CONSTANTS = {"currency", "kind", "direction", "touch_kind", "purpose", "experiment"}
_COMMON = {"email", "phone", "customer_key", "account_key", "region", "channel", "status", "updated_at", "created_at"}


def _source_of(path: Path) -> str:
    """The folder below `landing` if the file lies there, else a name made of the file's."""
    parts = path.resolve().parts
    if "landing" in parts[:-2]:
        return parts[len(parts) - 1 - parts[::-1].index("landing") + 1]
    name = re.sub(r"[^a-z0-9]+", "_", path.stem.casefold()).strip("_")
    name = re.sub(r"[_\d]+$", "", name)
    return name if re.match(r"[a-z]", name) else "my_source"


def _pattern_of(path: Path) -> str:
    """The file's name with any digits, so that the next delivery fits too."""
    safe = re.sub(r"[\[\]{}?*]", "?", path.name)
    return "**/" + re.sub(r"\d+([-_.]?\d+)*", "*", safe)


def _write(
    path: Path,
    source: str,
    look: Look,
    entity: CanonicalEntity,
    guesses: dict[str, _Guess],
    numbers: Numbers,
    currency: str,
) -> str:
    lines = [
        f"# Draft of a contract for {_comment(path.name)}, made from {len(look.sample.rows)} of its rows.",
        "# Look at every line that says CHECK, then move the file into contracts/. Until then it does nothing.",
        *(f"# CHECK: {_comment(note)}" for note in look.notes),
        f"source: {_scalar(source)}  # the folder under landing/ where such files will lie",
        f"maps_to: {entity.entity}  # CHECK: {entity.description}",
        f"files: [{_scalar(_pattern_of(path))}]  # CHECK: does this fit the next delivery, and nothing else?",
        f"format: {look.format}",
        *_shape(look),
    ]
    if look.format != "parquet":
        lines.append("times: {timezone: company}  # CHECK: times without an offset are local to the company; or UTC, …")
    if numbers != Numbers():
        lines.append(f"numbers: {_flow(numbers.model_dump(exclude_none=True))}")
    lines.append("fields:")
    for name, canonical in entity.columns.items():
        lines += _field_lines(name, canonical, entity, guesses, currency, "value" if look.dialect.columns else "column")
    if entity.key not in guesses and not entity.columns[entity.key].required:
        instead = "it is made from the file and the line" if entity.without_key == "row" else "a row is what it says"
        lines.append(f"# {entity.key}: no column seems to hold it; {instead}.")
    used = {guess.column for guess in guesses.values()}
    rest = [header for header in look.sample.header if header and header.partition(".")[0] not in used | {""}]
    rest = [header for header in dict.fromkeys(rest) if header not in used]
    if rest:
        lines += ["known:  # columns that are not needed; CHECK that nothing here belongs above"]
        lines += [f"  - {_scalar(_literally(header))}" for header in rest]
    return "\n".join(lines) + "\n"


def _field_lines(
    name: str,
    canonical: CanonicalField,
    entity: CanonicalEntity,
    guesses: dict[str, _Guess],
    currency: str,
    place: str,
) -> list[str]:
    guess = guesses.get(name)
    if guess is not None:
        check = f"  # CHECK: {_comment(guess.check)}" if guess.check else ""
        return [f"  {name}: {_flow({'column': guess.column, **guess.options})}{check}"]
    if not canonical.required:
        return []
    if name == "currency":
        return [f"  currency: {{value: {currency}}}  # CHECK: no column holds it; one currency for all rows?"]
    if canonical.allowed:
        return [f"  {name}: {{value: {canonical.allowed[0]}}}  # CHECK: one of {', '.join(canonical.allowed)}"]
    why = "which column tells records apart?" if name == entity.key else "no column seems to hold it"
    return [f"  {name}: {{{place}: {_scalar(UNKNOWN)}}}  # CHECK: required; {why}"]


def _shape(look: Look) -> list[str]:
    if look.format == "csv":
        dialect = look.dialect.model_dump()
        shown = {key: dialect[key] for key in ("delimiter", "quote", "header_rows", "encodings")}
        if look.dialect.columns:
            shown["columns"] = list(look.dialect.columns)
        return [f"dialect: {_flow(shown)}  # CHECK: as the file looks; nothing is guessed when it is loaded"]
    if look.format == "xlsx" and look.xlsx.range:
        return [f"xlsx: {_flow({'range': look.xlsx.range})}"]
    return [f"json: {_flow({'records': look.records})}"] if look.records else []


def _literally(header: str) -> str:
    """`known` takes patterns; a header's own brackets and stars mean themselves."""
    return re.sub(r"([*?\[])", r"[\1]", header)


def _scalar(value: object) -> str:
    """A YAML scalar: JSON is one whatever it holds."""
    text = json.dumps(value, ensure_ascii=False)
    plain_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", value)
    return str(value) if plain_word and str(value) not in ("true", "false", "null") else _escaped(text)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    return _scalar(value)


def _escaped(text: str) -> str:
    """Characters that YAML does not take as they are, written as JSON escapes."""
    return "".join(c if c.isprintable() else f"\\u{min(ord(c), 0xFFFF):04x}" for c in text)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _must_load(text: str) -> None:
    """A draft that the loader would refuse is a bug of the drafting, not a task for its reader."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draft.yml"
        path.write_text(text, encoding="utf-8")
        load_mapping(path)
