"""The versions on disk and which of them readers see: the link is the truth, the control store its memory."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Update, select, update

from kizuna.builds import gate_events, shown_version
from kizuna.control.lease import Lease
from kizuna.control.schema import builds, link_moves, publications
from kizuna.control.store import Store, utcnow
from kizuna.errors import PublishError
from kizuna.files import replace_link, sha256_of
from kizuna.settings import Settings

#: States of versions that no reader was shown.
_NEVER_SHOWN = ("intended", "abandoned")


@dataclass(frozen=True)
class Publication:
    """A version that readers can see. `folder` is the version's own folder, not the link."""

    version: int
    folder: Path
    manifest: dict[str, Any]


def current(settings: Settings) -> Publication | None:
    """What readers see now, or None before the first publication."""
    link = settings.published / "current"
    if not link.is_symlink():
        return None
    folder = link.resolve()
    if not (folder / "manifest.json").exists():
        there = versions_on_disk(settings)
        do = (
            f"`kizuna rollback --to N` shows a version that is: {names_of(there)}."
            if there
            else f"No other is left: restore a backup, or remove {link} to start over with new ids and histories."
        )
        raise PublishError(f"{link} points to {folder.name}, which is not there. {do}")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return Publication(int(manifest["version"]), folder, manifest)


def published_rows(store: Store, published: Publication | None) -> dict[str, int]:
    """Rows of each relation as the gates of a version counted them, 'core.fct_orders' -> rows; {} without a version.

    They stand under the build that was published, so a rollback takes the counts back too.
    """
    if published is None:
        return {}
    manifest = published.manifest
    rows = {f"marts.{name}": int(table["rows"]) for name, table in manifest["tables"].items()}
    for event in gate_events(store, manifest["build_id"], manifest["attempt"]):
        rows |= (event["detail"] or {}).get("rows", {})
    return rows


def rollback(store: Store, settings: Settings, lease: Lease, to: int | None = None) -> Publication:
    """Show readers an earlier version again: `to`, or the newest one older than the current.

    State that crosses builds (ids, histories) lives in the published version, so it goes back with it.
    Raises `PublishError` for a version that readers never saw (of a worker that was declared dead), or that is not as
    it was published.
    """
    link = settings.published / "current"
    with store.read() as connection:
        last = _moved_to(connection)
    if link.is_symlink() and not is_gone(settings):
        # What a crash left open is closed first: the shown version must not be taken for one that never was.
        reconcile(store, settings)
    shown = shown_version(settings)
    done = current(settings) if shown is not None and not is_gone(settings) else None
    if done is not None and (to == shown or (to is None and last is not None and done.version < last)):
        # A rollback that was killed when the link had moved: once more would be one version too far.
        return done
    with store.read() as connection:
        recorded = {row.version: row for row in connection.execute(select(publications))}
        rejected = _rejected(connection)
    never_shown = {number for number, row in recorded.items() if row.state in _NEVER_SHOWN}
    kept = [n for n in versions_on_disk(settings) if n != shown and n not in never_shown]
    if shown is None and to is None:
        raise PublishError("Nothing is published, so there is nothing to roll back to.")
    older = [n for n in kept if shown is not None and n < shown and n not in rejected]
    target = to if to is not None else (max(older) if older else None)
    if target is None or target not in kept:
        asked = f"v-{to} is not kept" if to is not None else f"there is no version before v-{shown}"
        raise PublishError(f"{asked}; versions that can be shown: {names_of(kept)}.")
    stated = recorded[target].manifest_sha256 if target in recorded else None
    if stated is not None and not is_whole(settings.published / f"v-{target}", stated):
        others = names_of([n for n in kept if n != target])
        raise PublishError(f"v-{target} is not as it was published: files are gone or changed. Others: {others}.")
    if link.is_dir() and not link.is_symlink():
        # A home that was copied by a program that follows links.
        grave = link.with_name(f".gone-{link.name}")
        shutil.rmtree(grave, ignore_errors=True)
        link.rename(grave)
    with store.begin() as connection:
        lease.verify(connection)
        replace_link(link, f"v-{target}")
        connection.execute(
            link_moves.insert().values(from_version=shown, to_version=target, cause="rollback", at=utcnow())
        )
        # One that could not be removed, or that came back to the disk, counts again like any other.
        connection.execute(
            update(publications)
            .where(publications.c.version == target, publications.c.state.in_(("expired", "lost")))
            .values(state="published")
        )
    reconcile(store, settings)
    published = current(settings)
    assert published is not None
    return published


