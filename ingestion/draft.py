"""A mapping contract drafted from a file, for a person to correct. A draft never becomes active by itself.

Which canonical entity fits, and which column holds which field, is guessed from names in English and Japanese and
confirmed by the type checks themselves. What was guessed, and what is missing, carries the word CHECK.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.contract import Column, Contract, Numbers
from ingestion.contract_files import CanonicalEntity, CanonicalField, canonical_entities, load_own
from ingestion.draft_look import Look, look_at, scratch
from ingestion.draft_table import table_of, table_text
from ingestion.draft_text import comment, flow, literally, pattern_of, scalar, shape, source_of
from ingestion.draft_words import FILE_NAMES, NAMES, plain
from ingestion.fit import accepted_share
from ingestion.kept import TABLE
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
_PLAIN_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,2})?")
_FITS, _HALF = 0.9, 0.5

#: `_rank` of a column that is called by a known word.
_SURE = 4


@dataclass
class _Guess:
    """One field of the draft: its column, what is said beside it, and what to check."""

    column: str
    options: dict[str, object] = field(default_factory=dict)
    check: str = ""
    #: The column is called so, and not only somewhat so.
    is_sure: bool = False


@dataclass(frozen=True)
class DraftText:
    """YAML text of a draft, and how many of its lines say CHECK. `name` is the entity's, or that of a kept table;
    `why` says why no entity fits."""

    text: str
    source: str
    entity: str
    checks: int
    name: str
    why: str = ""


def draft(path: Path, *, source: str | None = None, entity: str | None = None, currency: str = "JPY") -> DraftText:
    """Draft a contract for the file. Raises `InputError` for a file or an entity that nothing can be made of."""
    entities = canonical_entities()
    if entity is not None and entity not in (*entities, TABLE):
        raise InputError(f"--entity {entity!r} is not known: choose one of {', '.join(sorted(entities))}, or {TABLE}.")
    look = look_at(path)
    if not look.sample.header:
        raise InputError(f"{path}: no columns were found.")
    name = source or source_of(path)
    if entity == TABLE:
        return _kept(path, name, look, "")
    con = engine()
    try:
        numbers = _number_style(con, look)
        asked = _Asked(con, look, scratch(look).model_copy(update={"numbers": numbers}))
        wanted = [entities[entity]] if entity else sorted(entities.values(), key=lambda found: found.entity)
        drafts = [(found, _guesses(asked, found)) for found in wanted]
    finally:
        con.close()
    best = max(_score(path, *entry) for entry in drafts)
    # Several may be nearest. What is less near is not asked: an order holds an id and an address, as a contact does.
    nearest = [entry for entry in drafts if _score(path, *entry) == best]
    fitting = nearest if entity else [entry for entry in nearest if not _misfit(path, *entry)]
    if not fitting:
        return _kept(path, name, look, _misfit(path, *nearest[0]))
    chosen, guesses = fitting[0]
    text = _write(path, name, look, chosen, guesses, numbers, currency)
    _must_load(text)
    return DraftText(text, name, chosen.entity, text.count("CHECK"), chosen.entity)


def _kept(path: Path, source: str, look: Look, why: str) -> DraftText:
    text = table_text(path, source, look, why)
    _must_load(text)
    return DraftText(text, source, TABLE, text.count("CHECK"), table_of(path), why)


def _misfit(path: Path, entity: CanonicalEntity, guesses: dict[str, _Guess]) -> str:
    """Why an entity, the nearest one say, does not fit; empty when it does.

    A table of stock or owners has an id, a name and times too. Taken for contacts its rows would become customers, so
    whatever an entity requires must be called so, and of some entities that is not enough.
    """
    needed = _needed(entity)
    missing = [name for name in needed if name not in guesses or not guesses[name].is_sure]
    almost = _is_named(path, entity) and len(missing) == 1 and len(needed) > 2
    if missing and not almost:
        return f"the nearest is {entity.entity}, of which no column seems to hold {', '.join(missing)}"
    for telling in _TELLING.get(entity.entity, ()):
        if not any(name in guesses for name in telling):
            return f"the nearest is {entity.entity}, of which no column seems to hold any of {', '.join(telling)}"
    return ""


def _needed(entity: CanonicalEntity) -> list[str]:
    return [name for name, column in entity.columns.items() if column.required and name not in _CONSTANTS]


def _is_named(path: Path, entity: CanonicalEntity) -> bool:
    return any(word in plain(path.name) for word in FILE_NAMES.get(entity.entity, ()))


@dataclass(frozen=True)
class _Asked:
    """What the type checks say about the columns of a file; entities ask much the same, each costs a query."""

    con: duckdb.DuckDBPyConnection
    look: Look
    contract: Contract
    shares: dict[tuple[str, ...], float] = field(default_factory=dict)

    def share(self, header: str, values: Sequence[str], **told: object) -> float:
        """Share of the values of a column that would be accepted if it were what is told."""
        key = (header, repr(sorted(told.items())))
        if key not in self.shares:
            column = Column.model_validate({"name": "asked", "from": header, **told})
            self.shares[key] = accepted_share(self.con, self.contract, column, values)
        return self.shares[key]


def _guesses(asked: _Asked, entity: CanonicalEntity) -> dict[str, _Guess]:
    """Fields that a column seems to hold, the surest names first; a column is used once."""
    taken: set[str] = set()
    found: dict[str, _Guess] = {}
    ranked = sorted(
        ((_rank(entity, name, header), position, name, header)
         for name in entity.columns for position, header in enumerate(asked.look.sample.header)),
        key=lambda entry: (-entry[0], entry[1]),
    )  # fmt: skip
    for rank, _, name, header in ranked:
        if rank <= 0 or name in found or header in taken or not header:
            continue
        guess = _confirm(asked, entity.columns[name], header)
        if guess is not None:
            guess.is_sure = rank >= _SURE
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


def _confirm(asked: _Asked, canonical: CanonicalField, header: str) -> _Guess | None:
    """The guess with what its values need to be accepted; None when they do not fit the field's type."""
    values = [value for value in asked.look.sample.column(header) if value]

    def share(**more: object) -> float:
        return asked.share(header, values, type=canonical.type, **more)

    def fits(**more: object) -> bool:
        return share(**more) >= _FITS

    guess = _Guess(header)
    if not values:
        guess.check = "empty in the rows that were looked at"
    elif canonical.type in ("timestamp", "date"):
        if not any(character.isdigit() for value in values for character in value):
            return None
        # What is ISO is no other notation, and each one asked costs a query.
        plainly = share(formats=["iso"])
        shares = {entry: share(formats=[entry]) for entry in TIME_FORMATS[1:]} if plainly < _FITS else {}
        shares = {"iso": plainly, **shares}
        best = max(shares.values())
        if best < _HALF:
            return None
        formats = [entry for entry, found in shares.items() if found >= min(best, _FITS)]
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

    if all(_PLAIN_NUMBER.fullmatch(value) for values in figures for value in values):
        return Numbers()
    return max(_NUMBERS, key=lambda numbers: (round(reads(numbers), 6), -_NUMBERS.index(numbers)))


