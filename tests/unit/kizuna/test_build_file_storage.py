"""A canary of the engine: texts in the build's storage format are filtered as in the format that is published.

Filters on packed texts have been wrong in this format before, for segments that are not full and for NULL. When the
pinned engine moves and this falls, `DATABASE_CONFIG` must be looked at before anything else.
"""

from pathlib import Path

import duckdb
import pytest

from kizuna.builds import DATABASE_CONFIG
from kizuna.publishing import STORAGE_VERSION

FILTERS = (
    "s IS NULL",
    "s IS NOT NULL",
    "s = 'v7'",
    "s <> 'v7'",
    "s IN ('v1', 'v7', '')",
    "s LIKE 'v%1'",
    "coalesce(s, 'v7') = 'v7'",
    "s IS DISTINCT FROM 'v3'",
    "nullif(s, '') IS NULL",
    "s < 'v3' OR s IS NULL",
    "try_cast(substr(s, 2) AS INTEGER) >= 5",
    "CASE WHEN s IS NULL THEN true ELSE s = 'v2' END",
)


def _found(path: Path, storage: str, rows: int, values: int, nulls: float) -> tuple[object, ...]:
    with duckdb.connect(str(path), config=DATABASE_CONFIG | {"storage_compatibility_version": storage}) as db:
        db.execute(
            f"CREATE TABLE t AS SELECT i, CASE WHEN hash(i, 1) % 1000 < {1000 * nulls} THEN NULL "
            f"WHEN hash(i, 2) % 5 = 0 THEN '' ELSE 'v' || (hash(i, 3) % {values}) END AS s FROM range({rows}) AS r (i)"
        )
    # Opened again: what is in memory is not packed.
    with duckdb.connect(str(path)) as db:
        version = db.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal").fetchall()
        assert version == [(f"{storage}+",)]
        asked = ", ".join(f"(SELECT [count(*), sum(i)] FROM t WHERE {condition})" for condition in FILTERS)
        return db.execute(f"SELECT {asked}, (SELECT sum(hash(i, s) % 1000) FROM t)").fetchall()[0]


@pytest.mark.parametrize("rows", [1, 164, 2048, 2049, 122_881])
@pytest.mark.parametrize(("values", "nulls"), [(1, 0.01), (10, 0), (50, 0.5), (1_000_000, 0.01), (3, 1)])
def test_texts_of_a_build_are_found_as_in_a_published_file(
    tmp_path: Path, rows: int, values: int, nulls: float
) -> None:
    build = _found(tmp_path / "a.duckdb", DATABASE_CONFIG["storage_compatibility_version"], rows, values, nulls)
    assert build == _found(tmp_path / "b.duckdb", STORAGE_VERSION, rows, values, nulls)
