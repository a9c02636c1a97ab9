"""core -> scores: how each text of a customer sounds. Every distinct text is read once; only its score is kept.

A reading is a function of the text and of the code alone, so a build takes over those of the build that readers see,
if the same code made them, and reads only what is new. Nothing is kept beside the builds for it.
"""

import json
import logging
import platform
import unicodedata
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.session import Session

log = logging.getLogger(__name__)

#: Distinct texts read at a time: a million texts never stand in memory as Python strings together.
TEXTS_AT_A_TIME = 50_000

_DISTINCT = """
    CREATE OR REPLACE TEMP TABLE distinct_texts AS
    SELECT content, sha256(content) AS text_hash FROM (SELECT DISTINCT content FROM core.customer_texts)
"""
_RESULT = """
    SELECT
        t.text_id, t.kind, t.customer_id, t.interaction_id, t.written_on,
        s.score, s.language, s.evidence, s.is_leaving
    FROM core.customer_texts t
    JOIN distinct_texts d ON t.content = d.content
    JOIN scores.text_readings s ON d.text_hash = s.text_hash
    ORDER BY t.text_id
"""
_COLUMNS = "text_hash VARCHAR, score DOUBLE, language VARCHAR, evidence BIGINT, is_leaving BOOLEAN, reader VARCHAR"
_READINGS = pa.schema([
    ("text_hash", pa.string()), ("score", pa.float64()), ("language", pa.string()), ("evidence", pa.int64()),
    ("is_leaving", pa.bool_()), ("reader", pa.string()),
])  # fmt: skip


def reader_of(code_version: str) -> str:
    """What decides a reading beside the text: the code, the language it is written in, its table of characters."""
    return f"{code_version} {platform.python_version()} {unicodedata.unidata_version}"


def build_before(session: Session) -> Path | None:
    """Database of the build that this one goes on from; None where there is none or it was cleared away."""
    base = session.build.base_version
    if base is None:
        return None
    try:
        manifest = json.loads((session.settings.published / f"v-{base}" / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    path = session.settings.builds / manifest["build_id"] / f"a{manifest['attempt']}" / "build.duckdb"
    return path if path.exists() else None


def text_sentiment(db: duckdb.DuckDBPyConnection, reader: str, before: Path | None = None) -> tuple[pa.Table, int]:
    """text_id, kind, customer_id, interaction_id, written_on, score (-1 to 1, NULL where no word is known), language,
    evidence, is_leaving; one row per text of core.customer_texts. And how many distinct texts were read for it.

    Writes scores.text_readings, one row per distinct text, by its hash. `before` is a database that may have such rows:
    only those of the same `reader` are taken, and a database that cannot be read is none.
    """
    from analytics.sentiment import score_texts

    db.execute(_DISTINCT)
    db.execute(f"CREATE OR REPLACE TABLE scores.text_readings ({_COLUMNS})")
    _insert(
        db,
        "SELECT DISTINCT ON (text_hash) f.* FROM found f JOIN distinct_texts d ON f.text_hash = d.text_hash",
        _readings(before, reader),
    )
    new = db.execute(
        "SELECT d.content, d.text_hash FROM distinct_texts d "
        "ANTI JOIN scores.text_readings s ON d.text_hash = s.text_hash"
    ).to_arrow_reader(TEXTS_AT_A_TIME)
    read = [_READINGS.empty_table()]
    for batch in new:
        found = score_texts(batch.column(0).to_pylist()).drop_columns("text")
        said_by = pa.repeat(pa.scalar(reader), found.num_rows)
        read.append(pa.table([batch.column(1), *found.columns, said_by], schema=_READINGS))
    now = pa.concat_tables(read)
    _insert(db, "SELECT * FROM found", now)
    table = db.execute(_RESULT).to_arrow_table()
    db.execute("DROP TABLE distinct_texts")
    return table, now.num_rows


def _insert(db: duckdb.DuckDBPyConnection, query: str, found: pa.Table) -> None:
    db.register("found", found)
    db.execute(f"INSERT INTO scores.text_readings {query}")
    db.unregister("found")


def _readings(before: Path | None, reader: str) -> pa.Table:
    """What the same reader has said; nothing where it said nothing, or where nobody can look."""
    query = "SELECT text_hash, score, language, evidence, is_leaving, reader FROM scores.text_readings WHERE reader = ?"
    if before is not None:
        try:
            with duckdb.connect(str(before), read_only=True) as db:
                return db.execute(query, [reader]).to_arrow_table()
        except duckdb.Error as error:
            # Without it every text is read: slower, and the same.
            log.info("readings of the build before are not at hand: %s", type(error).__name__)
    return _READINGS.empty_table()
