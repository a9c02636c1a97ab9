"""Messages reach a real HTTP server that behaves like Slack: none lost, none twice, in order, at the right pace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kizuna.control.store import Store
from kizuna.delivery import outbox
from kizuna.errors import DeliveryError

Put = Callable[..., None]
Send = Callable[..., Any]
State = Callable[[str], outbox.Message]

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000000020001e221bc3300000000"
    "49454e44ae426082"
)


def test_messages_arrive_in_order_once_a_second_with_their_key(slack: Any, put: Put, send: Send, state: State) -> None:
    for number in range(4):
        put(f"a{number}")
        put(f"d{number}", "#cx-data")
    report = send()
    assert (report.sent, report.pending, report.failed, report.errors) == (8, 0, 0, ())
    assert slack.keys("#cx-alerts") == ["a0", "a1", "a2", "a3"]
    assert slack.keys("#cx-data") == ["d0", "d1", "d2", "d3"]
    assert slack.messages[0]["metadata"]["event_type"] == "kizuna_alert"
    assert slack.messages[0]["text"] == "a0"
    assert state("a0").external_ts == f"C0ALERTS01/{slack.messages[0]['ts']}"
    assert send().sent == 0
    assert slack.broken == []


def test_the_pace_holds_over_a_restart(slack: Any, put: Put, send: Send) -> None:
    put("a")
    send()
    put("b")
    send()
    assert len(slack.messages) == 2
    assert slack.broken == []


def test_retry_after_is_obeyed_and_order_kept(slack: Any, put: Put, send: Send, state: State, clock: Any) -> None:
    slack.script["chat.postMessage"].append(("limit", 7))
    put("first")
    put("second")
    before = clock.epoch()
    assert send().sent == 2
    assert slack.keys("#cx-alerts") == ["first", "second"]
    assert slack.messages[0]["at"] - before >= 7

    slack.script["chat.postMessage"].append(("limit", 600))
    put("third")
    report = send()
    assert (report.sent, report.pending) == (0, 1)
    assert "429" in report.errors[0]
    assert state("third").state == "pending"
    assert state("third").next_attempt_at == clock.now() + timedelta(seconds=600)
    put("elsewhere", "#cx-data")
    asked = slack.count("chat.postMessage")
    assert send().sent == 0 and slack.count("chat.postMessage") == asked, "asked again before its time"
    clock.sleep(600)
    assert send().sent == 2
    assert slack.count("conversations.history") == 0, "a 429 is no reason to look: the message is not there"


@pytest.mark.parametrize("action", [("accept_drop",), ("accept_status", 500), ("accept_hang", 3)])
def test_an_accepted_message_is_not_sent_again(slack: Any, put: Put, send: Send, state: State, action: Any) -> None:
    put("warm up")
    send()
    slack.script["chat.postMessage"].append(action)
    put("once")
    put("after")
    report = send()
    assert report.sent == 2
    assert slack.keys("#cx-alerts") == ["warm up", "once", "after"]
    assert state("once").state == "sent"
    assert state("once").external_ts == f"C0ALERTS01/{slack.messages[1]['ts']}"
    assert slack.count("conversations.history") == 1


@pytest.mark.parametrize("action", [("drop",), ("status", 500), ("status", 503)])
def test_a_message_that_did_not_arrive_is_sent_again(slack: Any, put: Put, send: Send, action: Any) -> None:
    slack.script["chat.postMessage"].append(action)
    put("again")
    assert send().sent == 1
    assert slack.keys("#cx-alerts") == ["again"]
    assert "possible repeat" not in slack.messages[0]["text"]


def test_a_busy_channel_is_searched_page_by_page(slack: Any, put: Put, send: Send, clock: Any) -> None:
    slack.script["chat.postMessage"].append(("accept_drop",))
    put("buried")
    assert send(patience=0).pending == 1
    for number in range(20):
        ts = f"{clock.epoch():.3f}{number + 100:03d}"
        slack.messages.append({"channel": "C0ALERTS01", "ts": ts, "text": "chat", "at": clock.epoch()})
    clock.sleep(60)
    assert send().sent == 1
    assert [m["text"] for m in slack.messages].count("buried") == 1


def test_without_history_scope_a_repeat_says_so(slack: Any, put: Put, send: Send, state: State) -> None:
    slack.scopes -= {"channels:history"}
    slack.script["chat.postMessage"].append(("accept_drop",))
    put("unsure")
    report = send()
    assert report.sent == 1
    assert [m["text"] for m in slack.messages] == ["unsure", "(possible repeat) unsure"]
    assert "possible repeat" in slack.messages[1]["blocks"][0]["elements"][0]["text"]
    assert "channels:history" in report.warnings[0]
    assert "repeat" in (state("unsure").last_error or "")


def test_the_channel_id_of_earlier_messages_is_enough_to_look(slack: Any, put: Put, send: Send) -> None:
    put("earlier")
    send()
    slack.scopes -= {"channels:read"}
    slack.script["chat.postMessage"].append(("accept_drop",))
    put("later")
    assert send().sent == 1
    assert slack.keys("#cx-alerts") == ["earlier", "later"]


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "account_inactive"])
def test_a_revoked_token_is_loud_and_loses_nothing(slack: Any, put: Put, send: Send, state: State, code: str) -> None:
    slack.token_error = code
    put("kept")
    put("kept too", "#cx-data")
    report = send()
    assert (report.sent, report.pending, report.failed) == (0, 2, 0)
    with pytest.raises(DeliveryError, match=code):
        report.raise_for_errors()
    assert state("kept").state == "pending"
    assert code in (state("kept").last_error or "")
    assert slack.count("chat.postMessage") == 1, "asking on with a dead token helps nobody"
    slack.token_error = None
    assert send().sent == 2
    assert send().errors == ()


def test_what_does_not_arrive_is_visible(slack: Any, put: Put, send: Send, store: Store, clock: Any) -> None:
    """A refusal at once, a dead sender or an endless outage after two hours, a message that is bad for a week."""

    def trouble() -> outbox.Trouble | None:
        with store.read() as conn:
            return outbox.trouble(conn, clock.now())

    put("waits")
    written = clock.now()
    assert trouble() is None
    clock.sleep(2 * 3600 + 1)
    dead = trouble()
    assert dead is not None and "dagster-daemon" in dead.reason
    assert (dead.waiting, dead.refused, dead.since) == (1, 0, written)
    send()
    assert trouble() is None

    slack.token_error = "token_revoked"
    put("refused")
    send()
    revoked = trouble()
    assert revoked is not None and "token_revoked" in revoked.reason
    slack.token_error = None
    send()
    assert trouble() is None

    slack.script["chat.postMessage"].extend([("status", 500), ("status", 500)])
    put("slow")
    send(patience=0)
    assert trouble() is None, "an outage of a moment is nobody's business"
    clock.sleep(60)
    send()

    slack.script["chat.postMessage"].append(("error", "msg_too_long"))
    put("bad")
    send()
    bad = trouble()
    assert bad is not None and (bad.waiting, bad.refused) == (0, 1) and "msg_too_long" in bad.reason
    clock.sleep(8 * 86400)
    assert trouble() is None


def test_the_refusal_of_now_is_named_and_not_that_of_before(put: Put, state: State, store: Store, clock: Any) -> None:
    """The scope was missing, then the token is revoked: a message of another channel still carries the old word."""
    put("older", channel="#cx-data")
    put("newer")
    for key, error in (("older", "missing_scope"), ("newer", "token_revoked")):
        clock.sleep(60)
        with store.begin() as conn:
            said = f"Slack answered {error}"
            outbox.mark_failed(conn, state(key).message_id, error=said, next_attempt_at=clock.now())
    with store.read() as conn:
        found = outbox.trouble(conn, clock.now())
    assert found is not None and "token_revoked" in found.reason


def test_the_command_ends_with_exit_code_7_when_messages_do_not_arrive(slack: Any, put: Put, tmp_path: Path) -> None:
    """What a cron job sees: the process's own exit code, and why in words."""
    (tmp_path / "kizuna.yaml").write_text("name: A\n", encoding="utf-8")
    put("refused")
    slack.token_error = "token_revoked"
    own = {"KIZUNA_PSEUDONYM_KEY": "k" * 64, "KIZUNA_SLACK_TOKEN": sys.modules["slack_server"].TOKEN}
    env = {**os.environ, **own, "KIZUNA_SLACK_BASE_URL": slack.base_url}
    command = [sys.executable, "-m", "kizuna.cli", "slack", "send-pending", "--home", str(tmp_path)]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 7, ended.stderr
    assert "token_revoked" in ended.stderr and "Traceback" not in ended.stderr