def _score(path: Path, entity: CanonicalEntity, guesses: dict[str, _Guess]) -> float:
    needed = _needed(entity)
    share = sum(name in guesses for name in needed) / max(len(needed), 1)
    own = sum(name in guesses for name in entity.columns if name not in _COMMON)
    return round(4 * share + own + 3 * _is_named(path, entity) + 0.1 * len(guesses), 6)


#: Fields that a constant may fill, and fields that say nothing about the entity.
_CONSTANTS = {"currency", "kind", "direction", "touch_kind", "purpose", "experiment"}
_COMMON = {"email", "phone", "customer_key", "account_key", "region", "channel", "status", "updated_at", "created_at"}

#: Fields of which one must be found, of each group, where an id is all that an entity requires.
_TELLING = {
    "contact": (("email", "phone", "first_name", "birth_on"),),
    "interaction": (
        ("email", "phone", "customer_key", "opened_at"),
        ("first_response_at", "resolved_at", "priority", "topic", "csat_score", "talk_seconds"),
    ),
}


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
        f"# Draft of a contract for {comment(path.name)}, made from {len(look.sample.rows)} of its rows.",
        "# Look at every line that says CHECK, then move the file into contracts/. Until then it does nothing.",
        *(f"# CHECK: {comment(note)}" for note in look.notes),
        f"source: {scalar(source)}  # the folder under landing/ where such files will lie",
        f"maps_to: {entity.entity}  # CHECK: {entity.description}",
        f"files: [{scalar(pattern_of(path))}]  # CHECK: does this fit the next delivery, and nothing else?",
        f"format: {look.format}",
        *shape(look),
    ]
    if look.format != "parquet":
        lines.append("times: {timezone: company}  # CHECK: times without an offset are local to the company; or UTC, …")
    if numbers != Numbers():
        lines.append(f"numbers: {flow(numbers.model_dump(exclude_none=True))}")
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
        lines += [f"  - {scalar(literally(header))}" for header in rest]
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
        check = f"  # CHECK: {comment(guess.check)}" if guess.check else ""
        return [f"  {name}: {flow({'column': guess.column, **guess.options})}{check}"]
    if not canonical.required:
        return []
    if name == "currency":
        return [f"  currency: {{value: {currency}}}  # CHECK: no column holds it; one currency for all rows?"]
    if canonical.allowed:
        return [f"  {name}: {{value: {canonical.allowed[0]}}}  # CHECK: one of {', '.join(canonical.allowed)}"]
    why = "which column tells records apart?" if name == entity.key else "no column seems to hold it"
    return [f"  {name}: {{{place}: {scalar(UNKNOWN)}}}  # CHECK: required; {why}"]


def _must_load(text: str) -> None:
    """A draft that the loader would refuse is a bug of the drafting, not a task for its reader."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draft.yml"
        path.write_text(text, encoding="utf-8")
        load_own(path)
