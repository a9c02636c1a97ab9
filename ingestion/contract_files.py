"""Reading contract YAML: the built-in vendor contracts, the canonical entities, and the company's own contracts.

Every error names the file, the key, the value and what is allowed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from ingestion.conflicts import refuse_conflicts, refuse_taken_names
from ingestion.contract import (
    COMPANY_TIMEZONE,
    GENERATED,
    Column,
    ColumnType,
    Contract,
    DataClass,
    Dialect,
    Drift,
    FilePattern,
    Format,
    Hold,
    JsonShape,
    Name,
    Numbers,
    Reading,
    Times,
    XlsxShape,
    _Model,
)
from ingestion.currencies import codes as currency_codes
from ingestion.extensions import ExtensionFile, OwnColumn, is_extension, load_extension, replaced
from ingestion.kept import TABLE, KeptFile, is_kept, load_kept
from kizuna.errors import InputError

BUILT_IN = Path(__file__).parent / "contracts"

Shape = TypeVar("Shape", bound=BaseModel)


class _Yaml(yaml.SafeLoader):
    """YAML where only true and false are booleans: `on:`, `yes` and Norway's `NO` stay the text they look like."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


class _FastYaml(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml where it is built in: the built-in contracts take a tenth of a second, not most of one."""

    yaml_implicit_resolvers = _Yaml.yaml_implicit_resolvers


class VendorFile(Reading):
    """Keys of a vendor contract."""

    source: Name
    entity: Name
    files: tuple[str | FilePattern, ...]
    key: tuple[str, ...] = ()
    event_time: str | None = None
    identical_rows: Literal["duplicate", "keep"] = "duplicate"
    columns: dict[Name, Column]
    #: Read only through a contract of the company that extends it.
    template: bool = False


class CanonicalField(_Model):
    type: ColumnType = "string"
    required: bool = False
    #: Has a value wherever it is mapped; a key that is not mapped is generated.
    filled: bool = False
    data_class: DataClass = "none"
    allowed: tuple[str, ...] = ()
    impossible: Literal["reject", "empty"] = "reject"
    #: Filled from the same column as this field unless it is mapped itself, as text.
    beside: Name | None = None


class CanonicalEntity(_Model):
    """A canonical entity: the columns of `raw.mapped__<entity>`.

    `without_key`: where no key is mapped each row is a record (`row`), or staging knows one by what it says, in however
    many files (`content`); with `lines` equal rows of one file are several even so.
    """

    entity: Name
    description: str = ""
    key: Name
    without_key: Literal["row", "content", "lines"] = "content"
    event_time: Name | None = None
    columns: dict[Name, CanonicalField]


class MappedField(_Model):
    """Where one canonical field comes from: a `column` (header or JSON path) or a constant `value`."""

    column: str | None = None
    aliases: tuple[str, ...] = ()
    value: str | None = None
    format: str | tuple[str, ...] | None = None
    timezone: str | None = None
    values: dict[str, str] = Field(default={})
    round: bool = False
    factor: int | float | str | None = None
    strip_prefix: str | None = None
    null_markers: tuple[str, ...] | None = None
    min: str | int | float | None = None
    max: str | int | float | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None


class MappingFile(Reading):
    """Keys of a mapping contract."""

    source: Name
    maps_to: Name
    name: Name | None = None
    identity_namespace: Name | None = None
    files: tuple[str | FilePattern, ...]
    key: Literal["generated"] | None = None
    identical_rows: Literal["duplicate", "keep"] | None = None
    fields: dict[str, MappedField]


def load_contracts(own: Path | None = None, *, timezone: str = "UTC") -> tuple[Contract, ...]:
    """Built-in contracts and those of the folder `own`, sorted by name. `timezone` is the company's.

    Raises `InputError` for a bad contract, two of one name, or patterns that could both match one file.
    """
    paths = sorted([*own.glob("*.yml"), *own.glob("*.yaml")]) if own is not None and own.is_dir() else []
    mine = [load_own(path) for path in paths]
    contracts = [resolve_timezone(contract, timezone) for contract in replaced(_built_in(), mine)]
    refuse_taken_names(contracts)
    refuse_conflicts(contracts)
    return tuple(sorted(contracts, key=lambda contract: contract.name))


def load_own(path: Path) -> Contract:
    """A contract of a company: a mapping to a canonical entity, the extension of a built-in one, or a kept table."""
    data = parse_yaml(path)
    if is_extension(data):
        return load_extension(path, _built_in())
    return load_kept(path) if is_kept(data) else load_mapping(path)


@lru_cache(maxsize=1)
def _built_in() -> tuple[Contract, ...]:
    return tuple(load_vendor(path) for path in sorted(BUILT_IN.glob("*/*.yml")) if path.parent.name != "canonical")


def load_vendor(path: Path) -> Contract:
    """One built-in contract."""
    file = parse_file(path, VendorFile)
    fields = {
        **{name: getattr(file, name) for name in VendorFile.model_fields},
        "name": f"{file.source}__{file.entity}",
    }
    fields["columns"] = tuple(column.model_copy(update={"name": name}) for name, column in file.columns.items())
    fields["files"] = patterns_of(file.files, file.format)
    return as_contract(path, fields)


def load_mapping(path: Path) -> Contract:
    """One mapping contract of a company."""
    file = parse_file(path, MappingFile)
    entities = canonical_entities()
    if file.maps_to not in entities:
        raise InputError(
            f"{path}: maps_to: {file.maps_to!r} is not allowed: choose one of {', '.join(sorted(entities))}, or "
            f"{TABLE} to keep a table as it is"
        )
    entity = entities[file.maps_to]
    unknown = [name for name in file.fields if name not in entity.columns]
    if unknown:
        raise InputError(
            f"{path}: fields.{unknown[0]}: unknown field of {entity.entity}; allowed: {', '.join(entity.columns)}"
        )
    columns = tuple(_mapped_column(path, file, entity, name) for name in entity.columns)
    written = ("format", "dialect", "times", "numbers", "null_markers", "json_shape", "xlsx")
    shared = ("source", "description", *written, "known")
    event_time = entity.event_time if entity.event_time in file.fields else None
    repeats = entity.without_key == "lines" and entity.key not in file.fields
    repeats = repeats or any(column.generated for column in columns)
    fields = {name: getattr(file, name) for name in (*shared, "drift", "hold", "arrival")} | {
        "name": file.name or f"{file.source}__{file.maps_to}",
        "entity": file.maps_to,
        "mapped": True,
        "namespace": file.identity_namespace or file.source,
        "files": patterns_of(file.files, file.format),
        "key": (entity.key,),
        "event_time": event_time or _first_time(entity, file),
        # Without a key of its own an identical row is another event, not a repetition.
        "identical_rows": file.identical_rows or ("keep" if repeats else "duplicate"),
        "columns": columns,
        "origin": str(path),
    }
    return as_contract(path, fields)


@lru_cache(maxsize=1)
def canonical_entities() -> dict[str, CanonicalEntity]:
    """The entities a mapping contract may feed, by name."""
    files = (parse_file(path, CanonicalEntity) for path in sorted((BUILT_IN / "canonical").glob("*.yml")))
    return {file.entity: file for file in files}


def _mapped_column(path: Path, file: MappingFile, entity: CanonicalEntity, name: str) -> Column:
    canonical = entity.columns[name]
    field = file.fields.get(name)
    generated = name == entity.key and file.key == GENERATED
    if field is None and canonical.beside in file.fields and not generated:
        field = MappedField.model_validate(
            file.fields[canonical.beside].model_dump(include={"column", "aliases", "value"})
        )
    if field is None:
        # Required fields must be mapped; an optional key is generated where no row tells another one's record again.
        generated = generated or (name == entity.key and not canonical.required and entity.without_key == "row")
        if canonical.required and not generated:
            required = [key for key, value in entity.columns.items() if value.required]
            raise InputError(f"{path}: fields.{name}: missing; {entity.entity} requires {', '.join(required)}")
        return Column.model_validate(
            {"name": name, "type": canonical.type, "data_class": canonical.data_class, "generated": generated}
        )
    if generated:
        raise InputError(f"{path}: fields.{name}: given although `key: {GENERATED}` is set; remove one of them")
    if (field.column is None) == (field.value is None):
        raise InputError(f"{path}: fields.{name}: exactly one of `column:` and `value:` must be given")
    if name == "currency" and field.value is not None and field.value.upper() not in currency_codes():
        raise InputError(f"{path}: fields.{name}.value: {field.value!r} is no currency code of ISO 4217, such as JPY")
    formats = (field.format,) if isinstance(field.format, str) else (field.format or ())
    if formats and canonical.type not in ("date", "timestamp"):
        raise InputError(
            f"{path}: fields.{name}.format: {name} is a {canonical.type}; only times and dates have a format"
        )
    if field.column is not None and file.dialect.columns and field.column not in file.dialect.columns:
        raise InputError(
            f"{path}: fields.{name}.column: {field.column!r} is not one of dialect.columns: "
            f"{', '.join(file.dialect.columns)}"
        )
    if file.format in ("csv", "xlsx"):
        # Headers of tables are read without outer spaces, so a name copied with them means the same column.
        names = {"column": field.column and field.column.strip(), "aliases": tuple(a.strip() for a in field.aliases)}
        field = field.model_copy(update=names)
    passed = field.model_dump(exclude={"column", "format"}) | {"allowed": field.allowed or canonical.allowed}
    try:
        return Column.model_validate(
            {
                "name": name,
                "source": field.column,
                "type": canonical.type,
                "required": canonical.required or canonical.filled,
                "data_class": canonical.data_class,
                "formats": formats,
                "impossible": canonical.impossible,
                "iso4217": name == "currency",
                "currency": "currency" if canonical.type == "decimal" and "currency" in file.fields else None,
                **passed,
            }
        )
    except ValidationError as error:
        raise InputError(explain(path, error, Column, f"fields.{name}.")) from None


def _first_time(entity: CanonicalEntity, file: MappingFile) -> str | None:
    return next((n for n, c in entity.columns.items() if c.type == "timestamp" and n in file.fields), None)


def patterns_of(files: tuple[str | FilePattern, ...], default: Format) -> tuple[FilePattern, ...]:
    entries = (FilePattern(pattern=entry) if isinstance(entry, str) else entry for entry in files)
    return tuple(entry if entry.format else entry.model_copy(update={"format": default}) for entry in entries)


def as_contract(path: Path, fields: dict[str, Any]) -> Contract:
    if any(pattern.format == "xlsx" for pattern in fields["files"]):
        # A date cell is read as ISO text, whatever notation the contract expects of dates that are text.
        times: Times = fields["times"]
        formats = {name: _with_iso(getattr(times, name)) for name in ("formats", "date_formats")}
        columns = (column.model_copy(update={"formats": _with_iso(column.formats)}) for column in fields["columns"])
        fields = fields | {"times": times.model_copy(update=formats), "columns": tuple(columns)}
    try:
        return Contract(**fields)
    except ValidationError as error:
        raise InputError(explain(path, error, Contract)) from None


def _with_iso(formats: tuple[str, ...]) -> tuple[str, ...]:
    return (*formats, "iso") if formats and "iso" not in formats else formats


def resolve_timezone(contract: Contract, timezone: str) -> Contract:
    """The contract with `company` as time zone replaced by the company's."""
    if contract.times.timezone != COMPANY_TIMEZONE:
        return contract
    return contract.model_copy(update={"times": contract.times.model_copy(update={"timezone": timezone})})


def parse_yaml(path: Path) -> dict[str, Any]:
    """What a YAML file says. Raises `InputError` with line and column where it is no YAML."""
    try:
        data = _load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise InputError(f"{where}: not valid YAML ({getattr(error, 'problem', error)})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected keys such as source, maps_to, files, format")
    return data


def _load(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_FastYaml)
    except yaml.YAMLError:
        # It says better what is wrong.
        return yaml.load(text, Loader=_Yaml)


def parse_file(path: Path, shape: type[Shape]) -> Shape:
    """The file as `shape`. Raises `InputError` that names file, key, value and what is allowed."""
    data = parse_yaml(path)
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        raise InputError(explain(path, error, shape)) from None


def explain(path: Path, error: ValidationError, shape: type[BaseModel], prefix: str = "") -> str:
    lines = []
    for problem in error.errors():
        key = prefix + ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            allowed = ", ".join(sorted(_keys_at(shape, problem["loc"][:-1])))
            lines.append(f"{path}: {key}: unknown key; allowed here: {allowed}")
        elif problem["type"] == "missing":
            lines.append(f"{path}: {key}: missing; this key is required")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{path}: {key or '(whole file)'}: {problem['input']!r} is not allowed: {message}")
    return "\n".join(lines)


def _keys_at(shape: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Keys allowed at a place of the file, found by walking the models along the error's path."""
    nested: dict[str, type[BaseModel]] = {
        "dialect": Dialect,
        "times": Times,
        "numbers": Numbers,
        "drift": Drift,
        "hold": Hold,
        "json": JsonShape,
        "xlsx": XlsxShape,
    }
    entries: dict[type[BaseModel], type[BaseModel]] = {
        VendorFile: Column,
        KeptFile: Column,
        ExtensionFile: OwnColumn,
        MappingFile: MappedField,
        CanonicalEntity: CanonicalField,
    }
    current: type[BaseModel] = shape
    for part in location:
        if part in nested:
            current = nested[str(part)]
        elif part in ("columns", "fields"):
            current = entries.get(shape, current)
    return [field.alias or name for name, field in current.model_fields.items()]
