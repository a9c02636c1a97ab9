"""R8: Slack is down, limits, times out after accepting, refuses, revokes the token; the sender is killed.

One trial is `HOURS` simulated hours with `ALERTS` alerts in two channels (more, where chance needs them for the kills)
and at least `KILLS` kills of the sender, a process of its own each time (forked from one that has everything loaded, so
that a kill costs milliseconds). The server is a real one on a socket; clock and pauses are simulated and shared by both
sides through a file, so that the pace is that of the sleeps alone. What must hold: nothing lost, nothing doubled, order
kept, at most one message a second and channel, no message that breaks a limit; while the token is revoked or a scope is
missing the sender says so by exit code 7 and `outbox.trouble` names it.
"""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torture import ROOT, Trial, of_tests

from kizuna.control.store import Store, open_store
from kizuna.delivery import outbox
from kizuna.settings import Channels, Company, Settings

PROOF_TRIALS = 1
ALERTS, KILLS, HOURS = 50, 20, 4.0
RUNS = 400
START = datetime(2026, 7, 1, 6).replace(tzinfo=UTC).timestamp()
CHANNELS = ("#cx-alerts", "#cx-data")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000000020001e221bc3300000000"
    "49454e44ae426082"
)
PHASES = ("fine", "down", "limited", "errors", "slow", "revoked", "scope", "fine")
TROUBLE = {
    "fine": [("accept",)],
    "limited": [("limit", 1), ("limit", 7), ("limit", 240), ("accept",)],
    "errors": [("status", 500), ("status", 503), ("accept_status", 502), ("error", "fatal_error"), ("accept",)],
    "slow": [("accept_drop",), ("drop",), ("accept_status", 504), ("accept",)],
}


def run_trial(seed: int, folder: Path) -> Trial:
    """`ALERTS` alerts over `HOURS` hours of one seed."""
    server_module = of_tests("integration/delivery/slack_server.py")
    clock = _Clock(folder / "clock")
    slack = server_module.SlackServer(clock.epoch)
    settings = Settings(
        home=folder,
        company=Company(name="R8", locale="en", channels=Channels()),
        pseudonym_key="k" * 64,
        slack_token=server_module.TOKEN,
        slack_base_url=slack.base_url,
        control_url=f"sqlite:///{folder / 'control.db'}",
    )
    store = open_store(settings)
    try:
        with _nursery(folder, settings) as senders:
            return _Company(seed, store, slack, clock, senders, folder).live()
    finally:
        store.close()
        slack.close()


