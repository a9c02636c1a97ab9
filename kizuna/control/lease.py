"""One build at a time, and a worker that was declared dead cannot publish.

The lease is a row with a fencing number that grows at every acquisition. Whoever publishes compares its number with
the row inside the transaction that moves the link; a worker whose lease was taken over meanwhile finds a larger number
and stops. A holder is dead when its process is gone (same host) or its heartbeat is older than `TTL` by the clock of
the server that holds the store, since the clocks of two hosts differ.

A backup, a rollback and the watch are errands: they hold the lease for a while and end by themselves, so a run waits
for them. Meanwhile it holds a lease of its own, or it would look like one that died.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from kizuna.control.schema import lease
from kizuna.control.store import Store, utcnow
from kizuna.errors import LeaseHeld

TTL = timedelta(seconds=120)
HEARTBEAT_SECONDS = 15.0

#: The lease of the run that waits for an errand to end.
WAITS = "build-waits"
ERRANDS = {"backup": "A backup", "rollback": "A rollback", "watch": "A look of `kizuna watch`"}
#: An errand that takes longer hangs, say on a disk of the network that is away.
PATIENCE = timedelta(hours=1)
PAUSE_SECONDS = 1.0


class ErrandAtWork(LeaseHeld):
    """Somebody has the lease who gives it back soon."""


@dataclass
class Lease:
    """A held lease. `fence` is the number to present; `lost` is set when somebody else took over."""

    store: Store
    name: str
    holder: str
    fence: int
    lost: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start_heartbeat(self) -> None:
        threading.Thread(target=self._beat, name=f"lease-{self.name}", daemon=True).start()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                with self.store.begin() as connection:
                    alive = connection.execute(
                        update(lease)
                        .where(lease.c.name == self.name, lease.c.fence == self.fence, lease.c.holder == self.holder)
                        .values(heartbeat_at=_now(connection))
                    )
            except SQLAlchemyError:
                # A store that is away for a moment is asked again; after TTL others may count this worker as dead.
                if time.monotonic() - last > TTL.total_seconds():
                    self.lost.set()
                    return
                continue
            last = time.monotonic()
            if alive.rowcount == 0:
                self.lost.set()
                return

    def verify(self, connection: Connection) -> None:
        """Raise `LeaseHeld` unless this lease is still the valid one, as seen by `connection`'s transaction."""
        row = connection.execute(select(lease).where(lease.c.name == self.name).with_for_update()).one()
        if row.fence != self.fence or row.holder != self.holder:
            raise LeaseHeld(
                f"Run {self.holder} holds fence {self.fence} of the {self.name} lease, but fence {row.fence} was given "
                f"to {row.holder or 'nobody'} since: this worker was declared dead and may not publish. "
                "Start a new run."
            )

    def release(self) -> None:
        """Give the lease back. Does nothing if it was already taken over."""
        self._stop.set()
        with self.store.begin() as connection:
            connection.execute(
                update(lease)
                .where(lease.c.name == self.name, lease.c.fence == self.fence, lease.c.holder == self.holder)
                .values(holder=None, host=None, pid=None, process_started=None, heartbeat_at=None)
            )


def acquire(store: Store, name: str, holder: str, *, heartbeat: bool = True) -> Lease:
    """Take the lease `name` for `holder` (a run id), with a new fencing number.

    Raises `LeaseHeld` when a living process has it, saying which run and since when its last sign of life is.
    """
    _ensure_row(store, name)
    with store.begin() as connection:
        row = connection.execute(select(lease).where(lease.c.name == name).with_for_update()).one()
        same_process = row.holder == holder and row.pid == os.getpid()
        if row.holder is not None and not same_process and _is_alive(row, _now(connection)):
            host = str(row.host).partition("/")[0]
            says = f"Run {row.holder} waits for the same already" if name == WAITS else at_work(row.holder)
            raise (ErrandAtWork if _is_errand(row.holder) else LeaseHeld)(
                f"{says} (process {row.pid} on {host}, last sign of life "
                f"{row.heartbeat_at:%H:%M:%S} UTC). Wait for it, or stop it: a stopped one is taken over at once."
            )
        fence = row.fence + 1
        connection.execute(
            update(lease)
            .where(lease.c.name == name)
            .values(
                fence=fence,
                holder=holder,
                host=_place(),
                pid=os.getpid(),
                process_started=_started(os.getpid()),
                heartbeat_at=_now(connection),
            )
        )
    held = Lease(store, name, holder, fence)
    if heartbeat:
        held.start_heartbeat()
    return held


