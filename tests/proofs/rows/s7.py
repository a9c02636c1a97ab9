"""S7: every mutation of Dagster's GraphQL schema against the viewer's server, by every way in; the default address.

Code server, viewer and the ordinary webserver run as processes, started as an operator starts them and told no address:
all must listen on loopback only. The mutations are those of the schema that the locked Dagster really has, each with
arguments made from their types, sent as JSON, as plain GraphQL, in the address, inside a longer document, and over the
socket. Refused means: an error, no data, and not one row or file of Dagster's storage changed. So that "refused" is not
"broken", the same server must answer questions, and the ordinary webserver must take a harmless mutation.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from torture import ROOT, Trial

PROOF_TRIALS = 1
PATIENCE = 90.0
REPORTS = ("report_asset_materialization/x", "report_asset_check/x", "report_asset_observation/x")


def run_trial(seed: int, folder: Path) -> Trial:
    """The same for every seed: there is nothing to draw."""
    home = folder / "home"
    home.mkdir()
    (home / "kizuna.yaml").write_text("name: S7\n", encoding="utf-8")
    ports = {part: _free_port() for part in ("code", "viewer", "web")}
    clean = {k: v for k, v in os.environ.items() if not k.upper().startswith(("KIZUNA_", "DAGSTER_", "PYTEST_"))}
    clean = {k: v for k, v in clean.items() if not k.upper().endswith("_PROXY")}
    env = clean | {"KIZUNA_HOME": str(home), "KIZUNA_PSEUDONYM_KEY": "k" * 64, "PYTHONPATH": str(ROOT)}
    processes = {}
    for part, port in ports.items():
        command = [
            sys.executable,
            "-m",
            "kizuna.cli",
            "serve",
            part,
            "--port",
            str(port),
            "--code",
            f"127.0.0.1:{ports['code']}",
        ]
        with (folder / f"{part}.log").open("w") as log:
            processes[part] = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
    failures: list[str] = []
    try:
        mutations = _mutations()
        for part in ("viewer", "web"):
            _wait_for(ports[part], processes[part], folder / f"{part}.log")
        viewer = f"http://127.0.0.1:{ports['viewer']}"
        if "version" not in str(_ask(viewer, "{ version instance { info } }").get("data")):
            failures.append("the viewer answers no questions")
        if not _sees_the_job(viewer):
            failures.append(f"the viewer does not show the job: {(folder / 'code.log').read_text()[-500:]}")
        for part, port in ports.items():
            if _addresses(port) != {"127.0.0.1"}:
                failures.append(f"{part} listens on {sorted(_addresses(port))}")
        before = _storage(home)
        cases = 0
        for name, document in mutations:
            for way, answer in _every_way(ports["viewer"], document):
                cases += 1
                if answer is None or answer.get("data") or not answer.get("errors"):
                    failures.append(f"{name} as {way}: {json.dumps(answer)[:200]}")
        for path in REPORTS:
            cases += 1
            status = _status(f"{viewer}/{path}", b"{}")
            if status < 400:
                failures.append(f"POST /{path} answered {status}")
        if _storage(home) != before:
            failures.append("Dagster's storage changed")
        ordinary = _ask(f"http://127.0.0.1:{ports['web']}", "mutation { setNuxSeen }")
        if ordinary.get("data") != {"setNuxSeen": True}:
            failures.append(f"the ordinary webserver refuses, too: {ordinary}")
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return Trial(cases, tuple(failures), f"{len(mutations)} mutations in 5 ways, {len(REPORTS)} routes that report")


def _sees_the_job(viewer: str) -> bool:
    """Whether the code server, once it has loaded the project, is seen through the viewer without a reload."""
    selector = '{repositoryLocationName: "kizuna", repositoryName: "__repository__", pipelineName: "daily"}'
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = _ask(viewer, f"{{ pipelineOrError(params: {selector}) {{ __typename ... on Pipeline {{ name }} }} }}")
        if "daily" in str(answer.get("data")):
            return True
        time.sleep(0.5)
    return False


def _mutations() -> list[tuple[str, str]]:
    """Every mutation of the schema as a whole document."""
    from dagster_graphql.schema import create_schema
    from graphql import get_named_type, is_composite_type

    schema = create_schema().graphql_schema
    assert schema.mutation_type is not None
    found = []
    for name, field in schema.mutation_type.fields.items():
        given = ", ".join(f"{key}: {_value(argument.type)}" for key, argument in field.args.items())
        chosen = " { __typename }" if is_composite_type(get_named_type(field.type)) else ""
        found.append((name, f"mutation {{ {name}{f'({given})' if given else ''}{chosen} }}"))
    return found


def _value(kind: Any, depth: int = 0) -> str:
    """A literal that fits a type: whatever is required, and of the rest what is not nested too deep."""
    from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull

    if isinstance(kind, GraphQLNonNull):
        return _value(kind.of_type, depth)
    if isinstance(kind, GraphQLList):
        return f"[{_value(kind.of_type, depth)}]"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        wanted = {k: f for k, f in kind.fields.items() if isinstance(f.type, GraphQLNonNull) or depth < 2}
        return "{" + ", ".join(f"{key}: {_value(field.type, depth + 1)}" for key, field in wanted.items()) + "}"
    return {"Int": "1", "Float": "1.0", "Boolean": "true", "RunConfigData": "{}", "GenericScalar": "{}"}.get(
        kind.name, '"x"'
    )


def _every_way(port: int, document: str) -> list[tuple[str, dict[str, Any] | None]]:
    url = f"http://127.0.0.1:{port}"
    hidden = f"query Look {{ version }} {document.replace('mutation', 'mutation Change', 1)}"
    asked = urllib.parse.urlencode({"query": document})
    return [
        ("JSON", _ask(url, document)),
        ("plain GraphQL", _send(f"{url}/graphql", document.encode(), "application/graphql")),
        ("address", _send(f"{url}/graphql?{asked}", None, "")),
        ("second operation", _ask(url, hidden, operationName="Change")),
        ("socket", _by_socket(port, document)),
    ]


def _ask(url: str, query: str, **more: str) -> dict[str, Any]:
    return _send(f"{url}/graphql", json.dumps({"query": query, **more}).encode(), "application/json") or {}


def _send(url: str, body: bytes | None, kind: str) -> dict[str, Any] | None:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind} if kind else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        content = error.read()
    try:
        return dict(json.loads(content))
    except ValueError:
        return None


def _status(url: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _by_socket(port: int, document: str) -> dict[str, Any] | None:
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=["graphql-ws"], proxy=None) as line:  # type: ignore[list-item]
        line.send(json.dumps({"type": "connection_init"}))
        line.recv(timeout=30)
        line.send(json.dumps({"type": "start", "id": "1", "payload": {"query": document}}))
        while (message := json.loads(line.recv(timeout=30))).get("type") not in ("error", "data", "complete"):
            pass
    payload = message.get("payload")
    return {"errors": payload} if message["type"] == "error" else payload


def _storage(home: Path) -> dict[str, Any]:
    """Every row of Dagster's databases and every other file of its folder."""
    found: dict[str, Any] = {}
    for path in sorted((home / "dagster").rglob("*")):
        if path.is_dir() or path.name.endswith(("-wal", "-shm")) or "logs" in path.parts:
            continue
        if path.suffix == ".db":
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                found[str(path)] = {table: db.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}
        else:
            found[str(path)] = path.read_bytes()
    return found


def _addresses(port: int) -> set[str]:
    """Where somebody listens on `port`, as the kernel says."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                words = [bytes.fromhex(address[n : n + 8])[::-1] for n in range(0, len(address), 8)]
                family = socket.AF_INET if name == "tcp" else socket.AF_INET6
                found.add(socket.inet_ntop(family, b"".join(words)).removeprefix("::ffff:"))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=2):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError(f"nothing serves {port}: {log.read_text()[-2000:]}")