def test_a_missing_scope_is_named(slack: Any, put: Put, send: Send) -> None:
    slack.scopes.clear()
    put("kept")
    assert "chat:write" in send().errors[0]


def test_a_wrong_channel_holds_only_itself(slack: Any, put: Put, send: Send, state: State) -> None:
    put("lost", "#nowhere")
    put("fine")
    report = send()
    assert (report.sent, report.pending) == (1, 1)
    assert report.errors == ("#nowhere: Slack answered channel_not_found",)
    assert state("lost").state == "pending"


def test_text_only_when_and_only_when_blocks_were_refused(slack: Any, put: Put, send: Send) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
    put("too many", payload={"text": "fallback", "blocks": [section] * 51})
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    put("too long", payload={"text": "fallback 2", "blocks": [long]})
    slack.script["chat.postMessage"].append(("status", 500))
    report = send()
    assert report.sent == 2
    assert [(m["text"], m.get("blocks")) for m in slack.messages] == [("fallback", None), ("fallback 2", None)]
    assert all("refused the blocks" in warning for warning in report.warnings)
    posted = [bool(arguments.get("blocks")) for method, arguments in slack.calls if method == "chat.postMessage"]
    assert posted == [True, True, False, True, False], "the 500 must not lead to a text-only message"


def test_a_message_that_slack_never_takes_does_not_block_the_queue(
    slack: Any, put: Put, send: Send, state: State
) -> None:
    slack.script["chat.postMessage"].append(("error", "msg_too_long"))
    put("bad")
    put("good")
    report = send()
    assert (report.sent, report.failed, report.pending) == (1, 1, 0)
    assert state("bad").state == "failed"
    assert "msg_too_long" in report.errors[0]


