"""Past days, built again to be looked at: judged like every build, kept beside what is published and never shown.

`rebuilt/<day>_<known>_<build>/` is a folder like that of a version. No link points to it, no history goes on from it,
nobody is told of it, and the publisher refuses such a build.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from kizuna.builds import Build, current_code, require_passed, require_same_ground
from kizuna.control.lease import Lease
from kizuna.control.schema import builds, publications
from kizuna.control.store import Store, utcnow
from kizuna.files import fsync_folder
from kizuna.publishing import Scorecard, write_version
from kizuna.settings import Settings
from kizuna.versions import Publication, versions_on_disk


def ground_of(store: Store, settings: Settings, day: date, known_as_of: datetime | None) -> int | None:
    """The version from which ids and histories of a rebuilt `day` go on; None: from nothing, as a first build.

    It is the newest version on disk about an earlier day that had been published by `known_as_of` (naive UTC). What
    came later must not be seen in it: then its customers had other ids, and its histories were shorter.
    """
    on_disk = versions_on_disk(settings)
    query = (
        select(publications.c.version)
        .where(publications.c.state == "published", publications.c.as_of < day)
        .order_by(publications.c.as_of.desc(), publications.c.version.desc())
    )
    if known_as_of is not None:
        query = query.where(publications.c.published_at <= known_as_of)
    with store.read() as connection:
        found: list[int] = list(connection.execute(query).scalars())
    return next((version for version in found if version in on_disk), None)


def looks_back(shown: Publication | None, day: date, known_as_of: datetime | None) -> bool:
    """Whether building `day` is looking back: at one before what readers see, or as it was known at an instant."""
    return known_as_of is not None or (shown is not None and day < date.fromisoformat(shown.manifest["as_of"]))


def base_of(settings: Settings, build: Build) -> Publication | None:
    """The version that a build goes on from and is compared with."""
    if build.base_version is None:
        return None
    folder = settings.published / f"v-{build.base_version}"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return Publication(build.base_version, folder, manifest)


def keep_rebuilt(
    store: Store,
    settings: Settings,
    build: Build,
    lease: Lease,
    *,
    tables: Mapping[str, Sequence[str]],
    scorecard: Scorecard,
    pages: Mapping[str, str],
) -> Path:
    """Write a rebuilt day's folder, audited as a version is, and remove those beyond `retention.versions`.

    Raises `GateFailed` unless every gate of this attempt passed, `LeaseHeld` if the lease was lost.
    """
    require_passed(store, build)
    require_same_ground(settings, build, current_code())
    shelf = settings.rebuilt
    shelf.mkdir(parents=True, exist_ok=True)
    known = f"{build.known_as_of:%Y%m%dT%H%M%S}Z" if build.known_as_of else "now"
    folder = shelf / f"{build.as_of}_{known}_{build.build_id[:8]}"
    for left in shelf.glob(".*"):
        # Of a rebuild that was killed. This one holds the lease, so nobody else writes here.
        shutil.rmtree(left)
    temporary, former = shelf / f".tmp-{folder.name}", shelf / f".gone-{folder.name}"
    details: dict[str, Any] = {"version": None, "rebuilt": True, "base_version": build.base_version}
    try:
        write_version(store, settings, build, 0, temporary, tables, scorecard, details, pages)
    except Exception:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    with store.begin() as connection:
        lease.verify(connection)
        if folder.exists():
            folder.rename(former)
        temporary.rename(folder)
        connection.execute(
            update(builds)
            .where(builds.c.build_id == build.build_id, builds.c.attempt == build.attempt)
            .values(status="rebuilt", error=None, ended_at=utcnow())
        )
    fsync_folder(shelf)
    shutil.rmtree(former, ignore_errors=True)
    kept = sorted(shelf.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[settings.company.retention.versions :]:
        shutil.rmtree(path)
    return folder