class _Company:
    """Alerts arise, the sender runs every few minutes, Slack has its moods."""

    def __init__(self, seed: int, store: Store, slack: Any, clock: _Clock, senders: _Senders, folder: Path) -> None:
        self.dice, self.store, self.slack, self.clock, self.senders = random.Random(seed), store, slack, clock, senders
        self.failures: list[str] = []
        self.wanted: dict[str, list[str]] = {channel: [] for channel in CHANNELS}
        self.image = folder / "chart.png"
        self.image.write_bytes(PNG)
        self.kills = self.runs = self.loud = 0
        self.loud_seen = 0

    def live(self) -> Trial:
        moments = sorted(START + self.dice.random() * HOURS * 3600 for _ in range(ALERTS))
        phases = [*PHASES[:1], *self.dice.sample(PHASES[1:], len(PHASES) - 1)]
        for number in range(RUNS):
            hours = (self.clock.epoch() - START) / 3600
            phase = phases[min(int(hours / HOURS * len(phases)), len(phases) - 1)] if hours < HOURS else "fine"
            while moments and moments[0] <= self.clock.epoch():
                moments.pop(0)
                self._raise_alert()
            if not moments and self.kills < KILLS and not self._waiting():
                self._raise_alert()  # nothing is left to be killed over, and chance killed too few
            killed = self._send(phase)
            if not moments and not killed and phase == "fine" and self.kills >= KILLS and not self._waiting():
                break
            if number % 3 == 2 or not self._waiting():
                self.clock.sleep(self.dice.uniform(60, 600))
        self._judge()
        hours = (self.clock.epoch() - START) / 3600
        return Trial(
            sum(map(len, self.wanted.values())),
            tuple(self.failures),
            f"{self.kills} kills in {self.runs} runs of the sender, {hours:.1f} simulated "
            f"hours, {len(self.slack.calls)} calls, {self.loud_seen} of {self.loud} refusals visible",
        )

    def _raise_alert(self) -> None:
        channel = self.dice.choice(CHANNELS)
        key = f"m{sum(map(len, self.wanted.values()))}"
        opens = self.dice.random() < 0.5 or not self.wanted[channel]
        thread = f"{channel}:{key if opens else self.dice.choice(self.wanted[channel])}"
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"*{key}*"}}]
        with self.store.begin() as connection:
            outbox.enqueue(
                connection, key=key, channel=channel, payload={"text": key, "blocks": blocks}, thread_key=thread,
                now=self.clock.now(),
                image=self.image if self.dice.random() < 0.3 else None,
            )  # fmt: skip
        self.wanted[channel].append(key)

    def _waiting(self) -> int:
        with self.store.read() as connection:
            found = outbox.counts(connection)
        return found["pending"] + found["sending"]

    def _send(self, phase: str) -> bool:
        """One run of the sender in this phase; whether it was killed."""
        slack, dice = self.slack, self.dice
        slack.token_error = "token_revoked" if phase == "revoked" else None
        slack.scopes = set(of_tests("integration/delivery/slack_server.py").ALL_SCOPES) - (
            {"chat:write"} if phase == "scope" else set()
        )
        actions = TROUBLE.get(phase, [("accept",)])
        for method in ("chat.postMessage", "conversations.history", "conversations.replies"):
            slack.script[method].clear()
            slack.script[method].extend(dice.choice(actions) for _ in range(8))
        for method in ("files.getUploadURLExternal", "files.completeUploadExternal"):
            slack.script[method].clear()
            if phase != "fine":
                slack.script[method].extend(dice.choice(actions) for _ in range(4))
        kill = self._waiting() > 0 and self.kills < KILLS and dice.random() < 0.8 and phase not in ("revoked", "scope")
        after: float | None = None
        if kill and (phase == "down" or dice.random() < 0.4):
            after = dice.uniform(0.0, 0.08)  # anywhere: between the answer and the note of it, too
        elif kill:
            method = dice.choice(["chat.postMessage"] * 3 + ["conversations.history", "files.getUploadURLExternal"])
            slack.script[method].insert(dice.randrange(2), (dice.choice(["kill", "accept_kill", "accept_kill"]),))
        slack.on_kill = self.senders.kill
        before, calls = self._waiting(), len(slack.calls)
        code = self.senders.run("http://127.0.0.1:9/api/" if phase == "down" else slack.base_url, after)
        self.runs += 1
        killed = code == -signal.SIGKILL
        self.kills += killed
        if not killed and code not in (0, 7):
            self.failures.append(f"the sender ended with {code} in phase {phase}")
        # A head that waits for its time is not tried, and cannot be refused.
        if phase in ("revoked", "scope") and before and not killed and len(slack.calls) > calls:
            self.loud += 1
            code_says = "token_revoked" if phase == "revoked" else "missing_scope"
            with self.store.read() as connection:
                trouble = outbox.trouble(connection, self.clock.now())
            if code == 7 and trouble is not None and code_says in trouble.reason:
                self.loud_seen += 1
            else:
                self.failures.append(f"{code_says} was not visible: exit code {code}, {trouble}")
        return killed

    def _judge(self) -> None:
        if self.kills < KILLS:
            self.failures.append(f"only {self.kills} kills")
        for channel, keys in self.wanted.items():
            seen = self.slack.keys(channel)
            if seen != keys:
                lost, double = sorted(set(keys) - set(seen)), sorted({k for k in seen if seen.count(k) > 1})
                self.failures.append(f"{channel}: lost {lost}, double {double}, or out of order: {seen}")
        self.failures += [f"refused by Slack's rules: {text}" for text in self.slack.broken]
        marked = [m["text"] for m in self.slack.messages if "possible repeat" in m["text"]]
        self.failures += [f"marked as a repeat although the channel can be read: {text}" for text in marked]


class _Clock:
    """Epoch seconds in a file: whoever sleeps moves it, and a killed process leaves it where it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(struct.pack("d", START))

    def epoch(self) -> float:
        return float(struct.unpack("d", self.path.read_bytes()[:8])[0])

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.epoch(), UTC).replace(tzinfo=None)

    def sleep(self, seconds: float) -> None:
        with self.path.open("r+b") as handle:
            handle.write(struct.pack("d", self.epoch() + seconds))


class _Senders:
    """Senders forked from one loaded process, one at a time."""

    def __init__(self, nursery: subprocess.Popen[str]) -> None:
        self.nursery = nursery
        self.pid = 0

    def run(self, base_url: str, kill_after: float | None) -> int:
        """Exit code of one sender; -9 where it was killed."""
        assert self.nursery.stdin and self.nursery.stdout
        self.nursery.stdin.write(f"{base_url} {-1 if kill_after is None else kill_after}\n")
        self.nursery.stdin.flush()
        self.pid = int(self.nursery.stdout.readline())
        return int(self.nursery.stdout.readline())

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


@contextmanager
def _nursery(folder: Path, settings: Settings) -> Iterator[_Senders]:
    config = folder / "settings.json"
    config.write_text(settings.model_dump_json())
    environment = {k: v for k, v in os.environ.items() if not k.upper().endswith("_PROXY")}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[1] / "sender.py"), str(config), str(folder / "clock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        yield _Senders(process)
    finally:
        process.communicate()
