"""Source contracts: what a vendor's (or a company's own) file looks like, said once in YAML and never guessed.

A vendor contract describes one relation `raw.<source>__<entity>`. A mapping contract (`maps_to: order`) feeds a
canonical entity of `ingestion/contracts/canonical/`, so that any CSV, NDJSON or Parquet file joins without code; one
that says `maps_to: table` keeps a table as it is. All become the same `Contract`. Unknown keys are refused, so that a
typing error never means "no check".
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

ColumnType = Literal["string", "integer", "decimal", "boolean", "date", "timestamp", "json"]
Format = Literal["csv", "ndjson", "json_pages", "parquet", "xlsx"]
DataClass = Literal["none", "pseudonymous", "personal", "sensitive"]
Policy = Literal["evolve", "quarantine", "stop"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

#: Column of a raw relation: letters of any script. Names that begin with `_` are those of the lineage columns.
StoredName = Annotated[str, Field(pattern=r"^[^\W\d_]\w{0,62}$")]

WHITESPACE = "whitespace"
COMPANY_TIMEZONE = "company"
GENERATED = "generated"

#: Encodings a contract may declare, as Python codec names. UTF-8 is read with or without a byte order mark.
ENCODINGS = ("utf-8", "cp932", "euc_jp", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252")

#: Timestamp notations known by name; anything else is a strptime pattern.
NAMED_TIMES = ("iso", "epoch_s", "epoch_ms", "epoch_us")


@cache
def _zones() -> frozenset[str]:
    """Names of all time zones; the library reads a folder tree for them each time."""
    return frozenset(available_timezones())


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Dialect(_Model):
    """How a delimited text file is written. Everything is stated; nothing is sniffed.

    `quote` and `escape` may be null. A doubled quote inside a quoted cell always stands for one. `columns` names the
    cells of a file without a header (`header_rows: 0`). With `header_rows` above 1 the first row holds the names.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    header_rows: Annotated[int, Field(ge=0, le=10)] = 1
    columns: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ("utf-8",)

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if value != WHITESPACE and len(value) != 1:
            raise ValueError(f"a delimiter is one character or '{WHITESPACE}'")
        return value

    @field_validator("quote", "escape")
    @classmethod
    def _at_most_one_character(cls, value: str | None) -> str | None:
        if value is not None and len(value) != 1:
            raise ValueError("must be one character or null")
        return value

    @field_validator("encodings")
    @classmethod
    def _known_encodings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for encoding in value:
            if encoding not in ENCODINGS:
                raise ValueError(f"encoding {encoding!r} is not known; allowed: {', '.join(ENCODINGS)}")
        if not value:
            raise ValueError("at least one encoding must be named")
        return value

    @model_validator(mode="after")
    def _header_or_columns(self) -> Self:
        if self.header_rows == 0 and not self.columns:
            raise ValueError("header_rows is 0, so `columns` must name the cells of a row in order")
        if self.header_rows > 0 and self.columns:
            raise ValueError("`columns` is for files without a header; set header_rows to 0 or remove it")
        return self


class Times(_Model):
    """How times and dates are written; `timezone` is that of times without an offset (`company`: of kizuna.yaml).

    `ambiguous` says which one is meant of the two moments that an hour names when clocks are set back, or that such
    rows are rejected. An hour that clocks skip never exists and is always rejected.
    """

    timezone: str = COMPANY_TIMEZONE
    ambiguous: Literal["first", "second", "quarantine"] = "first"
    formats: tuple[str, ...] = ("iso",)
    date_formats: tuple[str, ...] = ("iso",)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value != COMPANY_TIMEZONE and value not in _zones():
            raise ValueError(f"a time zone is '{COMPANY_TIMEZONE}' or an IANA name such as Asia/Tokyo")
        return value

    @field_validator("formats", "date_formats")
    @classmethod
    def _known_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            check_time_format(entry)
        return value