def reconcile(store: Store, settings: Settings) -> list[str]:
    """Bring the control store in line with the link after a crash; remove what was never shown. Says what it did.

    Where the shown version is gone from the disk, readers get the newest one before it that is whole.

    Call it only while holding the lease: a version folder that is being written looks like one left over.
    Raises `PublishError` when versions are there but the link is not: going on would start ids and histories anew.
    """
    done = [*_fall_back(store, settings), *_take_back(store, settings)]
    shown = current(settings)
    if shown is None:
        _require_no_lost_link(store, settings)
    if shown is not None:
        _require_own_store(store, shown)
    with store.begin() as connection:
        intended = connection.execute(
            select(publications).where(publications.c.state == "intended").order_by(publications.c.version)
        ).all()
        for row in intended:
            if shown is not None and shown.version == row.version:
                connection.execute(
                    update(publications)
                    .where(publications.c.version == row.version)
                    .values(
                        state="published",
                        published_at=utcnow(),
                        manifest_sha256=sha256_of(shown.folder / "manifest.json"),
                    )
                )
                connection.execute(close_build(row.build_id, row.attempt))
                done.append(f"v-{row.version} was shown before its record was written; recorded now")
            else:
                connection.execute(
                    update(publications).where(publications.c.version == row.version).values(state="abandoned")
                )
                done.append(f"v-{row.version} was never shown; abandoned")
        if shown is not None:
            done += [*_note_move(connection, shown.version), *_note_losses(connection, settings, shown.version)]
        # An expired one is still there where a kill, or an error of the disk, came before its folder went.
        over: set[int] = set(
            connection.execute(
                select(publications.c.version).where(publications.c.state.in_(("abandoned", "expired")))
            ).scalars()
        )
    for grave in settings.published.glob(".gone-*") if settings.published.exists() else ():
        shutil.rmtree(grave, ignore_errors=True)
    for version in sorted(over - {shown.version if shown is not None else None}):
        for folder in (settings.published / f".tmp-{version}", settings.published / f"v-{version}"):
            if folder.exists():
                _remove(folder)
    return done


def expire(store: Store, settings: Settings, now: datetime | None = None) -> list[int]:
    """Remove versions beyond retention.

    The shown one, the one shown before it, and everything shown within the last `retention.hours` stay.
    """
    shown = shown_version(settings)
    keep = settings.company.retention
    moment = now or utcnow()
    with store.read() as connection:
        rows = connection.execute(
            select(publications.c.version, publications.c.published_at)
            .where(publications.c.state == "published")
            .order_by(publications.c.version.desc())
        ).all()
        moves = connection.execute(select(link_moves).order_by(link_moves.c.move_id)).all()
    left_at = {move.from_version: move.at for move in moves}
    before = next((move.from_version for move in reversed(moves) if move.to_version == shown), None)
    gone = []
    for row in rows[keep.versions :]:
        last = max(at for at in (row.published_at, left_at.get(row.version), datetime.min) if at is not None)
        if row.version in (shown, before) or moment - last < timedelta(hours=keep.hours):
            continue
        with store.begin() as connection:
            connection.execute(
                update(publications).where(publications.c.version == row.version).values(state="expired")
            )
        folder = settings.published / f"v-{row.version}"
        if folder.exists():
            _remove(folder)
        gone.append(row.version)
    return gone


def is_whole(folder: Path, manifest_sha256: str | None) -> bool:
    """Whether a version has the manifest that was recorded for it, and every file this names with its hash."""
    manifest = folder / "manifest.json"
    if manifest_sha256 is None or not manifest.is_file() or sha256_of(manifest) != manifest_sha256:
        return False
    tables = json.loads(manifest.read_text(encoding="utf-8"))["tables"]
    files = {folder / "marts" / f"{name}.parquet": table["sha256"] for name, table in tables.items()}
    database = folder / "cx.duckdb"
    return database.is_file() and all(path.is_file() and sha256_of(path) == sha for path, sha in files.items())


def is_gone(settings: Settings) -> bool:
    """Whether the link points to a version that is not on the disk: readers see nothing."""
    link = settings.published / "current"
    return link.is_symlink() and not (link.resolve() / "manifest.json").exists()


def _fall_back(store: Store, settings: Settings) -> list[str]:
    """A deleted version cannot come back by itself; the one before it can be shown, with its ids and histories."""
    if not is_gone(settings):
        return []
    lost = shown_version(settings)
    with store.read() as connection:
        recorded = connection.execute(select(publications).order_by(publications.c.version.desc())).all()
        rejected, seen_last = _rejected(connection), _moved_to(connection)
    rows = [row for row in recorded if row.state == "published"]
    # What somebody took back is not what readers get by themselves.
    wanted = [row for row in rows if lost is not None and row.version < lost and row.version not in rejected]
    if any(row.version == lost and row.state in _NEVER_SHOWN for row in recorded):
        # A worker that had been declared dead moved the link to a version of which nothing is left.
        wanted = [*(row for row in rows if row.version == seen_last), *wanted]
    for row in wanted:
        if not is_whole(settings.published / f"v-{row.version}", row.manifest_sha256):
            continue
        with store.begin() as connection:
            replace_link(settings.published / "current", f"v-{row.version}")
            connection.execute(
                link_moves.insert().values(from_version=lost, to_version=row.version, cause="reconcile", at=utcnow())
            )
            connection.execute(
                update(publications)
                .where(publications.c.version == lost, publications.c.state == "published")
                .values(state="lost")
            )
        return [f"v-{lost} is gone from the disk; readers see v-{row.version} again"]
    return []


