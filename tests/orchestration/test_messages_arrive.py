"""Messages that do not arrive show in the UI, on the page of the version and in the exit code of the run."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kizuna.cli import messages, running
from kizuna.control.store import Store, open_store, utcnow
from kizuna.delivery import outbox
from kizuna.errors import DeliveryError
from kizuna.settings import load_settings
from orchestration.defs.publish import arrival, undelivered_of

REFUSED = "Slack answered token_revoked"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kizuna.yaml").write_text("name: Test\n", encoding="utf-8")
    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", "k" * 40)
    # The run itself is not what is looked at: it ended well.
    monkeypatch.setattr(running, "launch", lambda *_, **__: SimpleNamespace(nothing_new=True))
    return tmp_path


@pytest.fixture
def store(home: Path) -> Store:
    return open_store(load_settings(home))


def put(store: Store, written: datetime, error: str = "") -> None:
    with store.begin() as conn:
        outbox.enqueue(conn, key="spike", channel="#cx-alerts", payload={"text": "spike"}, now=written)
        message = outbox.get(conn, "spike")
        assert message is not None
        if error:
            outbox.mark_failed(conn, message.message_id, error=error, next_attempt_at=written)


def run(home: Path) -> None:
    running.run_and_tell(home, as_of=None, known_as_of=None, force=False)


@pytest.mark.parametrize(
    ("age", "error", "reason"),
    [
        (timedelta(minutes=1), REFUSED, "#cx-alerts: Slack answered token_revoked"),
        (timedelta(hours=3), "", "dagster-daemon"),
    ],
    ids=["revoked token", "dead sender"],
)
def test_a_revoked_token_and_a_dead_sender_show_wherever_somebody_looks(
    home: Path, store: Store, age: timedelta, error: str, reason: str
) -> None:
    written = utcnow() - age
    put(store, written, error)
    check = arrival(store, 1)
    assert not check.passed and check.check_name == "messages_arrive"
    shown: dict[str, Any] = {name: entry.value for name, entry in check.metadata.items()}
    assert reason in shown["reason"] and shown["waiting"] == 1
    assert shown["since_utc"] == f"{written:%Y-%m-%d %H:%M}" and shown["what to do"].endswith("slack-not-delivered.md")
    page = undelivered_of(store)
    assert page is not None and reason in page.reason and page.messages == 1
    for command in (run, messages.show):
        with pytest.raises(DeliveryError, match=reason) as stopped:
            command(home)
        assert stopped.value.exit_code == 7


def test_what_waits_for_its_turn_alarms_nobody(home: Path, store: Store) -> None:
    put(store, utcnow())
    assert arrival(store, 1).passed and undelivered_of(store) is None
    run(home)
    messages.show(home)
