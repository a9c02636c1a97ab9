"""`kizuna serve`: code server, daemon, webserver and viewer as processes of their own, for systemd or containers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import yaml

from kizuna.errors import InputError
from kizuna.settings import Settings, load_settings

PORTS = {"code": 4000, "web": 3000, "viewer": 3001}
LOOPBACK = "127.0.0.1"


def serve_part(home: Path | None, part: str, *, host: str, port: int | None, code: str) -> None:
    """Replace this process by one part. Raises `InputError` for an unknown part or address."""
    from orchestration.launch import first_start, prepare_dagster_home
    from orchestration.session import quiet_environment

    if part not in (*PORTS, "daemon"):
        raise InputError(f"There is no part {part!r}; there are code, daemon, web and viewer.")
    settings = load_settings(home)
    quiet_environment()
    prepare_dagster_home(settings)
    first_start(settings)
    command = command_of(settings, part, host=host, port=port or PORTS.get(part, 0), code=code)
    os.chdir(Path(__file__).resolve().parents[2])
    os.execv(command[0], command)


def command_of(settings: Settings, part: str, *, host: str, port: int, code: str) -> list[str]:
    """The command line of a part. The code server's address is `host:port`; the location is always called kizuna."""
    from orchestration.launch import keep_file

    code_host, colon, code_port = code.rpartition(":")
    if not colon or not code_port.isdigit():
        raise InputError(f"--code {code!r} is not an address; write it as host:port, for example {LOOPBACK}:4000.")
    python = sys.executable
    beside = Path(python).parent
    if part == "code":
        module = ["--module-name", "orchestration.definitions", "--location-name", "kizuna"]
        return [str(beside / "dagster"), "api", "grpc", *module, "--host", host, "--port", str(port)]
    if part == "viewer":
        place = ["--code-host", code_host, "--code-port", code_port]
        return [python, "-m", "orchestration.viewer", "--host", host, "--port", str(port), *place]
    workspace = settings.dagster_home / "workspace.yaml"
    server = {"host": code_host, "port": int(code_port), "location_name": "kizuna"}
    keep_file(workspace, yaml.safe_dump({"load_from": [{"grpc_server": server}]}).encode())
    if part == "daemon":
        return [str(beside / "dagster-daemon"), "run", "-w", str(workspace)]
    return [str(beside / "dagster-webserver"), "-w", str(workspace), "-h", host, "-p", str(port)]
