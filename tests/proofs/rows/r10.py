"""R10: worker, daemon, webserver and code server are killed while runs queue up.

The processes are Dagster's own over the instance's own `dagster.yaml`, whose waits are divided by 20 so that a trial
takes a minute; the job is a light one (light_location.py). After each kill the service is started again, as systemd
does. In the end every run asked for exists once and has ended, nothing holds a slot or the lease, and the store of
events has grown by no more than the runs have to say.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from torture import ROOT, Trial, beside

PROOF_TRIALS = 1
RUNS, SCALE = 9, 20
VICTIMS = ("worker", "worker", "worker", "worker", "daemon", "daemon", "code", "code", "web", "code and worker")
#: What the issue allows a run to hang at the shipped settings, in seconds.
ALLOWED = 300
#: Events of one run of the light job: planned, started, step, engine, ended; a kill adds a few.
EVENTS_PER_RUN = 40
homes = beside("homes")
BIN = Path(sys.executable).parent


def run_trial(seed: int, folder: Path) -> Trial:
    """Ten kills over one queue."""
    instance = _Instance(folder, random.Random(seed))
    try:
        return instance.trial()
    finally:
        instance.stop()


class _Instance:
    """A company with Dagster's processes over it."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        made = homes.make_home(folder / "home")
        self.store, self.dice, self.folder = made.store, dice, folder
        self.dagster_home = made.settings.dagster_home
        self.dagster_home.mkdir()
        shipped = yaml.safe_load((ROOT / "orchestration" / "dagster.yaml").read_text())
        self.monitoring = dict(shipped["run_monitoring"])
        for name, value in self.monitoring.items():
            if name.endswith("_seconds") and name != "max_runtime_seconds":
                shipped["run_monitoring"][name] = max(value // SCALE, 1)
        (self.dagster_home / "dagster.yaml").write_text(yaml.safe_dump(shipped))
        self.code_port, self.web_port = _free_port(), _free_port()
        self.workspace = folder / "workspace.yaml"
        server = {"host": "127.0.0.1", "port": self.code_port, "location_name": "light"}
        self.workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("KIZUNA_", "DAGSTER_", "PYTEST_"))}
        self.env = clean | {
            "DAGSTER_HOME": str(self.dagster_home),
            "KIZUNA_HOME": str(made.settings.home),
            "KIZUNA_PSEUDONYM_KEY": "k" * 64,
            "PYTHONPATH": str(ROOT),
            "LIGHT_RUNS": str(RUNS),
        }
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.services: dict[str, subprocess.Popen[bytes]] = {}
        self.killed_runs: dict[str, float] = {}

    def start(self, name: str) -> None:
        location = str(ROOT / "tests" / "proofs" / "light_location.py")
        port = str(self.code_port)
        commands = {
            "code": [
                "dagster",
                "api",
                "grpc",
                "-f",
                location,
                "-h",
                "127.0.0.1",
                "-p",
                port,
                "--location-name",
                "light",
            ],
            "daemon": ["dagster-daemon", "run", "-w", str(self.workspace)],
            "web": ["dagster-webserver", "-w", str(self.workspace), "-h", "127.0.0.1", "-p", str(self.web_port)],
        }
        tool, *rest = commands[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.services[name] = subprocess.Popen(
                [str(BIN / tool), *rest], env=self.env, cwd=self.folder, stdout=log, stderr=log
            )

    def stop(self) -> None:
        for pid in [*self.workers(), *(service.pid for service in self.services.values())]:
            _kill(pid)
        for service in self.services.values():
            service.wait()
        self.store.close()

    def workers(self) -> list[int]:
        """Processes that execute a run: spawned by the code server, alive or orphaned."""
        mark, found = f"KIZUNA_HOME={self.env['KIZUNA_HOME']}".encode(), []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                command = (place / "cmdline").read_bytes()
                if b"spawn_main" in command and mark in (place / "environ").read_bytes().split(b"\0"):
                    found.append(int(place.name))
            except OSError:
                continue
        return found

    def trial(self) -> Trial:
        self.env_into_this_process()
        import dagster as dg

        for name in ("code", "daemon", "web"):
            self.start(name)
        with dg.DagsterInstance.get() as instance:
            wrong = self.attack(instance, dg)
            self.drain(instance, wrong)
            figures = self.judge(instance, dg, wrong)
        return Trial(len(VICTIMS), tuple(wrong), figures)

    def env_into_this_process(self) -> None:
        os.environ.update({name: self.env[name] for name in ("DAGSTER_HOME", "KIZUNA_HOME", "KIZUNA_PSEUDONYM_KEY")})

    def attack(self, instance: Any, dg: Any) -> list[str]:
        """Kill whatever the dice say, each once there is a run to disturb (or half the queue is done)."""
        wrong: list[str] = []
        victims = list(VICTIMS)
        self.dice.shuffle(victims)
        for victim in victims:
            wanted = "worker" in victim
            ready = self.wait(lambda: self.started(instance, dg) and self.workers(), 60) if wanted else True
            time.sleep(self.dice.uniform(0, 0.8))
            workers = self.workers() if wanted else []
            if wanted and (not ready or not workers):
                wrong.append(f"no worker lived that could be killed ({self.ended(instance)} of {RUNS} runs had ended)")
            for run_id in self.started(instance, dg) if wanted else ():
                self.killed_runs.setdefault(run_id, time.monotonic())
            if "code" in victim:
                _kill(self.services["code"].pid)
            for pid in workers:
                _kill(pid)
            if victim in ("daemon", "web"):
                _kill(self.services[victim].pid)
            for name in ("code", "daemon", "web"):
                if self.services[name].poll() is not None or name in victim:
                    self.services[name].wait()
                    self.start(name)
        return wrong

    def started(self, instance: Any, dg: Any) -> list[str]:
        wanted = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        return [run.run_id for run in instance.get_runs(wanted)]

    def ended(self, instance: Any) -> int:
        return sum(run.is_finished for run in instance.get_runs())

    def wait(self, done: Callable[[], object], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if done():
                return True
            time.sleep(0.2)
        return False

    def drain(self, instance: Any, wrong: list[str]) -> None:
        """Wait for the queue; note how long each run whose worker was killed stood there."""
        self.longest = 0.0
        open_runs = dict(self.killed_runs)

        def step() -> bool:
            for run_id, since in list(open_runs.items()):
                if instance.get_run_by_id(run_id).is_finished:
                    self.longest = max(self.longest, time.monotonic() - since)
                    del open_runs[run_id]
            return self.ended(instance) >= RUNS and not open_runs

        if not self.wait(step, 2 * ALLOWED / SCALE + 60):
            runs = [(run.run_id[:8], run.status.value) for run in instance.get_runs()]
            wrong.append(f"the queue did not drain: {runs}")

    def judge(self, instance: Any, dg: Any, wrong: list[str]) -> str:
        from kizuna.control.lease import living_holder
        from orchestration.session import BUILD_POOL

        runs = list(instance.get_runs())
        keys = sorted(run.tags.get("dagster/run_key", "") for run in runs)
        if keys != sorted(f"light-{n}" for n in range(RUNS)):
            wrong.append(f"runs lost or doubled: {keys}")
        holder = living_holder(self.store, "build")
        if holder is not None:
            wrong.append(f"the lease is held by {holder}")
        if instance.event_log_storage.supports_global_concurrency_limits:
            slots = instance.event_log_storage.get_concurrency_info(BUILD_POOL)
            if slots.active_slot_count or slots.pending_step_count:
                wrong.append(f"slots leaked: {slots}")
        bound = self.monitoring["start_timeout_seconds"] + self.monitoring["poll_interval_seconds"]
        if bound > ALLOWED:
            wrong.append(f"at the shipped settings a run may hang for {bound} s")
        events = {run.run_id: len(instance.all_logs(run.run_id)) for run in runs}
        if max(events.values(), default=0) > EVENTS_PER_RUN:
            wrong.append(f"events of a run: {events}")
        if not self.wait(self.web_answers, 60):
            wrong.append("the webserver does not answer after its restart")
        good = sum(run.status == dg.DagsterRunStatus.SUCCESS for run in runs)
        return (
            f"{len(runs)} runs, {good} succeeded, {len(runs) - good} ended as failed; a killed one stood for "
            f"{self.longest:.0f} s at most (waits divided by {SCALE}; {bound} s at the shipped ones), "
            f"{max(events.values(), default=0)} events at most"
        )

    def web_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/server_info", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
