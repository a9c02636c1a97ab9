"""Is this control store the one of this home?

One store in the environment and `--home` of another company: its files would go into a ledger that is not theirs, and
the builds of the company that owns it would wait for batches that its home never had.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from ingestion.archives import split
from kizuna.control.schema import batches, files
from kizuna.errors import InputError

if TYPE_CHECKING:
    from kizuna.control.store import Store
    from kizuna.settings import Settings

#: Newest batches looked for. One that is there is enough; each may be gone, and landing may have been cleared.
_LOOKED_FOR = 200


def require_own_store(settings: Settings, store: Store) -> None:
    """Raise `InputError` when nothing that a store outside the home knows lies in the home."""
    if settings.control_url == f"sqlite:///{settings.home / 'control.db'}":
        return
    with store.read() as connection:
        known = connection.execute(
            select(batches.c.path, files.c.path.label("landed"))
            .join(files, batches.c.file_id == files.c.file_id)
            .where(batches.c.active, batches.c.accepted > 0)
            .order_by(batches.c.known_at.desc(), batches.c.batch_id)
            .limit(_LOOKED_FOR)
        ).all()
    home, landing = settings.home, settings.landing
    if known and not any(_is_there(home / row.path, landing / split(row.landed)[0]) for row in known):
        raise InputError(
            f"None of the batches that the control store knows lies in {home}, nor does a landing file of theirs: the "
            "store is another company's, or raw and landing are gone. Point KIZUNA_CONTROL_URL to this company's own "
            "store, or bring both back from a backup (docs/runbooks/restore.md)."
        )


def _is_there(*paths: Path) -> bool:
    return any(path.is_file() for path in paths)