def errand(kind: str) -> str:
    """A holder that runs wait for; `kind` is one of `ERRANDS`."""
    if kind not in ERRANDS:
        raise ValueError(f"{kind!r} is no errand")
    return f"{kind}-{uuid.uuid4()}"


def acquire_after_errands(
    store: Store, name: str, holder: str, *, tell: Callable[[str], None], patience: timedelta = PATIENCE
) -> Lease:
    """`acquire`, after the errands that are at work; `tell` gets a line when there is one to wait for.

    Raises `LeaseHeld` for a build at once, for an errand when `patience` is over, and when another run waits already.
    """
    began, waiting = time.monotonic(), None
    try:
        while True:
            try:
                return acquire(store, name, holder)
            except ErrandAtWork as held:
                if time.monotonic() - began >= patience.total_seconds():
                    raise
                if waiting is None:
                    waiting = acquire(store, WAITS, holder)
                    tell(f"waiting: {held}")
            time.sleep(PAUSE_SECONDS)
    finally:
        if waiting is not None:
            waiting.release()


def at_work(holder: str) -> str:
    """What a holder of the lease does, in words."""
    kind = holder.partition("-")[0]
    return f"{ERRANDS[kind]} is at work" if _is_errand(holder) else f"Run {holder} is building"


def living_runs(store: Store) -> set[str]:
    """The run that builds and the one that waits to, as far as they show signs of life."""
    return {holder for name in ("build", WAITS) if (holder := living_holder(store, name)) is not None}


def _is_errand(holder: str) -> bool:
    return holder.partition("-")[0] in ERRANDS


def _ensure_row(store: Store, name: str) -> None:
    """A row to lock, so that of two first builders one waits for the other. PostgreSQL cannot lock an absent row."""
    with store.read() as connection:
        if connection.execute(select(lease.c.name).where(lease.c.name == name)).first() is not None:
            return
    with suppress(IntegrityError), store.begin() as connection:
        connection.execute(lease.insert().values(name=name, fence=0))


def living_holder(store: Store, name: str) -> str | None:
    """The run that holds the lease and shows signs of life, if any."""
    with store.read() as connection:
        row = connection.execute(select(lease).where(lease.c.name == name)).one_or_none()
        now = _now(connection)
    return str(row.holder) if row is not None and row.holder is not None and _is_alive(row, now) else None


def _is_alive(row: Any, now: datetime) -> bool:
    if row.host == _place():
        return _started(row.pid) is not None and _started(row.pid) == row.process_started
    # A sign of life from the future is of a clock that was put back: a holder that lives gives the next one in seconds.
    return row.heartbeat_at is not None and abs(now - row.heartbeat_at) < TTL


def _now(connection: Connection) -> datetime:
    """Now as naive UTC, by the clock that all who share this store share."""
    if connection.dialect.name != "postgresql":
        return utcnow()
    at: datetime = connection.execute(text("SELECT clock_timestamp() AT TIME ZONE 'utc'")).scalar_one()
    return at


def _place() -> str:
    """Where a process id means something: this host, or the container within it, which may have the same name."""
    names = [socket.gethostname()]
    with suppress(OSError):
        names.append(Path("/etc/machine-id").read_text(encoding="ascii").strip()[:8])
    with suppress(OSError):
        names.append(Path("/proc/self/ns/pid").readlink().name.strip("pid:[]"))
    return "/".join(names)[:255]


def _started(pid: int) -> float | None:
    """When a process started, in clock ticks since boot; 0.0 where the system does not tell, None if it is gone.

    A process id alone is not enough: ids are reused after a crash.
    """
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] == "Z" else float(fields[19])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0.0
    return 0.0
