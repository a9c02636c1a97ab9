"""`kizuna watch`: the dead-man's switch, started by a timer that does not depend on the daemon it looks at."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from kizuna.errors import KizunaError, LeaseHeld, SettingsError, Unwell
from kizuna.settings import Settings, home_from_environment, load_settings

if TYPE_CHECKING:
    from kizuna.watching import Told


def watch_company(home: Path | None) -> None:
    """One look. Raises `Unwell` (exit code 10) while anything is silent, told or not."""
    from sqlalchemy.exc import SQLAlchemyError

    from analytics.alerts import silence_in_words
    from kizuna.control.store import open_store, utcnow
    from kizuna.watching import gather, look, store_is_gone, tell, tell_unreadable

    out = Console(highlight=False)
    command = os.environ.get("KIZUNA_ALARM_COMMAND", "").strip() or None
    now = utcnow()
    try:
        settings = load_settings(home)
    except SettingsError as error:
        where = (home or home_from_environment()).expanduser().resolve()
        silence, told = tell_unreadable(where, str(error), command=command, now=now)
        raise _unwell([silence_in_words(silence, "en")], told) from None
    try:
        store = open_store(settings)
        fall_back(settings, out)
        silences = look(settings, gather(store, settings, heartbeat_of(settings), now), now)
        told = tell(store, settings, silences, command=command)
    except (KizunaError, SQLAlchemyError) as error:
        silences = [store_is_gone(settings, now, type(error).__name__)]
        told = tell(None, settings, silences, command=command)
    if not silences:
        out.print("All signs of life are there.")
        return
    raise _unwell([silence_in_words(one, settings.company.locale) for one in silences], told)


def _unwell(lines: list[str], told: Told) -> Unwell:
    """What is silent, and who was told of it how."""
    ways = [
        f"{len(keys)} {words}"
        for keys, words in (
            (told.by_slack, "told in Slack now"),
            (told.by_command, "handed to KIZUNA_ALARM_COMMAND now"),
            (told.untold, "told to nobody: neither Slack nor KIZUNA_ALARM_COMMAND took it"),
        )
        if keys
    ]
    return Unwell("\n".join([*lines, "; ".join(ways) or "told before", "What to do: docs/runbooks/silence.md"]))


def fall_back(settings: Settings, out: Console) -> None:
    """Where the shown version is gone from the disk, show the one before it now rather than with the next run."""
    from kizuna.control.lease import acquire, errand
    from kizuna.control.store import open_store
    from kizuna.versions import is_gone, reconcile

    if not is_gone(settings):
        return
    store = open_store(settings)
    try:
        lease = acquire(store, "build", errand("watch"), heartbeat=False)
    except LeaseHeld:
        return  # whoever holds it looks after the link
    try:
        for line in reconcile(store, settings):
            out.print(line, soft_wrap=True)
    finally:
        lease.release()


def heartbeat_of(settings: Settings) -> datetime | None:
    """The daemon's last sign of life; long ago where Dagster's storage does not answer, which is as bad."""
    if not settings.company.watch.daemon_minutes:
        return None
    from orchestration.heartbeat import daemon_state

    try:
        return daemon_state(settings).heartbeat
    except Exception:  # noqa: BLE001 - whatever breaks in Dagster's storage, the daemon cannot work either
        return datetime(1970, 1, 1)
