"""Identity tables in a few words: `world.record(...)` adds a source record, `world.resolve()` resolves all of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest

from analytics.identity.decisions import Decision
from analytics.identity.resolve import Resolution, resolve
from analytics.identity.rules import RuleTable, default_rules
from analytics.identity.rulesets import Ruleset

KEY = "a key of the tests, long enough to be one"
START = datetime(2025, 1, 1)
_TIME = pa.timestamp("us")
_RECORDS = pa.schema([("source", pa.string()), ("record_key", pa.string()), ("seen_at", _TIME)])
_IDENTIFIERS = pa.schema(
    [
        ("source", pa.string()),
        ("record_key", pa.string()),
        ("identifier_type", pa.string()),
        ("raw_value", pa.string()),
        ("seen_at", _TIME),
    ]
)
_LOGINS = pa.schema([("device_id", pa.string()), ("user_id", pa.string()), ("login_at", _TIME)])


@dataclass(frozen=True)
class Outcome:
    """A resolution in plain Python values."""

    tables: Resolution

    @property
    def customer_of(self) -> dict[str, str]:
        """Customer id per `source record_key`."""
        rows = self.tables.customer_map.to_pylist()
        return {f"{row['source']} {row['record_key']}": row["customer_id"] for row in rows}

    @property
    def partition(self) -> set[frozenset[str]]:
        """Sets of `source record_key` that are one customer."""
        groups: dict[str, set[str]] = {}
        for record, customer in self.customer_of.items():
            groups.setdefault(customer, set()).add(record)
        return {frozenset(group) for group in groups.values()}

    def under(self, ruleset: str) -> dict[str, tuple[frozenset[str], bool]]:
        """Per `source record_key`: all records of the same customer under other rules, and whether it is known."""
        rows = [row for row in self.tables.customer_map_by_ruleset.to_pylist() if row["ruleset"] == ruleset]
        groups: dict[str, set[str]] = {}
        for row in rows:
            groups.setdefault(row["customer_id"], set()).add(f"{row['source']} {row['record_key']}")
        return {
            f"{row['source']} {row['record_key']}": (frozenset(groups[row["customer_id"]]), row["is_known"])
            for row in rows
        }

    @property
    def unmapped(self) -> dict[str, str]:
        return {f"{row['source']} {row['record_key']}": row["reason"] for row in self.tables.unmapped.to_pylist()}

    @property
    def known(self) -> dict[str, bool]:
        rows = self.tables.customer_map.to_pylist()
        return {f"{row['source']} {row['record_key']}": row["is_known"] for row in rows}

    @property
    def drops(self) -> list[tuple[str, str, int]]:
        """(type, reason, records), ordered."""
        rows = self.tables.identity_drops.to_pylist()
        return sorted((row["identifier_type"], row["reason"], row["records"]) for row in rows)

    @property
    def changes(self) -> list[tuple[str, str, str | None, str]]:
        rows = self.tables.identity_changes.to_pylist()
        return [(row["change"], row["customer_id"], row["other_customer_id"], row["cause"]) for row in rows]

    @property
    def registry(self) -> pa.Table:
        """The registry as the next build reads it."""
        columns = ["customer_id", "source", "identifier_type", "identifier_hash", "first_seen_at"]
        return self.tables.customer_identifiers.select(columns)

    @property
    def rows(self) -> dict[str, list[str]]:
        """All tables, each in a total order."""
        names = type(self.tables).__dataclass_fields__
        return {name: sorted(map(str, getattr(self.tables, name).to_pylist())) for name in names}


@dataclass
class World:
    """Rows as the dbt models of stage identity hand them over."""

    records: list[tuple[str, str, datetime | None]] = field(default_factory=list)
    identifiers: list[tuple[str, str, str, str | None, datetime | None]] = field(default_factory=list)
    logins: list[tuple[str, str, datetime]] = field(default_factory=list)

    def record(self, source: str, record_key: str, day: int | None = 0, **identifiers: str | list[str]) -> World:
        """Add a record seen `day` days after START (None: time unknown) with its identifiers by type."""
        seen = None if day is None else START + timedelta(days=day)
        self.records.append((source, record_key, seen))
        for kind, values in identifiers.items():
            for value in [values] if isinstance(values, str) else values:
                self.identifiers.append((source, record_key, kind, value, seen))
        return self

    def login(self, device: str, user: str, day: int = 0) -> World:
        self.logins.append((device, user, START + timedelta(days=day)))
        return self

    def shuffled(self, seed: int) -> World:
        dice = random.Random(seed)
        return World(*(dice.sample(rows, len(rows)) for rows in (self.records, self.identifiers, self.logins)))

    def resolve(
        self,
        rules: RuleTable | None = None,
        registry: pa.Table | None = None,
        key: str = KEY,
        decisions: Sequence[Decision] = (),
        probable: pa.Table | None = None,
        former_ids: Iterable[str] = (),
        rulesets: Iterable[Ruleset] = (),
        possible: pa.Table | None = None,
    ) -> Outcome:
        return Outcome(
            resolve(
                _table(self.records, _RECORDS),
                _table(self.identifiers, _IDENTIFIERS),
                _table(self.logins, _LOGINS),
                rules or default_rules(),
                registry,
                key=key,
                default_country="JP",
                as_of=date(2026, 6, 30),
                decisions=decisions,
                probable=probable,
                former_ids=former_ids,
                rulesets=rulesets,
                possible=possible,
            )
        )


def _table(rows: list[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


@pytest.fixture
def world() -> World:
    return World()