def _take_back(store: Store, settings: Settings) -> list[str]:
    """Show the version that was published last where a worker that was declared dead moved the link all the same.

    It can: it proved its lease, then stood still inside the transaction, and the server ended that meanwhile.
    """
    shown = shown_version(settings)
    with store.begin() as connection:
        state = connection.execute(select(publications.c.state).where(publications.c.version == shown)).scalar()
        if state != "abandoned":
            return []
        last = _moved_to(connection)
        known = connection.execute(select(publications).where(publications.c.version == last)).one_or_none()
        if known is None or not is_whole(settings.published / f"v-{last}", known.manifest_sha256):
            return []
        replace_link(settings.published / "current", f"v-{last}")
        connection.execute(
            link_moves.insert().values(from_version=shown, to_version=last, cause="reconcile", at=utcnow())
        )
    return [f"v-{shown} was shown by a worker that had been declared dead; readers see v-{last} again"]


def _moved_to(connection: Connection) -> int | None:
    """Where the link was moved last, as it was recorded."""
    query = select(link_moves.c.to_version).order_by(link_moves.c.move_id.desc()).limit(1)
    return connection.execute(query).scalar()


def _require_own_store(store: Store, shown: Publication) -> None:
    """The store knows another build under the number that readers see: it is another home's."""
    with store.read() as connection:
        query = select(publications.c.build_id).where(publications.c.version == shown.version)
        known = connection.execute(query).scalar()
    if known is not None and shown.manifest.get("build_id", known) != known:
        raise PublishError(
            f"The control store knows v-{shown.version} as build {known}, but {shown.folder} is of another build: the "
            "store is another company's, or of another time. Point KIZUNA_CONTROL_URL to this company's own store, or "
            "restore a backup (docs/runbooks/restore.md)."
        )


def _note_move(connection: Connection, shown: int) -> list[str]:
    """Record a move of the link that a kill kept from being recorded, or that somebody made by hand.

    How long a version stays depends on when readers left it; what was taken back does not come by itself.
    """
    last = _moved_to(connection)
    if last == shown:
        return []
    cause = "rollback" if last is not None and shown < last else "reconcile"
    connection.execute(link_moves.insert().values(from_version=last, to_version=shown, cause=cause, at=utcnow()))
    told = f"readers were shown v-{shown} after v-{last} without a record; recorded now"
    return [told] if cause == "rollback" else []


def _note_losses(connection: Connection, settings: Settings, shown: int) -> list[str]:
    """Versions whose folders somebody deleted: they count as kept no longer, and no backup waits for them."""
    published = select(publications.c.version).where(publications.c.state == "published")
    known: set[int] = set(connection.execute(published).scalars())
    lost = sorted(known - {shown, *versions_on_disk(settings)})
    if lost:
        connection.execute(update(publications).where(publications.c.version.in_(lost)).values(state="lost"))
    return [f"v-{number} is gone from the disk" for number in lost]


def _rejected(connection: Connection) -> set[int]:
    """Versions that somebody rolled back, and did not show again since."""
    found: set[int] = set()
    for move in connection.execute(
        select(link_moves).where(link_moves.c.cause == "rollback").order_by(link_moves.c.move_id)
    ):
        found.add(move.from_version)
        found.discard(move.to_version)
    return found


def _require_no_lost_link(store: Store, settings: Settings) -> None:
    with store.read() as connection:
        known: set[int] = set(
            connection.execute(select(publications.c.version).where(publications.c.state == "published")).scalars()
        )
    lost = sorted(known & set(versions_on_disk(settings)))
    if lost:
        raise PublishError(
            f"{settings.published / 'current'} is gone, or no link any more, although {names_of(lost)} is published. "
            f"`kizuna rollback --to {lost[-1]}` shows it again; to start over on purpose, move {settings.published} "
            "away."
        )


def close_build(build_id: str, attempt: int) -> Update:
    return (
        update(builds)
        .where(builds.c.build_id == build_id, builds.c.attempt == attempt)
        .values(status="published", error=None, ended_at=utcnow())
    )


def names_of(versions: Sequence[int]) -> str:
    return ", ".join(f"v-{number}" for number in versions) or "none"


def versions_on_disk(settings: Settings) -> list[int]:
    if not settings.published.exists():
        return []
    names = (re.fullmatch(r"v-(\d+)", path.name) for path in settings.published.iterdir())
    return sorted(int(match.group(1)) for match in names if match)


def _remove(folder: Path) -> None:
    """Take a version out of sight in one step, then delete it: a kill half-way leaves no folder that looks whole."""
    grave = folder.with_name(f".gone-{folder.name}")
    shutil.rmtree(grave, ignore_errors=True)
    folder.rename(grave)
    shutil.rmtree(grave)
