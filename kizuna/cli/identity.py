"""`kizuna identity explain`: read from the build that readers see now. Prints personal data in the clear."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from rich.console import Console

from analytics.identity.explain import Evidence, Sighting, explain
from analytics.identity.normalize import normalize, tidy
from analytics.identity.rules import RuleTable
from kizuna.cli.text import shown
from kizuna.errors import InputError
from kizuna.identity_rules import company_rules
from kizuna.pseudonym import pseudonym
from kizuna.settings import Settings, load_settings
from kizuna.stewardship import FILE_NAME
from kizuna.versions import current

Row = tuple[Any, ...]
_MOST_CUSTOMERS = 5
_MOST_DROPS = 20


def explain_identity(home: Path | None, who: str) -> None:
    """Print why the records of a customer, or of whoever carries an identifier, are one person."""
    settings = load_settings(home)
    with _published_build(settings) as db:
        asked = _Asked(settings, db)
        lines = asked.about(who.strip())
    console = Console(highlight=False, file=sys.stdout)
    for line in lines:
        console.print(shown(line), soft_wrap=True)


@contextmanager
def _published_build(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    shown_now = current(settings)
    if shown_now is None:
        raise InputError("Nothing is published yet, so there is nobody to explain. `kizuna run` publishes.")
    manifest = shown_now.manifest
    file = settings.builds / str(manifest["build_id"]) / f"a{manifest['attempt']}" / "build.duckdb"
    if not file.exists():
        raise InputError(
            f"The build behind v-{shown_now.version} is no longer kept ({file}). `kizuna run --force` makes it again; "
            "`retention.builds` in kizuna.yaml says how many are kept."
        )
    with closing(duckdb.connect(str(file), read_only=True)) as db:
        yield db


def _quoted(text: str) -> str:
    """A YAML text whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


