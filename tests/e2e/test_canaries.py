"""No name, address, e-mail or phone of anybody leaves the restricted zone (landing, raw, quarantine, build.duckdb).

Searched: every published version (DuckDB tables and Parquet files cell by cell, pages and manifests as bytes), Slack
previews and pictures, the outbox and everything else in the control store, Dagster's event store and logs cell by cell,
what dbt compiled, and what the command line printed. Compressed files are read, not grepped: bytes alone show nothing.
"""

from __future__ import annotations

import html
import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
NUMBER = re.compile(r"\+?\d[\d ()-]{8,}\d")
JAPANESE = re.compile(
    r"[\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff][\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff ]+"
)
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
AGENT = re.compile(r"agent\.\w+")


@dataclass
class Canaries:
    """What must not be found, by kind; all of it belongs to people of the demo company."""

    emails: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def found_in(self, text: str) -> set[str]:
        """Canaries in a text, also when the text is HTML or JSON with escapes, full-width, or cut by blanks."""
        text = unicodedata.normalize("NFKC", html.unescape(ESCAPED.sub(lambda m: chr(int(m[1], 16)), text)))
        found = {word for word in EMAIL.findall(text.lower()) if word in self.emails}
        found |= {number for number in map(_national, NUMBER.findall(text)) if number in self.phones}
        found |= {word for word in AGENT.findall(text) if word in self.names}
        for run in set(JAPANESE.findall(text)):
            joined = run.replace(" ", "")
            found |= {
                joined[start:end]
                for start in range(len(joined))
                for end in range(start + 3, min(start + 20, len(joined)) + 1)
                if joined[start:end] in self.names
            }
        return found


def _national(number: str) -> str:
    digits = re.sub(r"\D", "", number)
    return "0" + digits[2:] if digits.startswith("81") and len(digits) > 10 else digits


@pytest.fixture(scope="module")
def canaries(demo: Any) -> Canaries:
    """Everybody's identifiers from the truth, names and streets from what vendors delivered."""
    birds = Canaries()
    for row in demo.truth("identifiers"):
        if row["usable"] == "1" and row["identifier_type"] == "email":
            birds.emails.add(unicodedata.normalize("NFKC", row["value"]).lower())
        if row["usable"] == "1" and row["identifier_type"] == "phone" and re.fullmatch(r"[+\d-]{10,}", row["value"]):
            birds.phones.add(_national(row["value"]))
    raw = demo.path / "raw"
    for table, columns in {
        "salesforce/contact": ("last_name || first_name", "mailing_street"),
        "shopify/customers": ("last_name || first_name",),
        "shopify/orders": ("billing_name", "shipping_name"),
        "zendesk/users": ("name",),
        "delighted/responses": ("name",),
        "amazon_connect/contact_records": ("agent_username",),
    }.items():
        for column in columns:
            rows = duckdb.sql(f"SELECT DISTINCT {column} FROM read_parquet('{raw}/{table}/*.parquet')").fetchall()
            for (value,) in rows:
                text = unicodedata.normalize("NFKC", value or "")
                words = JAPANESE.findall(text) if column == "mailing_street" else [text]
                birds.names |= {name for name in (re.sub(r"\s", "", word) for word in words) if len(name) >= 3}
    return birds


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Every text of a file with the place where it stands."""
    if path.suffix == ".duckdb":
        with closing(duckdb.connect(str(path), read_only=True)) as db:
            for (table,) in db.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall():
                yield from _columns(db, table, f"{path.name} {table}")
    elif path.suffix == ".parquet":
        with closing(duckdb.connect()) as db:
            yield from _columns(db, f"read_parquet('{path}')", path.name)
    elif path.read_bytes()[:16] == b"SQLite format 3\0":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in db.execute(f'SELECT * FROM "{table}"'):
                    for value in row:
                        if isinstance(value, str | bytes):
                            text = value if isinstance(value, str) else value.decode("utf-8", "replace")
                            yield f"{path.name} {table}", text
    else:
        yield path.name, path.read_bytes().decode("utf-8", "replace")


def _columns(db: duckdb.DuckDBPyConnection, relation: str, place: str) -> Iterator[tuple[str, str]]:
    for name, kind, *_ in db.execute(f"DESCRIBE FROM {relation}").fetchall():
        if kind not in {"DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP"}:
            distinct = db.execute(f'SELECT DISTINCT CAST("{name}" AS VARCHAR) FROM {relation} ORDER BY 1').fetchall()
            yield f"{place}.{name}", "\n".join(value for (value,) in distinct if value is not None)


def _search(canaries: Canaries, files: list[Path]) -> tuple[dict[str, list[str]], int]:
    hits: dict[str, list[str]] = {}
    searched = 0
    known: set[str] = set()
    for file in files:
        if file.is_symlink() or not file.is_file():
            continue
        for place, text in _texts(file):
            searched += len(text)
            if text in known:
                continue
            known.add(text)
            if found := canaries.found_in(text):
                hits.setdefault(place, []).extend(sorted(found)[:3])
    return hits, searched


ZONES = {
    "published": ("published",),
    "messages": ("previews", "messages", "control.db"),
    "dagster": ("dagster",),
    "dbt": ("builds/*/*/dbt",),
}


@pytest.mark.parametrize("zone", ZONES)
def test_no_clear_personal_data_leaves_the_restricted_zone(demo: Any, canaries: Canaries, zone: str) -> None:
    roots = [path for pattern in ZONES[zone] for path in demo.path.glob(pattern)]
    files = sorted({file for root in roots for file in ([root] if root.is_file() else root.rglob("*"))})
    hits, searched = _search(canaries, files)
    assert hits == {}
    assert searched > 100_000, "nothing was searched"


def test_the_command_line_names_nobody(demo: Any, canaries: Canaries) -> None:
    assert canaries.found_in(demo.ran.output) == set()


def test_the_search_finds_people_where_they_are(demo: Any, canaries: Canaries, tmp_path: Path) -> None:
    """Control: the same search over the restricted zone, and over each kind of file that was searched."""
    assert len(canaries.emails) > 1000
    assert len(canaries.phones) > 1000
    assert len(canaries.names) > 1000
    for source in ("raw/zendesk/users", "raw/salesforce/contact", "quarantine/delighted/responses"):
        assert _search(canaries, sorted((demo.path / source).iterdir()))[0], source
    name, phone, email = max(canaries.names), min(canaries.phones), min(canaries.emails)
    with closing(sqlite3.connect(tmp_path / "store.db")) as db:
        long = "x" * 9000 + name.encode("ascii", "backslashreplace").decode()
        db.execute("CREATE TABLE events AS SELECT ? AS body", (long,))
        db.commit()
    with closing(duckdb.connect(str(tmp_path / "cx.duckdb"))) as db:
        db.execute("CREATE TABLE people AS SELECT ? AS email FROM range(1000)", (email,))
    page = f"<p>{name[0]} {name[1:]}</p><p>{phone[:3]}-{phone[3:7]}-{phone[7:]}</p>"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    hits, _ = _search(canaries, sorted(tmp_path.iterdir()))
    assert hits == {
        "cx.duckdb main.people.email": [email],
        "page.html": sorted({name, phone}),
        "store.db events": [name],
    }
