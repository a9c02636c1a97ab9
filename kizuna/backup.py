"""Backup and restore of a company's home: what it needs to live again, each file with its hash.

A backup is one folder: `files/` as they lie in the home, `control.db` with every row of the control store (SQLite
whatever the store runs on), and `backup.json` with path, size, mode and SHA-256 of each file. Identity lives in the
published versions, so it comes along with them. Secrets (key, token), builds, locks and Dagster's own storage do not.

Both are written under a temporary name, read back, and then renamed: a killed one leaves nothing that looks whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from sqlalchemy import select, update

from kizuna.builds import shown_version
from kizuna.control.copying import fill_store, save_store
from kizuna.control.schema import batches, outbox, publications
from kizuna.control.store import HEAD, Store, open_store_at, utcnow
from kizuna.errors import InputError, SettingsError
from kizuna.files import (
    Hasher,
    fsync_file,
    fsync_folder,
    has_hash,
    hash_of,
    make_private,
    replace_link,
    write_atomically,
)
from kizuna.pseudonym import key_fingerprint
from kizuna.settings import CONFIG_NAME, Settings

#: Of a backup. In the first the hashes were bare SHA-256.
FORMAT, _READABLE = 2, (1, 2)
MANIFEST, CONTROL, FILES = "backup.json", "control.db", "files"
#: Stands in a backup as long as somebody writes it.
_MARK = ".writing"
#: What grows while the line runs; copied before anything is held, then once more for what is new.
BULK = ("landing", "raw", "quarantine", "messages", "previews")
#: What the company wrote itself.
CONFIG = (CONFIG_NAME, "targets.yaml", "contracts", "identity")
#: What a home may hold that a backup leaves out on purpose, without a word.
_NOT_NEEDED = {
    *("builds", "dagster", "published"),
    *("control.db", "control.db-wal", "control.db-shm"),
    *("sender.lock", ".ingest.lock"),
}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Saved:
    """A finished backup. `left_out` are names at the top of the home that are not part of one."""

    folder: Path
    files: int
    size: int
    shown: int | None
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """A home that lives again."""

    home: Path
    files: int
    shown: int | None
    made_at: datetime


def save_home(
    settings: Settings,
    store: Store,
    target: Path,
    holding: Callable[[], AbstractContextManager[object]],
    *,
    with_landing: bool = True,
) -> Saved:
    """Back the home up into the new folder `target`.

    `holding` keeps builds, rollbacks and ingests out; it is entered only for the control store, the published versions
    and what became new while the bulk was copied. Raises `InputError` when `target` exists, lies inside the home, or
    when a file is not what the control store says it is.
    """
    target = target.expanduser().resolve()
    if target.exists():
        raise InputError(f"{target} exists already; a backup is written into a new folder.")
    if target.is_relative_to(settings.home):
        raise InputError(f"{target} lies inside the home it is to save; choose a folder on another disk.")
    temporary = target.with_name(f".{target.name}.part")
    _sweep(target.parent)
    shutil.rmtree(temporary, ignore_errors=True)
    make_private(temporary)
    writing = _marked(temporary)
    bulk = [name for name in BULK if with_landing or name != "landing"]
    try:
        copier = _Copier(settings.home, temporary / FILES)
        copier.bring(_below(settings.home, bulk))
        with holding():
            rows = save_store(store, temporary / CONTROL)
            shown = shown_version(settings)
            copier.bring(_below(settings.home, [*bulk, *CONFIG]), again=True)
            versions = settings.published.glob("v-*") if settings.published.exists() else ()
            copier.bring(path for folder in sorted(versions) for path in sorted(folder.rglob("*")))
        _require_what_the_store_says(temporary, copier.done)
        manifest = {
            "format": FORMAT,
            "made_at": utcnow().isoformat(timespec="seconds"),
            "company": settings.company.name,
            "home": str(settings.home),
            "key_fingerprint": key_fingerprint(settings.pseudonym_key),
            "schema": HEAD,
            "rows": rows,
            "shown": shown,
            "control_hash": hash_of(temporary / CONTROL),
            "folders": _folders(settings.home),
            "files": [copier.done[path] for path in sorted(copier.done)],
        }
        write_atomically(temporary / MANIFEST, _sealed(manifest), mode=0o600)
        (temporary / CONTROL).chmod(0o600)
        fsync_file(temporary / CONTROL)
        _require_whole(temporary, manifest)
        (temporary / _MARK).unlink()
        temporary.rename(target)
        fsync_folder(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        writing.close()
    known = {*BULK, *CONFIG} | _NOT_NEEDED
    left_out = sorted(path.name for path in settings.home.iterdir() if path.name not in known)
    size = sum(file["bytes"] for file in copier.done.values())
    return Saved(target, len(copier.done), size, shown, tuple(left_out))


def _marked(folder: Path) -> TextIO:
    """Mark a folder as a backup in the making; the lock on the mark ends with the process that holds it."""
    mark = (folder / _MARK).open("w")
    fcntl.flock(mark, fcntl.LOCK_EX)
    return mark


def _sweep(folder: Path) -> None:
    """Remove backups whose writer was killed: they hold personal data, and the next one has another name."""
    for left in folder.glob(".*.part"):
        with suppress(FileNotFoundError, NotADirectoryError, BlockingIOError), (left / _MARK).open("r+") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)


def restore_home(backup: Path, home: Path, environ: Mapping[str, str] | None = None) -> Restored:
    """Make `home` (absent or empty) what it was when `backup` was made; rows go to `KIZUNA_CONTROL_URL` where set.

    Raises `InputError` when the home or the store is not empty or the backup is damaged, `SettingsError` when
    `KIZUNA_PSEUDONYM_KEY` is set to another key than the company's. Nothing is changed then.
    """
    env = os.environ if environ is None else environ
    backup, home = backup.expanduser().resolve(), home.expanduser().resolve()
    manifest = read_manifest(backup)
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise InputError(f"{home} is not empty. A restore writes into a new or an empty folder: move this one away.")
    key = env.get("KIZUNA_PSEUDONYM_KEY", "").strip()
    if key and key_fingerprint(key) != manifest["key_fingerprint"]:
        raise SettingsError(
            f"KIZUNA_PSEUDONYM_KEY has fingerprint {key_fingerprint(key)}, the backup was made with "
            f"{manifest['key_fingerprint']}: set the company's own key, or every customer id would change."
        )
    _require_whole(backup, manifest)
    home.parent.mkdir(parents=True, exist_ok=True)
    temporary = home.with_name(f".{home.name}.restoring")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    temporary.chmod(0o755)
    try:
        for folder in manifest["folders"]:
            (temporary / folder).mkdir(parents=True, exist_ok=True)
        for file in manifest["files"]:
            path = temporary / file["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy_hashed(backup / FILES / file["path"], path)
            path.chmod(file["mode"])
            os.utime(path, ns=(file["mtime_ns"], file["mtime_ns"]))
        make_private(*(temporary / name for name in ("raw", "quarantine", "messages", "previews")))
        if manifest["shown"] is not None:
            published = temporary / "published"
            for folder in (published, *(path for path in published.rglob("*") if path.is_dir())):
                folder.chmod(0o755)  # for readers, whatever the umask
            replace_link(published / "current", f"v-{manifest['shown']}")
        own = temporary / ".control-saved.db"
        shutil.copyfile(backup / CONTROL, own)  # opening it may migrate it, and a backup stays as it is
        url = env.get("KIZUNA_CONTROL_URL") or f"sqlite:///{temporary / 'control.db'}"
        store = open_store_at(url)
        fill_store(own, store)
        _mend_outbox(store, manifest["home"], str(home))
        store.close()
        own.unlink()
        _into_place(temporary, home)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return Restored(home, len(manifest["files"]), manifest["shown"], datetime.fromisoformat(manifest["made_at"]))


def read_manifest(backup: Path) -> dict[str, Any]:
    """`backup.json`, checked against its own seal. Raises `InputError`."""
    path = backup / MANIFEST
    if not path.is_file():
        raise InputError(f"{backup} is not a backup: it has no {MANIFEST}.")
    try:
        manifest = json.loads(path.read_bytes())
        seal = manifest.pop("seal")
        sealed = json.loads(_sealed(manifest))["seal"]
    except (ValueError, KeyError, AttributeError):
        raise InputError(f"{path} cannot be read: it is damaged. Use another backup.") from None
    if seal != sealed or manifest["format"] not in _READABLE:
        what = "was changed" if seal != sealed else f"has format {manifest['format']}, this release reads {_READABLE}"
        raise InputError(f"{path} {what}. Use another backup.")
    return dict(manifest)


class _Copier:
    """Copies files of a home, hashing what it reads; a second look takes only what is new or changed."""

    def __init__(self, home: Path, target: Path) -> None:
        self.home, self.target = home, target
        self.done: dict[str, dict[str, Any]] = {}

    def bring(self, paths: Iterator[Path], *, again: bool = False) -> None:
        seen: set[str] = set()
        for path in paths:
            name = path.relative_to(self.home).as_posix()
            try:
                state = path.stat()
                if not path.is_file():
                    continue
                before = self.done.get(name)
                if not before or (before["bytes"], before["mtime_ns"]) != (state.st_size, state.st_mtime_ns):
                    into = self.target / name
                    into.parent.mkdir(parents=True, exist_ok=True)
                    digest, size = _copy_hashed(path, into)
                    self.done[name] = {
                        "path": name, "bytes": size, "hash": digest, "mode": state.st_mode & 0o777,
                        "mtime_ns": state.st_mtime_ns,
                    }  # fmt: skip
            except FileNotFoundError:
                continue  # it went away between listing and reading; the second look settles it
            seen.add(name)
        if again:
            for name in [name for name in self.done if name not in seen]:
                del self.done[name]
                (self.target / name).unlink(missing_ok=True)


def _below(home: Path, names: list[str]) -> Iterator[Path]:
    for name in names:
        path = home / name
        if path.is_dir():
            # A link in landing is not followed by an ingest; as a file of its own it would be read after a restore.
            yield from (
                found
                for found in sorted(path.rglob("*"))
                if not _is_temporary(found.name) and not (name == "landing" and found.is_symlink())
            )
        elif path.exists():
            yield path


def _folders(home: Path) -> list[str]:
    """Where files are put by hand; an empty one shall be there again, too."""
    found = [path for name in ("landing", "contracts") for path in [home / name, *(home / name).rglob("*")]]
    return sorted(path.relative_to(home).as_posix() for path in found if path.is_dir())


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")


def _copy_hashed(source: Path, target: Path) -> tuple[str, int]:
    """Copy one file to the disk; hash and size of what was read."""
    hashed, size = Hasher(), 0
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK):
            hashed.see(chunk)
            size += len(chunk)
            write.write(chunk)
        write.flush()
        os.fsync(write.fileno())
    target.chmod(0o600)
    return hashed.stated(), size


def _sealed(manifest: Mapping[str, Any]) -> bytes:
    content = json.dumps(manifest, sort_keys=True).encode()
    seal = hashlib.sha256(content).hexdigest()
    return (json.dumps({**manifest, "seal": seal}, sort_keys=True, indent=1) + "\n").encode()


def _require_what_the_store_says(backup: Path, done: Mapping[str, Mapping[str, Any]]) -> None:
    """Batches in use and published versions must be in the backup with the hashes that the control store knows."""
    store = open_store_at(f"sqlite:///{backup / CONTROL}")
    with store.read() as connection:
        wanted = {
            row.path: row.parquet_hash
            for row in connection.execute(
                select(batches.c.path, batches.c.parquet_hash).where(batches.c.active, batches.c.accepted > 0)
            )
        }
        wanted |= {
            f"published/v-{row.version}/manifest.json": f"sha256:{row.manifest_sha256}"
            for row in connection.execute(select(publications).where(publications.c.state == "published"))
            if row.manifest_sha256
        }
    store.close()
    wrong = sorted(
        path
        for path, stated in wanted.items()
        if path not in done or (done[path]["hash"] != stated and not has_hash(backup / FILES / path, stated))
    )
    if wrong:
        raise InputError(
            f"{len(wrong)} files are gone or not what the control store says, first {wrong[0]}; no backup was made. "
            "`kizuna doctor` says more; `kizuna run` heals what can be read again from landing."
        )


def _require_whole(backup: Path, manifest: Mapping[str, Any]) -> None:
    """Every file is there with its hash, read from the disk. Raises `InputError` naming the first that is not."""
    wanted = {f"{FILES}/{file['path']}": _stated(file, "hash") for file in manifest["files"]}
    wanted[CONTROL] = _stated(manifest, "control_hash")
    for name in [*wanted, *manifest["folders"]]:
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise InputError(f"{backup / MANIFEST} names {name!r}, which lies outside the backup.")
    for name, stated in wanted.items():
        path = backup / name
        if not path.is_file() or path.is_symlink():
            raise InputError(f"The backup is not whole: {path} is gone. Use another backup.")
        if not has_hash(path, stated):
            raise InputError(f"The backup is damaged: {path} is not what was saved. Use another backup.")


def _stated(entry: Mapping[str, Any], key: str) -> str:
    """A hash of a backup's manifest; an earlier release wrote the bare SHA-256."""
    return str(entry[key] if key in entry else f"sha256:{entry[key.replace('hash', 'sha256')]}")


def _mend_outbox(store: Store, before: str, now: str) -> None:
    """What waited may have been sent since: the sender looks in the channel first. Pictures lie elsewhere now."""
    with store.begin() as connection:
        connection.execute(update(outbox).where(outbox.c.state == "pending").values(state="sending"))
        rows = connection.execute(
            select(outbox.c.message_id, outbox.c.image_path).where(outbox.c.image_path.startswith(f"{before}/"))
        )
        for row in rows.all():
            path = now + row.image_path.removeprefix(before)
            connection.execute(update(outbox).where(outbox.c.message_id == row.message_id).values(image_path=path))


def _into_place(temporary: Path, home: Path) -> None:
    try:
        temporary.rename(home)  # over an empty folder, too
    except OSError:
        # The folder is a mount point: its content moves, the configuration last, so that a half one is no company.
        for path in sorted(temporary.iterdir(), key=lambda path: path.name == CONFIG_NAME):
            shutil.move(path, home / path.name)
        temporary.rmdir()
    fsync_folder(home.parent)
