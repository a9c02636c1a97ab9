"""Only what was published, and is as it was published, is ever shown again: by a rollback or after a loss."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from kizuna import publishing
from kizuna.backup import save_home
from kizuna.control.schema import lease as leases
from kizuna.control.schema import link_moves, publications
from kizuna.control.store import open_store
from kizuna.errors import LeaseHeld, PublishError
from kizuna.files import replace_link
from kizuna.settings import load_settings
from kizuna.versions import current, expire, reconcile, rollback


def shown(company: Any) -> int | None:
    publication = current(company.settings)
    return publication.version if publication else None


def on_disk(company: Any) -> list[str]:
    return sorted(path.name for path in company.settings.published.iterdir() if path.name != "current")


def rolled_back(company: Any, to: int | None = None) -> int:
    lease = company.lease("person")
    try:
        return int(rollback(company.store, company.settings, lease, to).version)
    finally:
        lease.release()


def publish_late(company: Any, rows: int) -> None:
    """A worker stands still while it writes; another one is given the lease and publishes; then it goes on."""
    late = company.lease("late")
    build = company.build(late, rows)

    def stand_still(_database: Path, _manifest: Any) -> str:
        with company.store.begin() as connection:
            connection.execute(update(leases).values(holder=None))
        company.publish_rows(rows + 1)
        folder = company.settings.published / f".tmp-{_manifest['version']}"
        (folder / "marts").mkdir(parents=True, exist_ok=True)
        return "page"

    with pytest.raises((LeaseHeld, FileNotFoundError, PublishError)):
        publishing.publish(
            company.store, company.settings, build, late, tables={"orders": ("order_id",)}, scorecard=stand_still
        )


def test_what_a_dead_worker_left_is_not_what_a_rollback_shows(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    company.publish_rows(5)
    # Its own audit would stop it here, as its files were removed; a slower one has passed that.
    monkeypatch.setattr(publishing, "audit", lambda *_: None)
    publish_late(company, 6)
    assert (shown(company), on_disk(company)) == (3, ["v-1", "v-2", "v-3"]), "v-2 was written whole and never shown"
    with pytest.raises(PublishError, match="v-2 is not kept; versions that can be shown: v-1"):
        rolled_back(company, to=2)
    assert rolled_back(company) == 1
    assert on_disk(company) == ["v-1", "v-3"]


def test_a_link_that_a_dead_worker_moved_is_moved_back(company: Any) -> None:
    """It proved its lease, stood still before the link, and the server ended its transaction meanwhile."""
    for rows in (5, 6, 7):
        company.publish_rows(rows)
    with company.store.begin() as connection:
        connection.execute(update(publications).where(publications.c.version == 2).values(state="abandoned"))
    replace_link(company.settings.published / "current", "v-2")
    assert reconcile(company.store, company.settings) == [
        "v-2 was shown by a worker that had been declared dead; readers see v-3 again"
    ]
    assert (shown(company), on_disk(company)) == (3, ["v-1", "v-3"])


def test_what_readers_see_is_never_removed_whatever_the_record_says(company: Any) -> None:
    company.publish_rows(5)
    with company.store.begin() as connection:
        connection.execute(update(publications).values(state="abandoned"))
    reconcile(company.store, company.settings)
    assert shown(company) == 1


def test_a_rollback_after_a_kill_between_link_and_record_keeps_what_readers_saw(company: Any) -> None:
    company.publish_rows(5)
    company.publish_rows(6)
    with company.store.begin() as connection:
        connection.execute(
            update(publications).where(publications.c.version == 2).values(state="intended", published_at=None)
        )
    assert rolled_back(company) == 1
    assert on_disk(company) == ["v-1", "v-2"], "a query may be at work on it"
    assert rolled_back(company, to=2) == 2


def test_a_version_that_was_damaged_is_not_shown_again(company: Any) -> None:
    for rows in (5, 6, 7):
        company.publish_rows(rows)
    file = company.settings.published / "v-2" / "marts" / "orders.parquet"
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(PublishError, match=r"v-2 is not as it was published.*Others: v-1"):
        rolled_back(company)
    assert shown(company) == 3
    assert rolled_back(company, to=1) == 1


def test_what_was_taken_back_does_not_come_by_itself_when_the_shown_version_is_lost(company: Any) -> None:
    for rows in (5, 6):
        company.publish_rows(rows)
    rolled_back(company)
    assert company.publish_rows(7).version == 3
    shutil.rmtree(company.settings.published / "v-3")
    assert reconcile(company.store, company.settings) == ["v-3 is gone from the disk; readers see v-1 again"]


def test_a_version_that_was_taken_back_and_shown_again_counts_like_any_other(company: Any) -> None:
    for rows in (5, 6):
        company.publish_rows(rows)
    rolled_back(company)
    rolled_back(company, to=2)
    company.publish_rows(7)
    assert rolled_back(company) == 2


def test_an_expired_version_whose_folder_could_not_go_goes_with_the_next_run(
    make_company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = make_company("retention: {versions: 2, hours: 0}")
    for rows in (5, 6):
        company.publish_rows(rows)

    def busy(_folder: Path) -> None:
        raise OSError(16, "Device or resource busy")

    with monkeypatch.context() as patch:
        patch.setattr("kizuna.versions._remove", busy)
        company.publish_rows(7)
    with company.store.read() as connection:
        states = connection.execute(select(publications.c.state).order_by(publications.c.version)).scalars().all()
    assert states == ["expired", "published", "published"]
    assert on_disk(company) == ["v-1", "v-2", "v-3"]
    reconcile(company.store, company.settings)
    assert on_disk(company) == ["v-2", "v-3"]
    assert expire(company.store, company.settings) == []


def test_the_only_version_gone_says_that_there_is_no_other(company: Any) -> None:
    company.publish_rows(5)
    shutil.rmtree(company.settings.published / "v-1")
    with pytest.raises(PublishError, match=r"v-1, which is not there\. No other is left: restore a backup"):
        reconcile(company.store, company.settings)


def test_a_dead_worker_that_shows_what_was_cleared_away_gives_readers_back_what_they_saw(company: Any) -> None:
    """It proved its lease and stood still; meanwhile its folder was cleared away and another one published."""
    for rows in (5, 6, 7):
        company.publish_rows(rows)
    with company.store.begin() as connection:
        connection.execute(update(publications).where(publications.c.version == 2).values(state="abandoned"))
    reconcile(company.store, company.settings)
    assert on_disk(company) == ["v-1", "v-3"]
    replace_link(company.settings.published / "current", "v-2")
    assert reconcile(company.store, company.settings) == ["v-2 is gone from the disk; readers see v-3 again"]
    assert shown(company) == 3
    assert company.publish_rows(8).version == 4


def kill_before_the_record_of(company: Any, version: int) -> None:
    """As after a kill between the link and the record of a publication."""
    with company.store.begin() as connection:
        connection.execute(delete(link_moves).where(link_moves.c.to_version == version))
        connection.execute(
            update(publications)
            .where(publications.c.version == version)
            .values(state="intended", published_at=None, manifest_sha256=None)
        )


def test_what_readers_saw_before_a_kill_stays_as_long_as_after_any_other_publication(make_company: Any) -> None:
    company = make_company("retention: {versions: 2, hours: 24}")
    for rows in (5, 6):
        company.publish_rows(rows)
    long_ago = publishing.utcnow() - timedelta(days=3)
    with company.store.begin() as connection:
        connection.execute(update(publications).values(published_at=long_ago))
        connection.execute(update(link_moves).values(at=long_ago))
    kill_before_the_record_of(company, 2)
    # Readers saw v-1 until the link moved, moments ago.
    company.publish_rows(7)
    assert on_disk(company) == ["v-1", "v-2", "v-3"]


def test_a_rollback_that_was_killed_goes_no_version_further_when_it_is_given_again(company: Any) -> None:
    for rows in (5, 6, 7):
        company.publish_rows(rows)
    replace_link(company.settings.published / "current", "v-2")
    assert rolled_back(company) == 2
    assert rolled_back(company, to=2) == 2
    with company.store.read() as connection:
        moves = connection.execute(
            select(link_moves.c.from_version, link_moves.c.to_version, link_moves.c.cause)
            .order_by(link_moves.c.move_id.desc())
            .limit(1)
        ).one()
    assert tuple(moves) == (3, 2, "rollback")
    shutil.rmtree(company.settings.published / "v-2")
    reconcile(company.store, company.settings)
    assert shown(company) == 1, "what was taken back does not come by itself"


def test_a_link_that_became_a_folder_in_a_copy_of_the_home_is_a_link_again(company: Any) -> None:
    for rows in (5, 6):
        company.publish_rows(rows)
    link = company.settings.published / "current"
    link.unlink()
    shutil.copytree(company.settings.published / "v-2", link)
    with pytest.raises(PublishError, match=r"no link any more.*rollback --to 2"):
        reconcile(company.store, company.settings)
    assert rolled_back(company, to=2) == 2
    assert sorted(path.name for path in company.settings.published.iterdir()) == ["current", "v-1", "v-2"]
    assert company.publish_rows(7).version == 3


def test_what_came_back_to_the_disk_and_is_shown_again_counts_like_any_other(make_company: Any) -> None:
    company = make_company("retention: {versions: 2, hours: 0}")
    for rows in (5, 6):
        company.publish_rows(rows)
    with company.store.begin() as connection:
        connection.execute(update(publications).where(publications.c.version == 1).values(state="lost"))
    rolled_back(company, to=1)
    for rows in (7, 8, 9):
        company.publish_rows(rows)
    assert on_disk(company) == ["v-4", "v-5"], "it goes when its time has come"


def test_a_version_that_was_deleted_by_hand_is_neither_kept_nor_waited_for(make_company: Any, tmp_path: Path) -> None:
    company = make_company("retention: {versions: 2, hours: 0}")
    for rows in (5, 6, 7):
        company.publish_rows(rows)
    rolled_back(company, to=2)
    shutil.rmtree(company.settings.published / "v-3")
    assert reconcile(company.store, company.settings) == ["v-3 is gone from the disk"]
    saved = save_home(company.settings, company.store, tmp_path.parent / f"{tmp_path.name}-saved", nullcontext)
    assert saved.shown == 2
    company.publish_rows(8)
    assert on_disk(company) == ["v-2", "v-4"]


def test_the_store_of_another_home_changes_nothing_here_and_nothing_there(
    make_company: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    company = make_company()
    company.publish_rows(5)
    home = tmp_path_factory.mktemp("other")
    (home / "kizuna.yaml").write_text("name: Other\n")
    settings = load_settings(home, {"KIZUNA_PSEUDONYM_KEY": "k" * 40})
    other = type(company)(settings, open_store(settings))
    other.publish_rows(6)
    with pytest.raises(PublishError, match="store is another company's, or of another time"):
        reconcile(company.store, other.settings)
    with company.store.read() as connection:
        assert connection.execute(select(publications.c.state)).scalars().all() == ["published"]
        assert len(connection.execute(select(link_moves)).all()) == 1
    assert (shown(company), shown(other)) == (1, 1)