class _Asked:
    """Questions to the identity schema of one build."""

    def __init__(self, settings: Settings, db: duckdb.DuckDBPyConnection) -> None:
        self._settings = settings
        self._db = db
        self._rules: RuleTable = company_rules(settings.home, settings.company)

    def about(self, who: str) -> list[str]:
        """Lines about a customer id, a record or an identifier. Raises `InputError` when nothing is known of it."""
        if self._rows("SELECT 1 FROM identity.customer_map WHERE customer_id = ? LIMIT 1", who):
            return self._customer(who)
        merged = self._rows(
            "SELECT change, customer_id, cause, as_of FROM identity.identity_changes"
            " WHERE other_customer_id = ? ORDER BY as_of DESC, change, customer_id LIMIT 1",
            who,
        )
        if merged:
            change, into, cause, day = merged[0]
            words = {"merged": "was merged into"}.get(change, "was parted from")
            return [f"{who} {words} {into} on {day} (by {cause}).", "", *self._customer(into)]
        retired = self._rows(
            "SELECT cause, as_of FROM identity.identity_changes WHERE customer_id = ? AND change = 'retired'"
            " ORDER BY as_of DESC LIMIT 1",
            who,
        )
        if retired:
            cause, day = retired[0]
            return [f"{who} ended on {day} (by {cause}): nothing it was published for stands for a person any more."]
        customers, notes = self._holders(who)
        if not customers and not notes:
            raise InputError(
                f"{who!r} is no customer id, no record and no identifier of the published build. Write an identifier "
                "as a source wrote it, a record as 'source key' (for example 'salesforce.contact 003…')."
            )
        lines = [*notes]
        if len(customers) > 1:
            lines.append(f"{len(customers)} customers carry it; each is told below.")
        for customer in customers[:_MOST_CUSTOMERS]:
            lines += ["", *self._customer(customer)] if lines else self._customer(customer)
        if len(customers) > _MOST_CUSTOMERS:
            lines.append(
                f"… and {len(customers) - _MOST_CUSTOMERS} more: {', '.join(customers[_MOST_CUSTOMERS:][:20])}"
            )
        return lines

    def _holders(self, who: str) -> tuple[list[str], list[str]]:
        """Customers that a record or identifier leads to, and what is to be said about it."""
        customers: list[str] = []
        notes = []
        source, _, key = who.partition(" ")
        for found_source, found_key, customer in self._rows(
            "SELECT source, record_key, customer_id FROM identity.customer_map"
            " WHERE (source = ? AND record_key = ?) OR record_key = ? ORDER BY ALL LIMIT 50",
            source,
            key.strip(),
            who,
        ):
            notes.append(f"{found_source} {found_key} is a record of {customer}.")
            customers.append(customer)
        for found_source, found_key, reason in self._rows(
            "SELECT source, record_key, reason FROM identity.unmapped"
            " WHERE (source = ? AND record_key = ?) OR record_key = ? ORDER BY ALL LIMIT 50",
            source,
            key.strip(),
            who,
        ):
            notes.append(f"{found_source} {found_key} is a record of nobody: {reason}.")
        for kind, value in self._readings(who):
            held = [
                row[0]
                for row in self._rows(
                    "SELECT DISTINCT customer_id FROM identity.customer_identifiers"
                    " WHERE identifier_type = ? AND normalized_value = ? ORDER BY 1",
                    kind,
                    value,
                )
            ]
            if held:
                notes.append(f"{kind} {value} is carried by {len(held)} customer{'s' * (len(held) != 1)}.")
            customers += held
            notes += [f"{kind} {value} {words}." for words in self._dropped(kind, value)]
        return list(dict.fromkeys(customers)), notes

    def _readings(self, text: str) -> list[tuple[str, str]]:
        """The text as an identifier of each type that the build knows."""
        kinds = [row[0] for row in self._rows("SELECT DISTINCT identifier_type FROM identity.identifiers ORDER BY 1")]
        return [(kind, value) for kind in kinds for value in self._normal(kind, [text])]

    def _normal(self, kind: str, texts: list[str]) -> list[str]:
        given = pa.array(texts, pa.string())
        normal = normalize(self._rules.rule(kind).form, given, self._settings.company.country).values.to_pylist()
        return [value or raw for value, raw in zip(normal, tidy(given).to_pylist(), strict=True)]

    def _dropped(self, kind: str, value: str) -> list[str]:
        rows = self._rows(
            "SELECT reason, records, detail FROM identity.identity_drops"
            " WHERE identifier_type = ? AND identifier_hash = ? ORDER BY ALL",
            kind,
            pseudonym(self._settings.pseudonym_key, kind, value),
        )
        return [
            f"was not used on {records:,} record{'s' * (records != 1)}: {reason}" + (f" ({detail})" if detail else "")
            for reason, records, detail in rows
        ]

    def _customer(self, customer: str) -> list[str]:
        records = self._rows(
            "SELECT map.source, map.record_key, rec.seen_at FROM identity.customer_map AS map"
            " LEFT JOIN identity.source_records AS rec USING (source, record_key) WHERE map.customer_id = ?",
            customer,
        )
        evidence = self._rows(
            "WITH held AS (SELECT DISTINCT identifier_type, identifier_hash, normalized_value"
            " FROM identity.customer_identifiers WHERE customer_id = $who)"
            " SELECT link.source, substr(record.normalized_value, length(link.source) + 2), link.identifier_type,"
            " coalesce(held.normalized_value, link.identifier_hash), link.rule, link.confidence, link.evidence"
            " FROM identity.identity_links AS link"
            " JOIN held AS record"
            " ON record.identifier_type = 'record' AND record.identifier_hash = link.record_key_hash"
            " LEFT JOIN held ON held.identifier_type = link.identifier_type"
            " AND held.identifier_hash = link.identifier_hash"
            " WHERE link.customer_id = $who",
            who=customer,
        )
        told = explain(customer, (Sighting(*row) for row in records), (Evidence(*row) for row in evidence))
        lines = [*str(told).splitlines(), *self._unused(customer, {row[:4] for row in evidence})]
        if told.doubtful is not None:
            one, other = (_quoted(f"{record.source} {record.record_key}") for record in told.doubtful)
            lines.append(
                f"If the weakest tie is wrong, one line in {FILE_NAME} parts them: "
                f"- {{forbid: [{one}, {other}], reason: …, by: …, on: {date.today().isoformat()}}}"
            )
        return lines

    def _unused(self, customer: str, used: set[Row]) -> list[str]:
        """What the customer's records carry and no link uses."""
        rows = self._rows(
            "SELECT DISTINCT found.source, found.record_key, found.identifier_type, found.raw_value"
            " FROM identity.identifiers AS found JOIN identity.customer_map AS map USING (source, record_key)"
            " WHERE map.customer_id = ? ORDER BY ALL",
            customer,
        )
        lines: dict[str, None] = {}
        for source, key, kind, raw in rows:
            (value,) = self._normal(kind, [raw])
            if (source, key, kind, value) not in used:
                for words in self._dropped(kind, value):
                    lines[f"  {kind} {value} of {source} {key} {words}"] = None
        if len(lines) > _MOST_DROPS:
            return ["Not used:", *list(lines)[:_MOST_DROPS], f"  … and {len(lines) - _MOST_DROPS:,} more"]
        return ["Not used:", *lines] if lines else []

    def _rows(self, query: str, *values: object, **named: object) -> list[Row]:
        return self._db.execute(query, named or list(values)).fetchall()
