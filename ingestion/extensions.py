"""A company's own words about a vendor's format: a contract that extends a built-in one.

The vendor's part (dialect, header rows, times, who answered) is written once in `ingestion/contracts`. What only the
company knows, such as which question of a survey is the NPS one, or how its account writes numbers, is a YAML file of
a few lines in the company's `contracts/`: `extends: qualtrics/responses` and the columns that differ.

A built-in contract with `template: true` reads no file on its own, because without those columns its rows mean
nothing. Another one is replaced by its extension, unless the extension has a name and files of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from ingestion.contract import Column, Contract, Dialect, Drift, FilePattern, Hold, Name, Numbers, Times, _Model
from kizuna.errors import InputError


class OwnColumn(_Model):
    """Where a column of the vendor contract comes from in this company's export: `from` (header) or a `value`.

    A column named here must be there, or the file is refused; `required: false` is for one that some files lack.
    """

    source: str | None = Field(default=None, alias="from")
    aliases: tuple[str, ...] | None = None
    value: str | None = None
    values: dict[str, str] | None = None
    formats: tuple[str, ...] | None = None
    timezone: str | None = None
    strip_prefix: str | None = None
    null_markers: tuple[str, ...] | None = None
    min: str | int | float | None = None
    max: str | int | float | None = None
    allowed: tuple[str, ...] | None = None
    pattern: str | None = None
    round: bool | None = None
    required: bool = True

    @model_validator(mode="after")
    def _one_origin(self) -> OwnColumn:
        if self.source is not None and self.value is not None:
            raise ValueError("at most one of `from:` and `value:` may be given")
        return self


class ExtensionFile(_Model):
    """Keys of a contract that extends a built-in one."""

    extends: str
    name: Name | None = None
    description: str | None = None
    files: tuple[str | FilePattern, ...] | None = None
    dialect: Dialect | None = None
    times: Times | None = None
    numbers: Numbers | None = None
    null_markers: tuple[str, ...] | None = None
    known: tuple[str, ...] = ()
    drift: Drift | None = None
    hold: Hold | None = None
    columns: dict[Name, OwnColumn] = Field(default={})


def is_extension(data: dict[str, Any]) -> bool:
    """True for the keys of a contract file that says `extends:`; whatever else is wrong is told when it is loaded."""
    return "extends" in data


def load_extension(path: Path, built_in: Iterable[Contract]) -> Contract:
    """The built-in contract as the file changes it. Raises `InputError` for a name or a column that does not exist."""
    from ingestion.contract_files import as_contract, parse_file, patterns_of

    file = parse_file(path, ExtensionFile)
    bases = {f"{contract.source}/{contract.entity}": contract for contract in built_in}
    base = bases.get(file.extends)
    if base is None:
        raise InputError(f"{path}: extends: {file.extends!r} is not allowed: choose one of {', '.join(sorted(bases))}")
    unknown = [name for name in file.columns if name not in {column.name for column in base.columns}]
    if unknown:
        raise InputError(
            f"{path}: columns.{unknown[0]}: unknown column of {file.extends}; allowed: "
            f"{', '.join(column.name for column in base.columns)}"
        )
    given = file.model_dump(exclude={"extends", "name", "files", "known", "columns"}, exclude_none=True)
    fields: dict[str, Any] = {name: getattr(base, name) for name in Contract.model_fields}
    fields |= {name: getattr(file, name) for name in given}
    fields |= {
        "name": file.name or (f"{base.source}__{path.stem}" if base.template else base.name),
        "files": base.files if file.files is None else patterns_of(file.files, base.format),
        "known": (*base.known, *file.known),
        "columns": tuple(_column(path, column, file.columns.get(column.name)) for column in base.columns),
        "template": False,
        "origin": str(path),
    }
    return as_contract(path, fields)


def _column(path: Path, column: Column, own: OwnColumn | None) -> Column:
    if own is None:
        return column
    changed = {name: getattr(own, name) for name in own.model_fields_set if name != "required"}
    if "source" in changed:
        # Another header means that the vendor's other spellings of it do not apply either.
        changed = {"aliases": (), "value": None} | changed
        # A question that the export does not hold is a mistake to hear of, not a column of nothing.
        if column.required == "no" and own.required:
            changed["required"] = "header"
    elif "value" in changed:
        changed |= {"source": None, "aliases": ()}
    try:
        merged = Column.model_validate(column.model_copy(update=changed).model_dump())
    except ValidationError as error:
        from ingestion.contract_files import explain

        raise InputError(explain(path, error, Column, f"columns.{column.name}.")) from None
    return merged


def replaced(built_in: Iterable[Contract], own: Iterable[Contract]) -> list[Contract]:
    """All contracts in force: the company's, and the built-in ones that none of them takes the place of.

    A template stays, because its relation exists in every build, but no file fits it.
    """
    mine = list(own)
    taken = {contract.name for contract in mine if not contract.mapped and not contract.kept}
    kept = [contract for contract in built_in if contract.name not in taken]
    return [contract.model_copy(update={"files": ()}) if contract.template else contract for contract in kept] + mine
