"""Backup and restore: what is refused, what is left out, and a company that moves to PostgreSQL and back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from kizuna.backup import CONTROL, FILES, MANIFEST, _marked, _sealed, read_manifest, restore_home, save_home
from kizuna.cli.backup import _quiet
from kizuna.control import ledger
from kizuna.control.lease import acquire
from kizuna.control.schema import lease, outbox
from kizuna.control.store import Store, open_store, open_store_at
from kizuna.delivery.outbox import enqueue, listing
from kizuna.errors import InputError, LeaseHeld, SettingsError
from kizuna.files import old_hash_of, sha256_of
from kizuna.settings import Settings, load_settings

KEY = {"KIZUNA_PSEUDONYM_KEY": "0123456789abcdef0123456789abcdef"}
AT = datetime(2026, 6, 30, 12)


@pytest.fixture
def company(tmp_path: Path) -> tuple[Settings, Store]:
    """A home with a file of each kind, a secret, and a message with a picture that waits."""
    home = tmp_path / "home"
    for name in (
        "kizuna.yaml",
        "identity/rules.yaml",
        "landing/shopify/a.csv",
        "messages/a.png",
        "builds/b/build.duckdb",
    ):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("name: Test\n")
    (home / "landing" / "zendesk").mkdir()
    (home / ".env").write_text("KIZUNA_SLACK_TOKEN=xoxb-secret\n")
    (home / "demo.key").write_text(KEY["KIZUNA_PSEUDONYM_KEY"])
    settings = load_settings(home, KEY)
    store = open_store(settings)
    with store.begin() as connection:
        for number in range(3):
            enqueue(
                connection,
                key=f"m{number}",
                channel="#c",
                payload={"text": "絆"},
                now=AT,
                image=home / "messages" / "a.png",
            )
    return settings, store


def test_a_backup_has_no_secret_and_says_what_it_left_out(company: tuple[Settings, Store], tmp_path: Path) -> None:
    settings, store = company
    saved = save_home(settings, store, tmp_path / "b", nullcontext)
    assert set(saved.left_out) == {".env", "demo.key"}
    content = b"".join(path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file())
    assert b"xoxb-secret" not in content and KEY["KIZUNA_PSEUDONYM_KEY"].encode() not in content
    assert sorted(file["path"] for file in read_manifest(tmp_path / "b")["files"]) == [
        "identity/rules.yaml", "kizuna.yaml", "landing/shopify/a.csv", "messages/a.png",
    ]  # fmt: skip
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0
    restore_home(tmp_path / "b", tmp_path / "again", KEY)
    assert (tmp_path / "again" / "landing" / "zendesk").is_dir(), "an empty landing folder is there again"
    assert (tmp_path / "again" / "control.db").stat().st_mode & 0o077 == 0
    with open_store(load_settings(tmp_path / "again", KEY)).read() as connection:
        waiting = listing(connection)
    assert {message.image for message in waiting} == {tmp_path / "again" / "messages" / "a.png"}
    assert {message.state for message in waiting} == {"sending"}, "they may have gone since: looked for before sent"


def test_hashes_of_an_earlier_release_are_still_compared(company: tuple[Settings, Store], tmp_path: Path) -> None:
    """Its raw files are in the ledger by their SHA-256, and so are the files of a backup that it made."""
    settings, store = company
    raw = settings.raw / "shopify" / "x.parquet"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"rows")
    file = ledger.FileRecord("f", "shopify", "shopify/a.csv", old_hash_of(raw), 4, "accepted", AT, batch_id="x")
    batch = ledger.BatchRecord(
        batch_id="x", file_id="f", source="shopify", entity="orders", relation="raw.shopify__orders", namespace=None,
        path="raw/shopify/x.parquet", content_hash="sha256:1", parquet_hash=old_hash_of(raw), bytes=4, rows_in=1,
        accepted=1, quarantined=0, duplicates=0, first_event_at=None, last_event_at=None, known_at=AT,
    )  # fmt: skip
    with store.begin() as connection:
        ledger.record(connection, file, batch)
    save_home(settings, store, tmp_path / "b", nullcontext)

    manifest = read_manifest(tmp_path / "b")
    manifest["format"] = 1
    manifest["control_sha256"] = sha256_of(tmp_path / "b" / CONTROL)
    del manifest["control_hash"]
    for entry in manifest["files"]:
        entry["sha256"] = sha256_of(tmp_path / "b" / FILES / entry["path"])
        del entry["hash"]
    (tmp_path / "b" / MANIFEST).write_bytes(_sealed(manifest))
    restore_home(tmp_path / "b", tmp_path / "again", KEY)
    assert (tmp_path / "again" / "raw" / "shopify" / "x.parquet").read_bytes() == b"rows"

    raw.write_bytes(b"else")
    with pytest.raises(InputError, match=r"not what the control store says, first raw/shopify/x\.parquet"):
        save_home(settings, store, tmp_path / "c", nullcontext)
    (tmp_path / "b" / FILES / "raw" / "shopify" / "x.parquet").write_bytes(b"else")
    with pytest.raises(InputError, match="is not what was saved"):
        restore_home(tmp_path / "b", tmp_path / "once-more", KEY)


def test_a_backup_waits_for_no_build_and_is_never_half_written(company: tuple[Settings, Store], tmp_path: Path) -> None:
    settings, store = company
    held = acquire(store, "build", "run-1", heartbeat=False)
    with store.begin() as connection:
        connection.execute(lease.update().values(pid=1, process_started=None, host="elsewhere"))
    with pytest.raises(LeaseHeld, match="run-1"):
        save_home(settings, store, tmp_path / "b", lambda: _quiet(settings, store))
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    held.release()
    save_home(settings, store, tmp_path / "b", lambda: _quiet(settings, store))
    assert restore_home(tmp_path / "b", tmp_path / "again", KEY).files == 4
    with open_store(load_settings(tmp_path / "again", KEY)).read() as connection:
        restored = connection.execute(select(lease.c.holder, lease.c.fence)).one()
    assert restored.holder is None and restored.fence == 2, "nobody holds the lease, and its number goes on growing"


def test_the_next_backup_clears_away_what_a_killed_one_left_and_nothing_else(
    company: tuple[Settings, Store], tmp_path: Path
) -> None:
    """It holds personal data, and a backup of another day has another name."""
    settings, store = company
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom kizuna.backup import _marked\n"
        "folder = Path(sys.argv[1]); folder.mkdir(); mark = _marked(folder)\n"
        "(folder / 'customers.csv').write_text('someone'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / ".monday.part")], check=False)
    assert (tmp_path / ".monday.part" / "customers.csv").exists()
    (tmp_path / ".somebody-elses.part").mkdir()
    (tmp_path / ".busy.part").mkdir()
    with _marked(tmp_path / ".busy.part"):
        save_home(settings, store, tmp_path / "tuesday", lambda: _quiet(settings, store))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"home", "tuesday", ".busy.part", ".somebody-elses.part"}
    assert restore_home(tmp_path / "tuesday", tmp_path / "again", KEY).files == 4


def test_a_link_in_landing_is_no_file_after_a_restore(company: tuple[Settings, Store], tmp_path: Path) -> None:
    """An ingest follows none; links of the company's own settings are what they lead to."""
    settings, store = company
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("of the machine")
    (outside / "targets.yaml").write_text("[]\n")
    (settings.landing / "shopify" / "orders_export_1.csv").symlink_to(outside / "secret.csv")
    (settings.landing / "stripe").symlink_to(outside)
    (settings.home / "targets.yaml").symlink_to(outside / "targets.yaml")
    save_home(settings, store, tmp_path / "b", nullcontext)
    assert not [path for path in (tmp_path / "b").rglob("*") if path.is_file() and b"machine" in path.read_bytes()]
    restore_home(tmp_path / "b", tmp_path / "again", KEY)
    assert [path.name for path in (tmp_path / "again" / "landing").rglob("*.csv")] == ["a.csv"]
    assert (tmp_path / "again" / "targets.yaml").read_text() == "[]\n"


