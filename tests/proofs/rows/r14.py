"""R14: silence. No file, a late file, no publication, a dead daemon, a dead sender: how long until somebody is told?

One trial is a company that lived well for a moment and then went quiet in one way after the other. Each time the
dead-man's switch looks every two minutes, or fiftieth of the interval, of a simulated clock. What must hold: not one
alarm before the expected interval is over, the alarm before the second one ends, only one of it, and in the right
place: in the data channel of a real stand-in server where Slack takes it, else in the operator's own command, a real
process. Dead are: a real daemon, killed after its first signs of life were stored; a sender that hangs and holds its
lock, a token that was revoked, a server that is not there. What waited meanwhile arrives afterwards.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from torture import ROOT, Trial, beside, of_tests

from kizuna.control.schema import publications
from kizuna.control.store import utcnow
from kizuna.delivery import outbox
from kizuna.delivery.slack import send_pending
from kizuna.settings import load_settings
from kizuna.watching import gather, look, tell
from orchestration.heartbeat import daemon_state

PROOF_TRIALS = 1
LOOK = timedelta(minutes=2)
PATIENCE = 90.0


def run_trial(seed: int, folder: Path) -> Trial:
    """All ways to be silent, once each; intervals and moments are of the seed."""
    daemon = _Daemon(folder / "daemon")
    try:
        found = _Quiet(seed, folder / "company").live()
        found += [daemon.told()]
    finally:
        daemon.end()
    failures = [f"{name}: {text}" for name, _, text in found if text]
    shown = ", ".join(f"{name} {share:.2f}" for name, share, _ in found if share)
    return Trial(len(found), tuple(failures), f"told after so many expected intervals: {shown}")


class _Quiet:
    """A company by the simulated clock."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.dice = random.Random(seed)
        self.start = datetime(2026, 7, 1, self.dice.randrange(24), self.dice.randrange(60))
        self.now = self.start
        self.slack = of_tests("integration/delivery/slack_server.py").SlackServer(
            lambda: self.now.replace(tzinfo=UTC).timestamp()
        )
        self.home = beside("homes").make_home(folder)
        self.home.contract("till", beside("homes").till("till"))
        self.pager = folder / "pager.txt"

    def live(self) -> list[tuple[str, float, str]]:
        hours, source, minutes = self.dice.randint(3, 30), self.dice.randint(3, 30), self.dice.randint(10, 60)
        try:
            return [
                self._case("no file", timedelta(hours=hours), {"files_hours": hours}),
                self._case("late file", timedelta(hours=source), {"sources": {"till": source}}),
                self._case("no publication", timedelta(hours=hours), {"publication_hours": hours}),
                self._case("revoked token", timedelta(minutes=minutes), {"sender_minutes": minutes}, self._revoked),
                self._case("no server", timedelta(minutes=minutes), {"sender_minutes": minutes}, self._no_server),
                self._case("sender hangs", timedelta(minutes=minutes), {"sender_minutes": minutes}, self._hanging),
            ]
        finally:
            self.slack.close()
            self.home.store.close()

    def _case(
        self, name: str, expected: timedelta, watch: dict[str, Any], broken: Callable[[], Any] | None = None
    ) -> tuple[str, float, str]:
        usual = {"publication_hours": 9000, "files_hours": 9000, "sender_minutes": 1440, "sources": {}}
        self.settings = self._settings(usual | watch)
        self._sign_of_life()
        began, seen, pages = self.now, len(self.slack.messages), self._pages()
        with broken() if broken else _nothing():
            if broken:
                with self.home.store.begin() as connection:
                    outbox.enqueue(connection, key=name, channel="#cx-data", payload={"text": "news"}, now=self.now)
            told: datetime | None = None
            while self.now < began + 2 * expected:
                # A real timer is never exact.
                self.now += max(LOOK, expected / 50) - timedelta(seconds=self.dice.randrange(20))
                self._look()
                alarms = len(self.slack.messages) - seen if broken is None else self._pages() - pages
                if alarms and told is None:
                    told = self.now
            share = (told - began) / expected if told else 0.0
            if told is None:
                return name, share, "nobody was told within twice the expected interval"
            if told <= began + expected:
                return name, share, f"told after {share:.2f} of the expected interval already"
            while self.now < told + timedelta(hours=1):
                self.now += 3 * LOOK
                self._look()
            more = len(self.slack.messages) - seen if broken is None else self._pages() - pages
            if more != 1:
                return name, share, f"told {more} times"
        self.slack.token_error = None
        self.now += timedelta(minutes=10)  # the longest pause before another attempt is over
        send_pending(self.home.store, self.settings, now=lambda: self.now, sleep=self._sleep)
        with self.home.store.read() as connection:
            lost = [message.key for message in outbox.listing(connection, *outbox.UNSENT)]
        return name, share, f"never arrived afterwards: {lost}" if lost else ""

    def _look(self) -> None:
        silences = look(self.settings, gather(self.home.store, self.settings, None, self.now), self.now)
        command = f"{sys.executable} -S -c \"import sys; open('{self.pager}', 'a').write(sys.stdin.read() + chr(0))\""
        tell(
            self.home.store,
            self.settings,
            silences,
            command=command,
            now=lambda: self.now,
            send=partial(send_pending, now=lambda: self.now, sleep=self._sleep, timeout=2),
        )

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _pages(self) -> int:
        return self.pager.read_text().count("\0") if self.pager.exists() else 0

    def _sign_of_life(self) -> None:
        """A file is loaded and a version published now."""
        number = self.dice.randrange(10**9)
        rows = f"Receipt,Card,When,Total,Pieces,Town\n{number},c1,2026-06-01,10.00,1,京都\n"
        self.home.land(f"till/orders_{number}.csv", rows.encode())
        self.home.ingest(self.now)
        with self.home.store.begin() as connection:
            connection.execute(
                publications.insert().values(
                    version=number, build_id="b", attempt=1, as_of=date(2026, 6, 30), fence=1, state="published",
                    intended_at=self.now, published_at=self.now,
                )
            )  # fmt: skip

    def _settings(self, watch: dict[str, Any], base_url: str | None = None) -> Any:
        path = self.home.settings.home / "kizuna.yaml"
        path.write_text(json.dumps({"name": "R14", "watch": watch}), encoding="utf-8")  # JSON is YAML
        os.utime(path, (self.start.timestamp(), self.start.timestamp()))
        env = {
            "KIZUNA_PSEUDONYM_KEY": "k" * 64,
            "KIZUNA_SLACK_TOKEN": of_tests("integration/delivery/slack_server.py").TOKEN,
            "KIZUNA_SLACK_BASE_URL": base_url or self.slack.base_url,
        }
        return load_settings(self.home.settings.home, env)

    @contextmanager
    def _revoked(self) -> Any:
        self.slack.token_error = "token_revoked"
        yield

    @contextmanager
    def _no_server(self) -> Any:
        kept = self.settings
        self.settings = kept.model_copy(update={"slack_base_url": "http://127.0.0.1:9/api/"})
        yield
        self.settings = kept

    @contextmanager
    def _hanging(self) -> Any:
        code = (
            "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); "
            "print('held', flush=True); time.sleep(600)"
        )
        lock = str(self.settings.home / "sender.lock")
        with subprocess.Popen([sys.executable, "-S", "-c", code, lock], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield
            finally:
                process.kill()


class _Daemon:
    """A real `dagster-daemon` as an operator starts it; it starts while the rest of the trial goes on."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        (home / "kizuna.yaml").write_text("name: R14\nwatch: {daemon_minutes: 5}\n", encoding="utf-8")
        clean = {k: v for k, v in os.environ.items() if not k.upper().startswith(("KIZUNA_", "DAGSTER_", "PYTEST_"))}
        env = clean | {"KIZUNA_HOME": str(home), "KIZUNA_PSEUDONYM_KEY": "k" * 64, "PYTHONPATH": str(ROOT)}
        self.settings = load_settings(home, env)
        command = [sys.executable, "-m", "kizuna.cli", "serve", "daemon", "--code", "127.0.0.1:9"]
        self.log = home.parent / "daemon.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=env, cwd=home, stdout=log, stderr=log, start_new_session=True)

    def told(self) -> tuple[str, float, str]:
        """Kill it once it lives, and look on from there, the clock going faster."""
        end = time.monotonic() + PATIENCE
        while (state := daemon_state(self.settings)).heartbeat is None and time.monotonic() < end:
            time.sleep(0.3)
        if state.heartbeat is None:
            return "dead daemon", 0.0, f"it never lived: {self.log.read_text()[-1000:]}"
        alive = self._silent(utcnow())
        self.end()
        last = daemon_state(self.settings).heartbeat
        assert last is not None
        expected = timedelta(minutes=self.settings.company.watch.daemon_minutes)
        told = next((n * LOOK for n in range(1, 6) if self._silent(last + n * LOOK)), None)
        if alive or told is None or not expected < told <= 2 * expected:
            return "dead daemon", 0.0, f"told after {told}, while it lived: {alive}"
        return "dead daemon", told / expected, ""

    def _silent(self, now: datetime) -> list[str]:
        from kizuna.control.store import open_store

        store = open_store(self.settings)
        signs = gather(store, self.settings, daemon_state(self.settings).heartbeat, now)
        store.close()
        return [one.reason for one in look(self.settings, signs, now) if one.reason == "daemon"]

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def _nothing() -> Any:
    yield
