"""Write, audit, publish as a whole: readers see one version or the next, whatever happens in between."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import delete, select, update

from kizuna.backup import restore_home, save_home
from kizuna.builds import prune_builds, record_stage
from kizuna.control.schema import lease as lease_table
from kizuna.control.schema import link_moves, publications
from kizuna.errors import GateFailed, LeaseHeld, PublishError
from kizuna.flow import STEPS
from kizuna.publishing import publish
from kizuna.versions import current, expire, reconcile, rollback


def shown_rows(settings: Any) -> int:
    with duckdb.connect(str(settings.published / "current" / "cx.duckdb"), read_only=True) as db:
        count: int = db.execute("SELECT count(*) FROM marts.orders").fetchall()[0][0]
    return count


def test_a_version_holds_the_marts_only_and_says_what_it_is(company: Any) -> None:
    publication = company.publish_rows(5)
    folder = company.settings.published / "current"
    assert folder.resolve() == publication.folder
    with duckdb.connect(str(folder / "cx.duckdb"), read_only=True) as db:
        tables = db.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
    assert sorted(tables) == [("marts", "customers"), ("marts", "orders")]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["version"] == 1
    assert manifest["tables"]["orders"]["rows"] == 5
    assert manifest["as_of"] == "2026-06-30"
    assert len(manifest["key_fingerprint"]) == 8
    assert (folder / "scorecard.html").read_text() == "<p>v-1</p>"


def test_nobody_can_write_to_a_published_file(company: Any) -> None:
    folder = company.publish_rows(5).folder
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o444}
    assert not list(folder.rglob("*.wal"))


def test_the_file_is_in_the_format_that_every_driver_reads(company: Any) -> None:
    folder = company.publish_rows(5).folder
    header = (folder / "cx.duckdb").read_bytes()[:64]
    # Bytes 12 to 19 hold the storage version: 64 is the one of DuckDB 0.10 to 1.1, read by all later ones.
    assert int.from_bytes(header[12:20], "little") == 64


def test_the_same_build_gives_the_same_parquet_bytes(company: Any) -> None:
    first = company.publish_rows(5).manifest["tables"]
    second = company.publish_rows(5).manifest["tables"]
    assert first == second


def test_files_and_database_hold_the_rows_in_the_order_of_their_key(company: Any) -> None:
    shuffled = (
        "CREATE OR REPLACE TABLE marts.orders AS SELECT order_id, stamp FROM marts.orders ORDER BY hash(order_id)"
    )
    lease = company.lease()
    folder = company.publish(company.build(lease, 300_000, sql=shuffled), lease).folder
    with duckdb.connect(str(folder / "cx.duckdb"), read_only=True) as db:
        for relation in ("marts.orders", f"read_parquet('{folder / 'marts' / 'orders.parquet'}')"):
            placed = f"SELECT order_id, row_number() OVER () - 1 AS place FROM {relation}"
            out_of_order = f"SELECT count(*), count(*) FILTER (WHERE order_id <> place) FROM ({placed})"
            assert db.execute(out_of_order).fetchall() == [(300_000, 0)]


@pytest.mark.parametrize("missing", range(len(STEPS)))
def test_a_build_without_one_of_its_steps_is_not_published(company: Any, missing: int) -> None:
    company.publish_rows(5)
    lease = company.lease()
    build = company.build(lease, 6, steps=STEPS[:missing] + STEPS[missing + 1 :])
    with pytest.raises(GateFailed, match=STEPS[missing][1]):
        company.publish(build, lease)
    assert shown_rows(company.settings) == 5


@pytest.mark.parametrize("outcome", ["failed", "could_not_run"])
@pytest.mark.parametrize("gate", [name for kind, name in STEPS if kind == "gate"])
def test_a_gate_that_did_not_pass_stops_publishing(company: Any, gate: str, outcome: str) -> None:
    company.publish_rows(5)
    lease = company.lease()
    at = STEPS.index(("gate", gate))
    build = company.build(lease, 6, steps=STEPS[:at])
    company.record(build, (("gate", gate),), outcome)
    company.record(build, STEPS[at + 1 :])
    with pytest.raises(GateFailed, match=f"gate {gate} {outcome.replace('_', ' ')}"):
        company.publish(build, lease)
    assert shown_rows(company.settings) == 5


def test_a_stage_written_again_after_its_gate_must_be_judged_again(company: Any) -> None:
    lease = company.lease()
    build = company.build(lease, 6)
    record_stage(company.store, build, "core")
    with pytest.raises(GateFailed, match="stage core was run again after"):
        company.publish(build, lease)
    assert current(company.settings) is None


def test_a_worker_whose_lease_was_taken_over_cannot_publish(company: Any) -> None:
    company.publish_rows(5)
    late = company.lease("late")
    build = company.build(late, 6)
    with company.store.begin() as connection:
        connection.execute(update(lease_table).values(process_started=1.0))
    company.lease("new")
    with pytest.raises(LeaseHeld, match="declared dead"):
        company.publish(build, late)
    assert shown_rows(company.settings) == 5


def test_a_worker_that_loses_its_lease_while_writing_leaves_no_version(company: Any) -> None:
    company.publish_rows(5)
    late = company.lease("late")
    build = company.build(late, 6)

    def lose_it(_db: Path, _manifest: Any) -> str:
        with company.store.begin() as connection:
            connection.execute(update(lease_table).values(holder="new", fence=late.fence + 1))
        return "page"

    with pytest.raises(LeaseHeld):
        publish(company.store, company.settings, build, late, tables={"orders": ("order_id",)}, scorecard=lose_it)
    assert shown_rows(company.settings) == 5
    reconcile(company.store, company.settings)
    assert [path.name for path in sorted(company.settings.published.iterdir())] == ["current", "v-1"]


def test_a_table_that_is_not_in_the_build_stops_before_anything_is_shown(company: Any) -> None:
    company.publish_rows(5)
    lease = company.lease()
    build = company.build(lease, 6)
    with pytest.raises(duckdb.CatalogException):
        publish(company.store, company.settings, build, lease, tables={"nothing": ("a",)}, scorecard=lambda *_: "")
    assert shown_rows(company.settings) == 5


def test_rollback_shows_the_version_before_and_a_new_build_follows_it(company: Any) -> None:
    for rows in (5, 6, 7):
        company.publish_rows(rows)
    lease = company.lease()
    assert rollback(company.store, company.settings, lease).version == 2
    assert shown_rows(company.settings) == 6
    assert rollback(company.store, company.settings, lease, to=1).version == 1
    with pytest.raises(PublishError, match=r"v-9 is not kept.*v-2, v-3"):
        rollback(company.store, company.settings, lease, to=9)
    with pytest.raises(PublishError, match="no version before v-1"):
        rollback(company.store, company.settings, lease)
    lease.release()
    assert company.publish_rows(8).version == 4
    with company.store.read() as connection:
        causes = connection.execute(select(link_moves.c.cause).order_by(link_moves.c.move_id)).scalars().all()
    assert causes == ["publish", "publish", "publish", "rollback", "rollback", "publish"]


def test_a_link_moved_before_its_record_was_written_is_recorded_at_the_next_start(company: Any) -> None:
    company.publish_rows(5)
    company.publish_rows(6)
    with company.store.begin() as connection:
        connection.execute(
            update(publications).where(publications.c.version == 2).values(state="intended", published_at=None)
        )
    assert reconcile(company.store, company.settings) == ["v-2 was shown before its record was written; recorded now"]
    with company.store.read() as connection:
        states = connection.execute(select(publications.c.state).order_by(publications.c.version)).scalars().all()
    assert states == ["published", "published"]


def test_a_version_that_was_never_shown_is_removed_at_the_next_start(company: Any) -> None:
    company.publish_rows(5)
    company.publish_rows(6)
    link = company.settings.published / "current"
    link.unlink()
    link.symlink_to("v-1")
    with company.store.begin() as connection:
        connection.execute(delete(link_moves).where(link_moves.c.to_version == 2))
        connection.execute(update(publications).where(publications.c.version == 2).values(state="intended"))
    assert reconcile(company.store, company.settings) == ["v-2 was never shown; abandoned"]
    assert not (company.settings.published / "v-2").exists()
    assert shown_rows(company.settings) == 5


def test_old_versions_go_and_the_shown_one_stays(make_company: Callable[..., Any]) -> None:
    company = make_company("retention: {versions: 2, hours: 0}")
    for rows in (5, 6, 7, 8):
        company.publish_rows(rows)
    names = {path.name for path in company.settings.published.iterdir()}
    assert names == {"current", "v-3", "v-4"}


def test_young_versions_are_kept_beyond_the_number(make_company: Callable[..., Any]) -> None:
    company = make_company("retention: {versions: 2, hours: 24}")
    for rows in (5, 6, 7, 8):
        company.publish_rows(rows)
    assert expire(company.store, company.settings) == []
    assert (company.settings.published / "v-1").exists()


def test_a_reader_that_has_a_version_open_keeps_it_while_the_next_is_published(company: Any) -> None:
    first = company.publish_rows(5)
    with duckdb.connect(str(first.folder / "cx.duckdb"), read_only=True) as reader:
        company.publish_rows(6)
        shutil.rmtree(first.folder, ignore_errors=True)
        assert reader.execute("SELECT count(*), min(stamp), max(stamp) FROM marts.orders").fetchall() == [(5, 5, 5)]


def test_folders_of_ended_builds_are_pruned_but_not_the_newest(make_company: Callable[..., Any]) -> None:
    company = make_company("retention: {builds: 2}")
    lease = company.lease()
    builds = []
    for rows in (5, 6, 7):
        build = company.build(lease, rows)
        company.publish(build, lease)
        builds.append(build)
    prune_builds(company.store, company.settings, builds[-1])
    assert [build.folder.exists() for build in builds] == [False, True, True]


def test_readers_get_in_although_the_service_keeps_its_files_to_itself(company: Any, tmp_path: Path) -> None:
    """The units of deploy/systemd run with the umask 0077; a BI tool is another user."""
    before = os.umask(0o077)
    try:
        company.publish_rows(5)
        save_home(company.settings, company.store, tmp_path.parent / f"{tmp_path.name}-saved", nullcontext)
        restored = tmp_path.parent / f"{tmp_path.name}-again"
        restore_home(tmp_path.parent / f"{tmp_path.name}-saved", restored, {})
    finally:
        os.umask(before)
    for published in (company.settings.published, restored / "published"):
        for path in (published, *published.rglob("*")):
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o444), path
    assert restored.stat().st_mode & 0o777 == 0o755