def test_the_picture_is_uploaded_and_shown(slack: Any, put: Put, send: Send, tmp_path: Path) -> None:
    image = tmp_path / "chart.png"
    image.write_bytes(PNG)
    slack.files_ready_after = 1
    put("pictured", image=image)
    report = send()
    assert (report.sent, report.warnings) == (1, ())
    (file_id,) = slack.files
    assert slack.files[file_id]["bytes"] == PNG
    shown = [b for b in slack.messages[0]["blocks"] if b["type"] == "image"]
    assert shown == [{"type": "image", "alt_text": "pictured", "slack_file": {"id": file_id}}]


@pytest.mark.parametrize("failure", ["scope", "server", "never ready", "no file"])
def test_without_its_picture_a_message_still_goes(
    slack: Any, put: Put, send: Send, tmp_path: Path, failure: str
) -> None:
    image = tmp_path / "chart.png"
    if failure != "no file":
        image.write_bytes(PNG)
    if failure == "scope":
        slack.scopes -= {"files:write"}
    if failure == "server":
        slack.script["files.getUploadURLExternal"].extend([("status", 500)] * 2)
    if failure == "never ready":
        slack.files_ready_after = 99
    put("plain", image=image)
    report = send()
    assert (report.sent, report.errors) == (1, ())
    assert [b["type"] for b in slack.messages[0]["blocks"]] == ["section"]
    assert "picture" in report.warnings[0]


def test_a_limit_on_pictures_is_obeyed_and_holds_no_message_for_long(
    slack: Any, put: Put, send: Send, clock: Any, tmp_path: Path
) -> None:
    image = tmp_path / "chart.png"
    image.write_bytes(PNG)

    def shown() -> list[list[str]]:
        return [[b["type"] for b in m["blocks"]] for m in slack.messages]

    slack.script["files.getUploadURLExternal"].append(("limit", 7))
    put("waits a moment", image=image)
    before = clock.epoch()
    assert send().sent == 1
    assert shown() == [["section", "image"]] and clock.epoch() - before >= 7

    slack.script["files.getUploadURLExternal"].append(("limit", 600))
    asked, before = slack.count("files.getUploadURLExternal"), clock.epoch()
    put("goes without", image=image)
    put("does not ask", image=image)
    assert send().sent == 2
    assert shown()[1:] == [["section"], ["section"]] and clock.epoch() - before < 10
    assert slack.count("files.getUploadURLExternal") == asked + 1, "asked again before its time"
    clock.sleep(600)
    put("asks again", image=image)
    assert send().sent == 1 and shown()[3] == ["section", "image"]


def test_answers_go_into_the_thread_of_their_incident(slack: Any, put: Put, send: Send) -> None:
    put("open", thread_key="incident")
    put("other")
    put("resolved", thread_key="incident")
    slack.script["chat.postMessage"].extend([("accept",), ("accept",), ("accept_drop",)])
    assert send().sent == 3
    opened, other, resolved = slack.messages
    assert "thread_ts" not in opened and "thread_ts" not in other
    assert resolved["thread_ts"] == opened["ts"]
    assert slack.keys("#cx-alerts") == ["open", "other", "resolved"]