class Numbers(_Model):
    """How numbers are written."""

    decimal_separator: Literal[".", ","] = "."
    thousands_separator: Literal[",", ".", " ", "'"] | None = None

    @model_validator(mode="after")
    def _different(self) -> Self:
        if self.decimal_separator == self.thousands_separator:
            raise ValueError("decimal_separator and thousands_separator are the same character")
        return self


class Drift(_Model):
    """What to do when the columns differ from the contract: go on and report (`evolve`), hold the batch as a whole
    (`quarantine`), or refuse the file (`stop`). See `ingestion/drift.py` for what the kinds mean.
    """

    added: Policy = "evolve"
    dropped: Policy = "evolve"
    renamed: Policy = "evolve"
    retyped: Policy = "quarantine"
    reordered: Policy = "evolve"
    recased: Policy = "evolve"


class Hold(_Model):
    """When a batch is held as a whole: more than `rows` rejected rows, or more than `share` of them.

    The share counts only from `floor` rejected rows on, so that one bad line does not stop a file of five.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 0.10
    rows: Annotated[int, Field(ge=0)] | None = None
    floor: Annotated[int, Field(ge=1)] = 5

    def holds(self, quarantined: int, rows_in: int) -> bool:
        if self.rows is not None and quarantined > self.rows:
            return True
        return quarantined >= self.floor and quarantined > self.share * rows_in


class FilePattern(_Model):
    """Files of a contract, relative to `landing/<source>/`."""

    pattern: str
    format: Format | None = None


class Join(_Model):
    """A list that stands beside the records of a JSON page (`metric_sets`) and is attached to them as `into`."""

    path: str
    key: str
    into: str


class JsonShape(_Model):
    """Where the records of a JSON page lie (dotted path to the array) and what is joined to them."""

    records: str | None = None
    joins: tuple[Join, ...] = ()


class XlsxShape(_Model):
    """Which sheet of a workbook (the first one when not named), and which cells: `B3:F200`, `B3` (from there), `B:F`.

    `dialect.header_rows` and `dialect.columns` hold for it as for text.
    """

    sheet: str | None = None
    range: Annotated[str, Field(pattern=r"^[A-Za-z]{0,3}\d{0,7}(:[A-Za-z]{0,3}\d{0,7})?$")] | None = None


def _requirement(value: Any) -> Any:
    return {True: "value", False: "no"}.get(value, value) if isinstance(value, bool) else value


class Column(_Model):
    """One typed column: where it comes from, what it may hold, whose data it is.

    `required`: `value` (also written true) refuses an empty cell, `header` only a missing column.
    `factor` turns an amount that is written in another unit (thousands of yen, cents) into units of its currency.
    `scale` is the number of decimals kept; a value with more is rejected unless `round` is set. `currency` names the
    column that holds an amount's currency: half a yen is rejected too, or rounded. `iso4217` refuses unknown codes.
    `impossible` says whether a date written as it should be, of a day that does not exist, refuses the row.
    """

    name: StoredName = ""
    source: str | None = Field(default=None, alias="from")
    aliases: tuple[str, ...] = ()
    type: ColumnType = "string"
    required: Annotated[Literal["no", "header", "value"], BeforeValidator(_requirement)] = "no"
    data_class: DataClass = Field(default="none", alias="class")
    value: str | None = None
    generated: bool = False
    values: dict[str, str] = {}
    formats: tuple[str, ...] = ()
    timezone: str | None = None
    scale: Annotated[int, Field(ge=0, le=12)] = 2
    factor: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=4)] | None = None
    round: bool = False
    currency: Name | None = None
    iso4217: bool = False
    strip_prefix: str | None = None
    null_markers: tuple[str, ...] | None = None
    min: str | int | float | None = None
    max: str | int | float | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    impossible: Literal["reject", "empty"] = "reject"

    @property
    def sources(self) -> tuple[str, ...]:
        """Headers or JSON paths that may hold the column, the usual one first."""
        return () if self.source is None else (self.source, *self.aliases)

    @property
    def sql_type(self) -> str:
        return {
            "string": "VARCHAR",
            "json": "VARCHAR",
            "integer": "BIGINT",
            "decimal": f"DECIMAL(18,{self.scale})",
            "boolean": "BOOLEAN",
            "date": "DATE",
            "timestamp": "TIMESTAMP",
        }[self.type]

    @field_validator("formats")
    @classmethod
    def _known_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            check_time_format(entry)
        return value


class Reading(_Model):
    """How files are read and what happens to those that changed: the same keys in every kind of contract."""

    description: str = ""
    format: Format
    dialect: Dialect = Dialect()
    times: Times = Times()
    numbers: Numbers = Numbers()
    null_markers: tuple[str, ...] = ("",)
    json_shape: JsonShape = Field(default=JsonShape(), alias="json")
    xlsx: XlsxShape = XlsxShape()
    known: tuple[str, ...] = ()
    drift: Drift = Drift()
    hold: Hold = Hold()
    arrival: Literal["unchanged", "done"] = "unchanged"


class Contract(Reading):
    """One kind of file, ready to use: every default filled in, every time zone resolved."""

    name: str
    source: Name
    entity: Name
    mapped: bool = False
    #: A company's own table, which feeds nothing (`ingestion/kept.py`).
    kept: bool = False
    namespace: str | None = None
    files: tuple[FilePattern, ...]
    key: tuple[str, ...] = ()
    event_time: str | None = None
    identical_rows: Literal["duplicate", "keep"] = "duplicate"
    columns: tuple[Column, ...]
    template: bool = False
    origin: str = "built-in"

    @property
    def relation(self) -> str:
        if self.mapped:
            return f"raw.mapped__{self.entity}"
        return f"raw.{'kept__' if self.kept else ''}{self.source}__{self.entity}"

    @property
    def version(self) -> str:
        """16 hex digits over everything that decides what a file becomes; a changed contract has another version."""
        content = self.model_dump_json(exclude={"description", "origin", "files", "template", "kept"})
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [column.name for column in self.columns]
        for column in (*self.key, *([self.event_time] if self.event_time else [])):
            if column not in names:
                raise ValueError(f"{column!r} (key or event_time) is not one of the columns: {', '.join(names)}")
        for money in self.columns:
            if money.currency is not None and money.currency not in names:
                raise ValueError(f"{money.name}: currency: {money.currency!r} is not one of the columns")
        if any(pattern.format == "json_pages" for pattern in self.files) and self.json_shape.records is None:
            raise ValueError("format json_pages needs `json: {records: <path of the array>}`")
        return self


def check_time_format(entry: str) -> None:
    """Raise `ValueError` unless `entry` is a notation the type checks understand."""
    if entry in NAMED_TIMES:
        return
    allowed = "".join(sorted(STRPTIME_PATTERNS))
    directives = [entry[i + 1] for i, character in enumerate(entry[:-1]) if character == "%"]
    unknown = [d for d in directives if d not in STRPTIME_PATTERNS]
    if not directives or unknown or not {"Y", "m", "d"} <= set(directives):
        raise ValueError(
            f"{entry!r} is not a time format: use {', '.join(NAMED_TIMES)} or a strptime pattern with %Y, %m and %d "
            f"(directives known: {' '.join('%' + d for d in allowed)})"
        )


#: What each strptime directive may look like. Checked before the engine parses, which is more lenient.
STRPTIME_PATTERNS = {
    "Y": r"\d{4}",
    "m": r"\d{1,2}",
    "d": r"\d{1,2}",
    "H": r"([01]?\d|2[0-3])",
    "I": r"\d{1,2}",
    "M": r"[0-5]\d",
    "S": r"[0-5]\d",
    "f": r"\d{1,6}",
    "p": r"[AaPp][Mm]",
    "z": r"[+-]\d{2}:?\d{2}",
}
