"""`kizuna backup`, `kizuna restore`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from kizuna.settings import Settings, home_from_environment, load_settings

if TYPE_CHECKING:
    from kizuna.control.store import Store


def back_up(home: Path | None, target: Path | None, *, with_landing: bool) -> None:
    """Write a backup and say what it holds. Raises `LeaseHeld` while a build is at work."""
    from kizuna.backup import save_home
    from kizuna.control.store import open_store, utcnow

    settings = load_settings(home)
    store = open_store(settings)
    folder = target or settings.home.with_name(f"{settings.home.name}-backup-{utcnow():%Y%m%dT%H%M%SZ}")
    saved = save_home(settings, store, folder, lambda: _quiet(settings, store), with_landing=with_landing)
    store.close()
    out = Console(highlight=False)
    shown = f"v-{saved.shown} shown" if saved.shown is not None else "nothing published yet"
    out.print(f"{saved.folder}: {saved.files:,} files, {saved.size / 1e6:,.1f} MB, {shown}", soft_wrap=True)
    if saved.left_out:
        out.print(f"left out: {', '.join(saved.left_out)}", soft_wrap=True, markup=False)
    out.print("KIZUNA_PSEUDONYM_KEY is not part of it: keep it apart. The folder holds personal data.", soft_wrap=True)


@contextmanager
def _quiet(settings: Settings, store: Store) -> Iterator[None]:
    """Nothing builds, publishes, rolls back or ingests."""
    from ingestion.lock import ingest_lock
    from kizuna.control.lease import acquire, errand
    from kizuna.versions import reconcile

    lease = acquire(store, "build", errand("backup"))
    try:
        with ingest_lock(settings):
            reconcile(store, settings)
            yield
    finally:
        lease.release()


def bring_back(home: Path | None, backup: Path) -> None:
    """Restore into the empty home and say how to go on."""
    from kizuna.backup import restore_home

    restored = restore_home(backup, home or home_from_environment())
    out = Console(highlight=False)
    shown = f"readers see v-{restored.shown}" if restored.shown is not None else "nothing is published"
    out.print(
        f"{restored.home}: {restored.files:,} files as of {restored.made_at:%Y-%m-%d %H:%M} UTC; {shown}.",
        soft_wrap=True,
    )
    out.print(f"Next: export KIZUNA_HOME={restored.home} and the key, `kizuna doctor`, `kizuna run`.", soft_wrap=True)
