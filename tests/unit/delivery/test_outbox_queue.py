"""The outbox keeps each message once, in order per channel, and never forgets an unknown outcome."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kizuna.control.store import Store, open_store_at
from kizuna.delivery import outbox

NOW = datetime(2026, 7, 1, 6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store_at(f"sqlite:///{tmp_path / 'control.db'}")
    yield opened
    opened.close()


def put(store: Store, key: str, channel: str = "#a", **more: Any) -> bool:
    with store.begin() as conn:
        return outbox.enqueue(conn, key=key, channel=channel, payload={"text": key}, now=NOW, **more)


def heads(store: Store) -> list[str]:
    with store.read() as conn:
        return [message.key for message in outbox.heads(conn)]


def read(store: Store, key: str) -> outbox.Message:
    with store.read() as conn:
        message = outbox.get(conn, key)
    assert message is not None
    return message


def test_a_key_is_taken_once_whatever_became_of_it(store: Store) -> None:
    assert put(store, "k")
    assert not put(store, "k")
    with store.begin() as conn:
        outbox.mark_sent(conn, read(store, "k").message_id, external_ts="C/1", now=NOW)
    assert not put(store, "k", channel="#other")
    with store.read() as conn:
        assert outbox.counts(conn) == {"pending": 0, "sending": 0, "sent": 1, "preview": 0, "failed": 0}


def test_a_message_written_in_a_failed_transaction_does_not_exist(store: Store) -> None:
    with pytest.raises(RuntimeError), store.begin() as conn:
        outbox.enqueue(conn, key="k", channel="#a", payload={"text": "t"}, now=NOW)
        raise RuntimeError
    assert heads(store) == []


def test_only_the_head_of_each_channel_may_go(store: Store) -> None:
    for key, channel in (("a1", "#a"), ("b1", "#b"), ("a2", "#a")):
        put(store, key, channel)
    assert heads(store) == ["a1", "b1"]
    assert [read(store, key).seq for key in ("a1", "a2", "b1")] == [1, 2, 1]
    with store.begin() as conn:
        outbox.mark_failed(
            conn, read(store, "a1").message_id, error="later", next_attempt_at=NOW + timedelta(minutes=1)
        )
    with store.read() as conn:
        assert [m.key for m in outbox.due(conn, NOW)] == ["b1"], "a2 must not overtake a1"
        assert [m.key for m in outbox.due(conn, NOW + timedelta(minutes=1))] == ["a1", "b1"]


def test_a_message_is_claimed_by_one_only(store: Store) -> None:
    put(store, "k")
    seen = read(store, "k")
    with store.begin() as conn:
        assert outbox.claim(conn, seen, not_before=NOW + timedelta(seconds=5))
    with store.begin() as conn:
        assert not outbox.claim(conn, seen, not_before=NOW)
    assert (read(store, "k").state, read(store, "k").attempts) == ("sending", 1)


@pytest.mark.parametrize(
    ("next_attempt", "unknown", "state"),
    [(NOW, False, "pending"), (NOW, True, "sending"), (None, False, "failed")],
)
def test_what_a_failure_leaves(store: Store, next_attempt: datetime | None, unknown: bool, state: str) -> None:
    put(store, "k")
    with store.begin() as conn:
        outbox.mark_failed(
            conn, read(store, "k").message_id, error="e" * 900, next_attempt_at=next_attempt, outcome_unknown=unknown
        )
    message = read(store, "k")
    assert message.state == state
    assert len(message.last_error or "") == 500
    assert heads(store) == ([] if state == "failed" else ["k"])


def test_a_message_needs_a_fallback_text(store: Store) -> None:
    with pytest.raises(ValueError, match="text"), store.begin() as conn:
        outbox.enqueue(conn, key="k", channel="#a", payload={"text": "", "blocks": []}, now=NOW)


def test_the_thread_root_is_the_first_sent_of_the_incident(store: Store) -> None:
    for key, thread in (("open", "i"), ("other", None), ("update", "i"), ("elsewhere", "i")):
        put(store, key, "#b" if key == "elsewhere" else "#a", thread_key=thread)
    with store.begin() as conn:
        assert outbox.thread_root(conn, read(store, "update")) is None, "the root is not sent yet"
        outbox.mark_sent(conn, read(store, "open").message_id, external_ts="C/1.5", now=NOW)
        assert outbox.thread_root(conn, read(store, "update")) == "C/1.5"
        assert outbox.thread_root(conn, read(store, "open")) is None
        assert outbox.thread_root(conn, read(store, "other")) is None
        assert outbox.thread_root(conn, read(store, "elsewhere")) is None


def test_another_type_of_channel_has_a_queue_of_its_own(store: Store) -> None:
    """So that mail or Teams can follow: Slack's sender neither sends nor counts nor complains of what is theirs."""
    assert put(store, "s1") and put(store, "m1", channel_type="mail") and put(store, "s2")
    assert not put(store, "s1", channel_type="mail"), "a key is about one matter, however it is told"
    assert [read(store, key).seq for key in ("s1", "s2", "m1")] == [1, 2, 1]
    with store.read() as conn:
        assert [m.key for m in outbox.heads(conn)] == ["s1"]
        assert [m.key for m in outbox.due(conn, NOW, "mail")] == ["m1"]
        assert [m.key for m in outbox.listing(conn)] == ["s1", "s2"]
        assert outbox.counts(conn, "slack")["pending"] == 2 and outbox.counts(conn, "mail")["pending"] == 1
    with store.begin() as conn:
        for key in ("s1", "s2"):
            outbox.mark_sent(conn, read(store, key).message_id, external_ts="C/1", now=NOW)
    late = NOW + 2 * outbox.OVERDUE
    with store.read() as conn:
        assert outbox.trouble(conn, late) is None and outbox.last_sent(conn, "mail") == {}
        mail = outbox.trouble(conn, late, "mail")
    assert mail is not None and mail.waiting == 1
