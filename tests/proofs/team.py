"""The parts of a team's installation as processes, by the very commands of the units in deploy/."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = "/opt/kizuna/.venv/bin/kizuna"
PARTS = ("code", "daemon", "web", "viewer")
PATIENCE = 300.0
_JOB = {"repositoryLocationName": "kizuna", "repositoryName": "__repository__"}


def unit(name: str) -> list[str]:
    """The command of a systemd unit, with its %% and with this tree's `kizuna`."""
    text = (ROOT / "deploy" / "systemd" / f"kizuna-{name}.service").read_text(encoding="utf-8")
    (found,) = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
    return [_here(word) for word in shlex.split(found.replace("%%", "%"))]


def _here(word: str) -> str:
    return word.replace(INSTALLED, str(Path(sys.executable).with_name("kizuna")))


class Parts:
    """Code server, daemon, webserver and viewers' server over one company; on ports of their own, else as named."""

    def __init__(self, logs: Path, environment: dict[str, str], commands: dict[str, list[str]]) -> None:
        self.logs, self.environment, self.commands = logs, environment, commands
        self.ports = {part: free_port() for part in PARTS if part != "daemon"}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir()

    def start(self, *parts: str) -> None:
        for part in parts:
            port = ["--port", str(self.ports[part])] if part in self.ports else []
            command = [*self.commands[part], *port, "--code", f"127.0.0.1:{self.ports['code']}"]
            with (self.logs / f"{part}.log").open("wb") as log:
                self.processes[part] = subprocess.Popen(
                    command, env=self.environment, cwd=self.logs, stdout=log, stderr=log
                )

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, query: str, variables: dict[str, Any], part: str = "web") -> dict[str, Any]:
        """What a webserver answers to a GraphQL query. Raises with the errors where there are any."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        url = f"http://127.0.0.1:{self.ports[part]}/graphql"
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.loads(answer.read())
        assert not found.get("errors"), found["errors"]
        return dict(found["data"])

    def wait_for_the_job(self, part: str) -> None:
        """Until the job is seen through a webserver, by way of the code server."""
        query = "query($job: PipelineSelector!) { pipelineOrError(params: $job) { __typename } }"
        end, said = time.monotonic() + PATIENCE, "nothing"
        while time.monotonic() < end:
            self._all_live()
            try:
                said = str(self.ask(query, {"job": _JOB | {"pipelineName": "daily"}}, part))
            except OSError as error:
                said = str(error)
            if "'Pipeline'" in said:
                return
            time.sleep(0.5)
        raise AssertionError(f"{part} does not show the job: {said}")

    def stop_what_starts_runs(self) -> None:
        """Sensors and the schedule off, so that the clock of this machine starts nothing."""
        for kind, field, mutation in (
            ("sensorsOrError", "Sensors", "mutation($id: String!) { stopSensor(id: $id) { __typename } }"),
            ("schedulesOrError", "Schedules", "mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }"),
        ):
            query = f"query($in: RepositorySelector!) {{ {kind}(repositorySelector: $in) {{ ... on {field} "
            query += "{ results { id name } } } }"
            for found in self.ask(query, {"in": _JOB})[kind]["results"]:
                assert "Error" not in str(self.ask(mutation, {"id": found["id"]})), found["name"]

    def launch(self, as_of: str) -> str:
        """Ask for the job as the Launchpad does; the run's id."""
        query = (
            "mutation($params: ExecutionParams!) { launchRun(executionParams: $params)"
            " { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"
        )
        config = {"ops": {"ingest": {"config": {"as_of": as_of}}}}
        params = {"selector": _JOB | {"pipelineName": "daily"}, "runConfigData": config, "mode": "default"}
        launched = self.ask(query, {"params": params})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def wait_for(self, run: str, seconds: float) -> str:
        """The status in which a run ended."""
        end = time.monotonic() + seconds
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        while time.monotonic() < end:
            self._all_live()
            status = str(self.ask(query, {"id": run})["runOrError"]["status"])
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            time.sleep(1)
        raise AssertionError(f"run {run} did not end in {seconds} s")

    def _all_live(self) -> None:
        for part, process in self.processes.items():
            code = process.poll()
            assert code is None, f"{part} ended with {code}: {(self.logs / f'{part}.log').read_text()[-2000:]}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