def test_a_restore_is_refused_where_it_would_overwrite_or_mix(company: tuple[Settings, Store], tmp_path: Path) -> None:
    settings, store = company
    save_home(settings, store, tmp_path / "b", nullcontext)
    with pytest.raises(InputError, match="exists already"):
        save_home(settings, store, tmp_path / "b", nullcontext)
    with pytest.raises(InputError, match="inside the home"):
        save_home(settings, store, settings.home / "b", nullcontext)
    with pytest.raises(InputError, match="is not empty"):
        restore_home(tmp_path / "b", settings.home, KEY)
    with pytest.raises(InputError, match="control store is not empty"):
        restore_home(tmp_path / "b", tmp_path / "new", KEY | {"KIZUNA_CONTROL_URL": settings.control_url})
    with pytest.raises(SettingsError, match="fingerprint"):
        restore_home(tmp_path / "b", tmp_path / "new", {"KIZUNA_PSEUDONYM_KEY": "another" * 8})
    with pytest.raises(InputError, match="is not a backup"):
        restore_home(settings.home, tmp_path / "new", KEY)
    manifest = read_manifest(tmp_path / "b")
    manifest["files"][0]["path"] = "../../escaped"
    (tmp_path / "b" / MANIFEST).write_bytes(_sealed(manifest))
    with pytest.raises(InputError, match="outside the backup"):
        restore_home(tmp_path / "b", tmp_path / "new", KEY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "home"]


def test_a_company_moves_to_postgresql_and_back(
    company: tuple[Settings, Store], tmp_path: Path, database: Callable[[str], str]
) -> None:
    settings, store = company
    save_home(settings, store, tmp_path / "b", nullcontext)
    url = {"KIZUNA_CONTROL_URL": database("moved")}
    restore_home(tmp_path / "b", tmp_path / "team", KEY | url)
    team = load_settings(tmp_path / "team", KEY | url)
    moved = open_store(team)
    with moved.begin() as connection:
        assert enqueue(connection, key="next", channel="#c", payload={"text": "絆"}, now=AT)
        assert [message.seq for message in listing(connection)] == [1, 2, 3, 4]
    save_home(team, moved, tmp_path / "b2", nullcontext)
    moved.close()
    assert not (tmp_path / "team" / "control.db").exists()
    back = open_store_at(f"sqlite:///{tmp_path / 'b2' / 'control.db'}")
    with back.read() as connection:
        rows = connection.execute(select(outbox).order_by(outbox.c.seq)).mappings().all()
    back.close()
    assert [row["key"] for row in rows] == ["m0", "m1", "m2", "next"]
    assert rows[3]["payload"] == {"text": "絆"} and rows[3]["created_at"] == AT
    assert json.loads((tmp_path / "b2" / MANIFEST).read_text())["rows"]["outbox"] == 4
