"""Write, audit, publish as a whole: readers see one version or the next, never a mixture.

`published/current` is a link to a folder `v-<n>`. A new version is written under a temporary name on the same
filesystem, audited, made durable, renamed, and only then does the link move, inside a transaction that proves the
lease still ours. The link is the truth: the control store says before what is intended and after what happened, and
`reconcile` mends the difference after a crash.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import func, select, update

from kizuna.builds import (
    Build,
    current_code,
    is_rebuild,
    latest_verdicts,
    require_passed,
    require_same_ground,
    shown_version,
)
from kizuna.control.lease import Lease
from kizuna.control.schema import batches, link_moves, publications
from kizuna.control.store import Store, utcnow
from kizuna.engine import connect
from kizuna.errors import PublishError
from kizuna.failpoints import failpoint
from kizuna.files import fsync_file, fsync_folder, replace_link, sha256_of
from kizuna.operating_settings import BuildLimits
from kizuna.pseudonym import key_fingerprint
from kizuna.settings import Settings
from kizuna.untouched import require_untouched
from kizuna.versions import Publication, close_build, expire, reconcile, versions_on_disk

#: DuckDB 2 can write a storage format that no BI driver reads yet; this one every driver since 1.0 reads.
STORAGE_VERSION = "v1.0.0"

#: Renders the scorecard page from (database, manifest).
Scorecard = Callable[[Path, Mapping[str, Any]], str]


def publish(
    store: Store,
    settings: Settings,
    build: Build,
    lease: Lease,
    *,
    tables: Mapping[str, Sequence[str]],
    scorecard: Scorecard,
    details: Mapping[str, Any] | None = None,
    pages: Mapping[str, str] | None = None,
) -> Publication:
    """Publish `tables` (name -> columns of its unique key) of schema `marts`; `pages` are further files by name.

    Raises `GateFailed` unless every gate of this attempt passed, `LeaseHeld` if the lease was lost, `PublishError` if
    the audit finds a difference. In each case readers keep what they have.
    """
    if is_rebuild(store, build):
        raise PublishError(
            f"Build {build.build_id} is a past day built again to be looked at; it is kept in {settings.rebuilt} and "
            f"not published. `kizuna run --as-of {build.as_of} --force` builds that day to be published."
        )
    require_passed(store, build)
    require_same_ground(settings, build, current_code())
    require_untouched(store, build)
    reconcile(store, settings)
    _require_base(settings, build)
    if not settings.published.exists():
        settings.published.mkdir(parents=True)
        settings.published.chmod(0o755)
    version = _intend(store, settings, build, lease)
    failpoint("publish.intended")
    temporary = settings.published / f".tmp-{version}"
    try:
        manifest = write_version(
            store, settings, build, version, temporary, tables, scorecard, details or {}, pages or {}
        )
    except Exception:
        # A full disk must not stay full of what nobody will ever see.
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    folder = settings.published / f"v-{version}"
    temporary.rename(folder)
    fsync_folder(settings.published)
    failpoint("publish.renamed")
    _switch(store, settings, build, version, lease, manifest_sha256=sha256_of(folder / "manifest.json"))
    failpoint("publish.recorded")
    try:
        expire(store, settings)
    except OSError as error:
        # The version is out; what could not be cleaned up is tried again with the next one.
        logging.getLogger(__name__).warning("old versions were not removed: %s", error)
    return Publication(version, folder, manifest)


def write_version(
    store: Store,
    settings: Settings,
    build: Build,
    version: int,
    temporary: Path,
    tables: Mapping[str, Sequence[str]],
    scorecard: Scorecard,
    details: Mapping[str, Any],
    pages: Mapping[str, str],
) -> dict[str, Any]:
    """Everything of a version under its temporary name, audited and durable. Returns the manifest."""
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / "marts").mkdir(parents=True)
    limits, spill = settings.company.build, build.folder / "spill"
    rows = _write_database(build.db, temporary / "cx.duckdb", tables, limits, spill)
    failpoint("publish.database_written")
    hashes = _write_parquet(temporary / "cx.duckdb", temporary / "marts", tables, limits, spill)
    failpoint("publish.parquet_written")
    manifest = _manifest(store, settings, build, version, rows, hashes, details)
    (temporary / "manifest.json").write_text(
        json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    (temporary / "scorecard.html").write_text(scorecard(temporary / "cx.duckdb", manifest), encoding="utf-8")
    for name, content in pages.items():
        (temporary / name).write_text(content, encoding="utf-8")
    failpoint("publish.manifest_written")

    audit(temporary, rows)
    # Between the look before and the first table the file was open to others.
    require_untouched(store, build)
    _make_durable(temporary)
    return manifest


def _require_base(settings: Settings, build: Build) -> None:
    """Ids and histories were read from the version shown when the build began; another one may have moved on."""
    shown = shown_version(settings)
    if shown != build.base_version:
        names = [f"v-{number}" if number is not None else "nothing" for number in (build.base_version, shown)]
        raise PublishError(
            f"Build {build.build_id} goes on from {names[0]}, but readers see {names[1]} now: publishing it would take "
            "the ids and histories of that version back. Start a new build with `kizuna run`."
        )


def audit(folder: Path, rows: Mapping[str, int]) -> None:
    """Read a written version back as a reader would. Raises `PublishError` on the first difference."""
    database = folder / "cx.duckdb"
    if database.with_suffix(".duckdb.wal").exists():
        raise PublishError(f"{database.name} has an unwritten log beside it; the version is not shown.")
    with duckdb.connect(str(database), read_only=True) as connection:
        found = dict(
            connection.execute(
                "SELECT schema_name || '.' || table_name, 0 FROM duckdb_tables() WHERE NOT internal"
            ).fetchall()
        )
        if set(found) != {f"marts.{table}" for table in rows}:
            raise PublishError(f"{database.name} holds {sorted(found)}, expected the {len(rows)} published marts only.")
        for table, expected in rows.items():
            stored = connection.execute(f"SELECT count(*) FROM marts.{table}").fetchall()[0][0]
            parquet = str(folder / "marts" / f"{table}.parquet").replace("'", "''")
            filed = connection.execute(f"SELECT count(*) FROM read_parquet('{parquet}')").fetchall()[0][0]
            if stored != expected or filed != expected:
                raise PublishError(
                    f"{table}: the build has {expected} rows, {database.name} {stored}, the Parquet file {filed}; "
                    "the version is not shown."
                )


def _intend(store: Store, settings: Settings, build: Build, lease: Lease) -> int:
    with store.begin() as connection:
        lease.verify(connection)
        recorded = connection.execute(select(func.max(publications.c.version))).scalar() or 0
        version = max([recorded, *versions_on_disk(settings)]) + 1
        connection.execute(
            publications.insert().values(
                version=version,
                build_id=build.build_id,
                attempt=build.attempt,
                as_of=build.as_of,
                fence=lease.fence,
                state="intended",
                intended_at=utcnow(),
            )
        )
    return int(version)


def _write_database(
    source: Path, target: Path, tables: Mapping[str, Sequence[str]], limits: BuildLimits, spill: Path
) -> dict[str, int]:
    rows: dict[str, int] = {}
    with connect(None, limits, spill=spill) as connection:
        connection.execute(f"ATTACH '{_quoted(source)}' AS build (READ_ONLY)")
        connection.execute(f"ATTACH '{_quoted(target)}' AS cx (STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("CREATE SCHEMA cx.marts")
        for table, key in tables.items():
            connection.execute(
                f"CREATE TABLE cx.marts.{table} AS SELECT * FROM build.marts.{table} ORDER BY {_order(key)}"
            )
            counts = connection.execute(
                f"SELECT (SELECT count(*) FROM build.marts.{table}), (SELECT count(*) FROM cx.marts.{table})"
            ).fetchall()[0]
            if counts[0] != counts[1]:
                raise PublishError(f"{table}: {counts[0]} rows in the build, {counts[1]} written.")
            rows[table] = counts[0]
        connection.execute("CHECKPOINT cx")
        connection.execute("DETACH cx")
    return rows


def _write_parquet(
    database: Path, folder: Path, tables: Iterable[str], limits: BuildLimits, spill: Path
) -> dict[str, str]:
    """The tables of the written database as files: a scan keeps the order they lie in, which is that of their key."""
    hashes: dict[str, str] = {}
    with connect(None, limits, spill=spill) as connection:
        connection.execute(f"ATTACH '{_quoted(database)}' AS cx (READ_ONLY)")
        for table in tables:
            path = folder / f"{table}.parquet"
            connection.execute(
                f"COPY (SELECT * FROM cx.marts.{table}) TO '{_quoted(path)}' "
                "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
            )
            hashes[table] = sha256_of(path)
    return hashes


def _manifest(
    store: Store,
    settings: Settings,
    build: Build,
    version: int,
    rows: Mapping[str, int],
    hashes: Mapping[str, str],
    details: Mapping[str, Any],
) -> dict[str, Any]:
    with store.read() as connection:
        inputs = [
            dict(row)
            for row in connection.execute(
                select(
                    batches.c.batch_id,
                    batches.c.source,
                    batches.c.entity,
                    batches.c.content_hash,
                    batches.c.rows_in,
                    batches.c.accepted,
                    batches.c.quarantined,
                    batches.c.duplicates,
                )
                .where(batches.c.batch_id.in_(build.batch_ids))
                .order_by(batches.c.relation, batches.c.batch_id)
            ).mappings()
        ]
    verdicts = [
        {key: verdict[key] for key in ("gate", "relation", "suite", "outcome", "evaluated")}
        # Samples are for the data team, and the manifest is for everybody who reads.
        | {"warnings": [{k: v for k, v in found.items() if k != "sample"} for found in verdict["warnings"]]}
        for verdict in latest_verdicts(store, build)
    ]
    return {
        "version": version,
        "build_id": build.build_id,
        "attempt": build.attempt,
        "as_of": build.as_of.isoformat(),
        "known_as_of": build.known_as_of.isoformat() if build.known_as_of else None,
        "published_at": utcnow().replace(microsecond=0).isoformat() + "Z",
        "company": settings.company.name,
        "timezone": settings.company.timezone,
        "currency": settings.company.currency,
        "config_hash": build.config_hash,
        "code_version": build.code_version,
        "key_fingerprint": key_fingerprint(settings.pseudonym_key),
        "duckdb": duckdb.__version__,
        "inputs": inputs,
        "tables": {table: {"rows": rows[table], "sha256": hashes[table]} for table in sorted(rows)},
        "verdicts": verdicts,
        **details,
    }


def _make_durable(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            path.chmod(0o444)
            fsync_file(path)
    for path in [*sorted(p for p in folder.rglob("*") if p.is_dir()), folder]:
        # Readers are other users than the one who publishes, whose files are private by the service's umask.
        path.chmod(0o755)
        fsync_folder(path)


def _switch(
    store: Store, settings: Settings, build: Build, version: int, lease: Lease, *, manifest_sha256: str
) -> None:
    shown = shown_version(settings)
    with store.begin() as connection:
        lease.verify(connection)
        _require_base(settings, build)
        replace_link(settings.published / "current", f"v-{version}")
        failpoint("publish.link_replaced")
        connection.execute(
            update(publications)
            .where(publications.c.version == version)
            .values(state="published", published_at=utcnow(), manifest_sha256=manifest_sha256)
        )
        connection.execute(
            link_moves.insert().values(from_version=shown, to_version=version, cause="publish", at=utcnow())
        )
        connection.execute(close_build(build.build_id, build.attempt))


def _order(key: Sequence[str]) -> str:
    return ", ".join(key) if key else "ALL"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
