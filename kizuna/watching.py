"""The dead-man's switch: says when something that should happen by itself did not, from outside the daemon.

`look` compares the last publication, files, signs of life of the daemon and the oldest waiting message with what
`kizuna.yaml` expects (section `watch`). `tell` puts each silence into the outbox, sends it with a sender of its own,
and where Slack does not have it then, hands it to `KIZUNA_ALARM_COMMAND`. A silence is told once, and again each day.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Connection, func, select

from kizuna.control.schema import files, publications
from kizuna.control.store import Store, utcnow
from kizuna.delivery import outbox
from kizuna.files import write_atomically
from kizuna.runbooks import runbook_of
from kizuna.settings import CONFIG_NAME, Settings

if TYPE_CHECKING:
    from analytics.alerts import Silence
    from analytics.alerts.words import Locale

#: Told after so many expected intervals; with a look at least every half interval that is before the second ends.
PATIENCE = 1.5
AGAIN_AFTER = timedelta(days=1)
#: A sign later than so long after now was left by a clock that has been put back since. Believed, it would hide every
#: silence until its own time comes.
AHEAD = timedelta(minutes=10)
_COMMAND_SECONDS = 60
_TOLD_NAME = "alarms.json"


@dataclass(frozen=True)
class Signs:
    """Last signs of life, naive UTC. `born` counts where there was none yet; `heartbeat` None: never a daemon here."""

    born: datetime
    published: datetime | None
    arrived: datetime | None
    by_source: Mapping[str, datetime]
    heartbeat: datetime | None
    oldest_message: datetime | None
    trouble: outbox.Trouble | None


@dataclass(frozen=True)
class Told:
    """What one call did: silences by how they were told now, and those that nobody could be told of."""

    by_slack: tuple[str, ...] = ()
    by_command: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


@dataclass
class _Memory:
    """Keys told by the command, so that a look every two minutes is one message; kept beside the company."""

    home: Path
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def _path(self) -> Path:
        return self.home / _TOLD_NAME

    def load(self) -> _Memory:
        try:
            self.keys = dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            self.keys = {}
        return self

    def add(self, keys: Sequence[str], now: datetime) -> None:
        kept = {key: at for key, at in self.keys.items() if now - datetime.fromisoformat(at) < timedelta(days=30)}
        self.keys = kept | {key: now.isoformat() for key in keys}
        # On a full disk, or where the home is not mounted, it is told at each look: better than once and then an error.
        with suppress(OSError):
            write_atomically(self._path, json.dumps(self.keys).encode(), mode=0o600)


def gather(store: Store, settings: Settings, heartbeat: datetime | None, now: datetime) -> Signs:
    """Read the signs. `heartbeat` comes from Dagster (`orchestration.heartbeat`)."""
    latest = now + AHEAD
    with store.read() as connection:
        published = _last(connection, publications.c.published_at, latest)
        arrived = _last(connection, files.c.first_seen_at, latest)
        by_source = {
            row.source: row.at
            for row in connection.execute(
                select(files.c.source, func.max(files.c.loaded_at).label("at"))
                .where(files.c.status == "accepted", files.c.loaded_at <= latest)
                .group_by(files.c.source)
            )
            if row.at is not None
        }
        waiting = outbox.listing(connection, *outbox.UNSENT)
        trouble = outbox.trouble(connection, now)
    born = datetime.fromtimestamp((settings.home / CONFIG_NAME).stat().st_mtime, UTC).replace(tzinfo=None)
    oldest = min((message.created_at for message in waiting), default=None)
    if heartbeat is not None and heartbeat > latest:
        heartbeat = datetime(1970, 1, 1)  # a daemon that lives writes it anew every 30 seconds
    return Signs(born, published, arrived, by_source, heartbeat, oldest, trouble)


def _last(connection: Connection, moments: Column[datetime], latest: datetime) -> datetime | None:
    return connection.execute(select(func.max(moments)).where(moments <= latest)).scalar()


def look(settings: Settings, signs: Signs, now: datetime) -> list[Silence]:
    """Silences that are to be told, the gravest first."""
    expected = settings.company.watch
    found = []
    if signs.heartbeat is not None and expected.daemon_minutes:
        found.append(_quiet(settings, now, "daemon", "", signs.heartbeat, timedelta(minutes=expected.daemon_minutes)))
    every = timedelta(hours=expected.publication_hours)
    found.append(_quiet(settings, now, "publication", "", signs.published or signs.born, every))
    if signs.oldest_message is not None or signs.trouble is not None:
        wait = timedelta(minutes=expected.sender_minutes)
        since = signs.oldest_message or (signs.trouble.since if signs.trouble else now)
        told = signs.trouble.reason if signs.trouble else ""
        found.append(_quiet(settings, now, "sender", "", since, wait, told))
    every = timedelta(hours=expected.files_hours)
    found.append(_quiet(settings, now, "files", "", signs.arrived or signs.born, every))
    for source, hours in sorted(expected.sources.items()):
        since = signs.by_source.get(source, signs.born)
        found.append(_quiet(settings, now, "source", source, since, timedelta(hours=hours)))
    return [silence for silence in found if silence is not None]


def tell(
    store: Store | None,
    settings: Settings,
    silences: Sequence[Silence],
    *,
    command: str | None = None,
    now: Callable[[], datetime] = utcnow,
    send: Callable[..., Any] | None = None,
) -> Told:
    """Tell each silence once a day, by Slack or else by `command` (its text on standard input).

    Without `store` (it cannot be opened) only the command is left. `send` is `delivery.slack.send_pending`.
    """
    if not silences:
        return Told()
    at = now()
    keys = {key_of(settings, silence, at): silence for silence in silences}
    arrived: set[str] = set()
    new: set[str] = set()
    if store is not None:
        new = _enqueue(store, settings, keys, at)
        if send is None:
            from kizuna.delivery.slack import send_pending

            send = send_pending
        send(store, settings, patience=10)
        with store.read() as connection:
            states = {key: message.state for key in keys if (message := outbox.get(connection, key)) is not None}
        arrived = {key for key, state in states.items() if state == "sent"}
    rest = {key: silence for key, silence in keys.items() if key not in arrived}
    done, untold = _by_command(settings.home, settings.company.name, settings.company.locale, rest, command, at)
    return Told(tuple(sorted(arrived & new)), done, untold)


def tell_unreadable(home: Path, reason: str, *, command: str | None = None, now: datetime) -> tuple[Silence, Told]:
    """Tell that the settings in `home` cannot be read, once a day: no run, no message and no other look is possible.

    Who the company is and where its channel is stands in them, so that only `command` is left.
    """
    from analytics.alerts import Silence

    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    silence = Silence("settings", "", midnight, 0.0, reason[:500], runbook_of("Silence"))
    key = f"silence:settings::{midnight:%Y%m%d}"
    done, untold = _by_command(home, str(home), "en", {key: silence}, command, now)
    return silence, Told((), done, untold)


def _by_command(
    home: Path, name: str, locale: Locale, keys: Mapping[str, Silence], command: str | None, now: datetime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hand what was not told yet to the command; keys it took, and those that nobody took."""
    memory = _Memory(home).load()
    rest = [key for key in keys if key not in memory.keys]
    if not rest or not command or not _run(command, name, locale, [keys[key] for key in rest]):
        return (), tuple(rest)
    memory.add(rest, now)
    return tuple(rest), ()


