"""A run that starts while a backup is at work waits for it, and nobody takes it for dead meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kizuna.cli.backup import _quiet
from kizuna.control.lease import WAITS, living_holder
from kizuna.control.store import open_store
from orchestration import session


def test_a_run_waits_for_a_backup(built: Any, copy_of: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "GRACE_SECONDS", 0.0)
    line = copy_of(built.line.home)
    steps: list[str] = []
    session.watch(steps.append)
    ended: list[str] = []
    holding = threading.Event()

    def back_up() -> None:
        store = open_store(line.settings)
        with _quiet(line.settings, store):
            holding.set()
            for _ in range(600):
                if living_holder(store, WAITS):
                    ended.extend(session.close_dead_runs(line.instance, store))
                    return
                time.sleep(0.1)

    backup = threading.Thread(target=back_up)
    backup.start()
    assert holding.wait(60)
    try:
        run = line.run(as_of=date(2026, 6, 29))
    finally:
        session.watch(None)
        backup.join()
    assert run.success, run.errors
    assert run.tags[session.NOTHING_NEW_TAG] == "true"
    assert steps[:2] == ["waits", "ingest"], "whoever looks at the terminal is told what the run waits for"
    assert ended == []
    assert living_holder(line.store, WAITS) is None
