"""A store on disk, a stand-in Slack, and a clock that sleeping moves."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kizuna.control.store import Store, open_store
from kizuna.delivery import outbox
from kizuna.settings import Channels, Company, Settings

_spec = importlib.util.spec_from_file_location("slack_server", Path(__file__).with_name("slack_server.py"))
assert _spec and _spec.loader
slack_server = importlib.util.module_from_spec(_spec)
sys.modules["slack_server"] = slack_server
_spec.loader.exec_module(slack_server)


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 7, 1, 6, 0, 0)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)

    def epoch(self) -> float:
        return self.at.replace(tzinfo=UTC).timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slack(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = slack_server.SlackServer(clock.epoch)
    yield server
    server.close()


@pytest.fixture
def settings(tmp_path: Path, slack: Any) -> Settings:
    return Settings(
        home=tmp_path,
        company=Company(name="絆商店", locale="en", timezone="Asia/Tokyo", channels=Channels()),
        pseudonym_key="k" * 64,
        slack_token=slack_server.TOKEN,
        slack_base_url=slack.base_url,
        control_url=f"sqlite:///{tmp_path / 'control.db'}",
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()


@pytest.fixture
def put(store: Store, clock: Clock) -> Callable[..., None]:
    """Enqueue a message with this key."""

    def enqueue(key: str, channel: str = "#cx-alerts", **more: Any) -> None:
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"*{key}*"}}]
        payload = more.pop("payload", {"text": key, "blocks": blocks})
        with store.begin() as conn:
            assert outbox.enqueue(conn, key=key, channel=channel, payload=payload, now=clock.now(), **more)

    return enqueue


@pytest.fixture
def send(store: Store, settings: Settings, clock: Clock) -> Callable[..., Any]:
    from kizuna.delivery.slack import send_pending

    def run(**more: Any) -> Any:
        chosen = settings.model_copy(update=more.pop("update", {}))
        return send_pending(store, chosen, now=clock.now, sleep=clock.sleep, **{"timeout": 1, **more})

    return run


@pytest.fixture
def state(store: Store) -> Callable[[str], outbox.Message]:
    def read(key: str) -> outbox.Message:
        with store.read() as conn:
            message = outbox.get(conn, key)
        assert message is not None
        return message

    return read