def key_of(settings: Settings, silence: Silence, now: datetime) -> str:
    """Key of the message: the same silence has the same key for a day."""
    since = silence.since.replace(tzinfo=ZoneInfo(settings.company.timezone)).astimezone(UTC).replace(tzinfo=None)
    days = (now - since - timedelta(hours=silence.expected_hours * PATIENCE)) // AGAIN_AFTER
    return f"silence:{silence.reason}:{silence.subject}:{since:%Y%m%dT%H%M%S}:{days}"


def store_is_gone(settings: Settings, now: datetime, reason: str) -> Silence:
    """The control store itself does not answer. One alarm a day: nothing says since when."""
    from analytics.alerts import Silence

    midnight = _local(settings, now).replace(hour=0, minute=0, second=0, microsecond=0)
    return Silence("store", "", midnight, 0.0, reason[:300], _runbook(settings))


def _quiet(
    settings: Settings, now: datetime, reason: Any, subject: str, since: datetime, expected: timedelta, detail: str = ""
) -> Silence | None:
    from analytics.alerts import Silence

    if now - since <= expected * PATIENCE:
        return None
    hours = expected / timedelta(hours=1)
    return Silence(reason, subject, _local(settings, since), hours, detail, _runbook(settings))


def _runbook(settings: Settings) -> str:
    return runbook_of("Silence", settings.company.alerts.runbook_url)


def _local(settings: Settings, at: datetime) -> datetime:
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(settings.company.timezone)).replace(tzinfo=None)


def _enqueue(store: Store, settings: Settings, keys: Mapping[str, Silence], at: datetime) -> set[str]:
    from analytics.alerts import render_block_kit

    new = set()
    with store.begin() as connection:
        for key, silence in keys.items():
            payload = render_block_kit(silence, settings.company.locale)
            if outbox.enqueue(connection, key=key, channel=settings.company.channels.data, payload=payload, now=at):
                new.add(key)
    return new


def _run(command: str, name: str, locale: Locale, silences: Sequence[Silence]) -> bool:
    """Whether the operator's own command took the text. It runs without a shell."""
    from analytics.alerts import silence_in_words

    lines = [f"{name}:", *(silence_in_words(one, locale) for one in silences)]
    try:
        done = subprocess.run(
            shlex.split(command), input="\n".join(lines) + "\n", text=True, timeout=_COMMAND_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
