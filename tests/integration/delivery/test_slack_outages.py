"""Slack is away for hours, fails in every way at once, and the sender is killed: nothing lost, nothing double."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kizuna.control.store import Store, utcnow
from kizuna.delivery import outbox
from kizuna.settings import Settings

Put = Callable[..., None]
Send = Callable[..., Any]
State = Callable[[str], outbox.Message]


def test_slack_down_for_hours(settings: Settings, slack: Any, put: Put, send: Send, clock: Any, state: State) -> None:
    put("patient")
    down = {"slack_base_url": "http://127.0.0.1:9/api/"}
    for _ in range(6):
        report = send(update=down)
        assert (report.sent, report.pending) == (0, 1)
        assert "cannot be reached" in report.errors[0]
        clock.sleep(3600)
    assert state("patient").state == "pending"
    assert send().sent == 1
    assert slack.keys("#cx-alerts") == ["patient"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_storm_loses_nothing_and_doubles_nothing(
    slack: Any, put: Put, send: Send, clock: Any, store: Store, seed: int
) -> None:
    """50 alerts over two channels while half of the calls fail in one way or another."""
    rng = random.Random(seed)
    trouble = [
        ("limit", 3),
        ("status", 500),
        ("accept_status", 502),
        ("drop",),
        ("accept_drop",),
        ("error", "fatal_error"),
    ]
    slack.script["chat.postMessage"].extend(
        rng.choice(trouble) if rng.random() < 0.5 else ("accept",) for _ in range(120)
    )
    slack.script["conversations.history"].extend(
        rng.choice([("status", 500), ("limit", 2), ("drop",)]) if rng.random() < 0.3 else ("accept",) for _ in range(80)
    )
    wanted: dict[str, list[str]] = {"#cx-alerts": [], "#cx-data": []}
    for number in range(50):
        channel = rng.choice(list(wanted))
        wanted[channel].append(f"m{number}")
        put(f"m{number}", channel)
    for _ in range(200):
        if send().pending == 0:
            break
        clock.sleep(60)
    for channel, keys in wanted.items():
        assert slack.keys(channel) == keys, f"seed {seed}: lost, doubled or out of order"
    assert slack.broken == []
    with store.read() as conn:
        assert outbox.counts(conn)["sent"] == 50


def test_a_killed_sender_neither_loses_nor_doubles(
    slack: Any, put: Put, settings: Settings, store: Store, clock: Any, tmp_path: Path
) -> None:
    """SIGKILL after Slack took the message and before the sender heard of it; then a plain second run."""
    from kizuna.delivery.slack import send_pending

    clock.at = utcnow()
    put("earlier")
    assert send_pending(store, settings, now=clock.now, sleep=clock.sleep).sent == 1
    put("cut")
    put("next")
    slack.script["chat.postMessage"].append(("accept_hang", 20))
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from kizuna.control.store import open_store
        from kizuna.delivery.slack import send_pending
        from kizuna.settings import Settings
        settings = Settings.model_validate_json(Path(sys.argv[1]).read_text())
        send_pending(open_store(settings), settings)
        """
    )
    config = tmp_path / "settings.json"
    config.write_text(settings.model_dump_json())
    sender = subprocess.Popen([sys.executable, "-c", script, str(config)])
    deadline = time.monotonic() + 30
    while len(slack.messages) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(sender.pid, signal.SIGKILL)
    sender.wait()
    with store.read() as conn:
        cut = outbox.get(conn, "cut")
    assert cut is not None and cut.state == "sending", "the outcome is unknown, and the store says so"
    clock.at = utcnow()
    report = send_pending(store, settings, now=clock.now, sleep=clock.sleep)
    assert (report.sent, report.pending) == (2, 0)
    assert Counter(slack.keys("#cx-alerts")) == {"earlier": 1, "cut": 1, "next": 1}


def test_two_senders_do_not_meet(slack: Any, put: Put, send: Send, settings: Settings) -> None:
    import fcntl

    put("one")
    with (settings.home / "sender.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        report = send()
        assert (report.sent, report.pending) == (0, 1)
        assert "another sender" in report.errors[0]
    assert send().sent == 1
