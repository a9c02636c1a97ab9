"""What was judged is what goes on: a verdict holds for the database file that was looked at, and for no other.

Each step of a build leaves the state of the file with its event. Whoever goes on with the build, or publishes it,
compares: what somebody mended by hand after the gate, or a worker wrote that had been declared dead, no gate has seen.
"""

from __future__ import annotations

from sqlalchemy import select

from kizuna.builds import FILE, Build
from kizuna.control.schema import build_events
from kizuna.control.store import Store
from kizuna.errors import GateFailed
from kizuna.files import database_state


def require_untouched(store: Store, build: Build) -> None:
    """Raise `GateFailed` where the build's database was written to since its last step ended.

    While a stage writes, or where one was cut off, there is nothing to compare with: the stage is done anew.
    """
    kinds = build_events.c.kind.in_(("stage", "gate"))
    with store.read() as connection:
        last = connection.execute(
            select(build_events)
            .where(build_events.c.build_id == build.build_id, build_events.c.attempt == build.attempt, kinds)
            .order_by(build_events.c.event_id.desc())
            .limit(1)
        ).one_or_none()
    known = (last.detail or {}).get(FILE) if last is not None else None
    if last is not None and known is not None and known != database_state(build.db):
        raise GateFailed(
            f"Build {build.build_id} does not go on: {build.db} was written to after {last.kind} {last.name}, so what "
            "lies there now is not what was judged. Start a new build with `kizuna run`."
        )
