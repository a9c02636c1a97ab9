"""The command line run as a person runs it: a process of its own, watched for connections; one demo company for all.

Where the system allows it, each run lives in a network namespace without any interface, not even loopback: the kernel
counts there what libraries in other languages than Python try to reach.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pytest
from preloaded_line import PreloadedLine
from sqlalchemy import create_engine, text

ROOT = Path(__file__).resolve().parents[2]
RECORDER = Path(__file__).parent / "recorder"
PEOPLE, SEED = 2000, 7

#: A network namespace of its own, without any interface.
NO_NETWORK = ("unshare", "-rn")

#: Runs "$@" and then writes the kernel's count of packets that found no way out of the namespace.
_COUNTED = '"$@"; code=$?; grep "^Ip:" /proc/net/snmp > "$UNROUTED"; exit $code'


@dataclass(frozen=True)
class Said:
    """One run of a command: its exit code and what it said."""

    code: int
    output: str


@dataclass(frozen=True)
class Ran(Said):
    """The same, and whom it contacted."""

    watched: tuple[str, ...]
    contacts: tuple[dict[str, Any], ...]
    #: Packets that the kernel could not send anywhere; None where no network namespace can be made.
    unrouted: int | None

    @property
    def outside(self) -> list[dict[str, Any]]:
        """Contacts that are not Unix sockets of this machine."""
        return [contact for contact in self.contacts if contact["family"] != "AF_UNIX"]


@cache
def can_isolate() -> bool:
    """Whether a process may get a network namespace of its own here."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode == 0


def clean_environment() -> dict[str, str]:
    """What a command may know of whoever runs the tests."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("KIZUNA_", "DAGSTER_", "PYTEST_"))}


_S = TypeVar("_S", bound=Said)


def run_watched(command: list[str], log: Path, env: dict[str, str], timeout: float) -> Ran:
    """Run `command` with every socket recorded below `log`."""
    log.mkdir(parents=True)
    sockets, unrouted = log / "sockets.jsonl", log / "unrouted"
    clean = clean_environment()
    clean |= {"PYTHONPATH": f"{RECORDER}{os.pathsep}{ROOT}", "SOCKET_LOG": str(sockets), "UNROUTED": str(unrouted)}
    isolated = [*NO_NETWORK, "sh", "-c", _COUNTED, "sh", *command] if can_isolate() else command
    done = subprocess.run(
        isolated,
        env=clean | env,
        cwd=log,
        timeout=timeout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    lines = [json.loads(line) for line in sockets.read_text().splitlines()] if sockets.exists() else []
    count = None
    if can_isolate():
        names, values = (line.split() for line in unrouted.read_text().splitlines())
        count = int(dict(zip(names, values, strict=True))["OutNoRoutes"])
    return Ran(
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        tuple(line["target"] for line in lines if line["event"] == "watched"),
        tuple(line for line in lines if line["event"] != "watched"),
        count,
    )


@dataclass
class Cli:
    """`kizuna …` or another installed program, in a process of its own. Raises with its output on another code."""

    folder: Path
    runs: list[Said] = field(default_factory=list)

    def __call__(
        self, *args: str | Path, program: str = "kizuna", code: int = 0, env: dict[str, str] | None = None
    ) -> Ran:
        command = [str(Path(sys.executable).with_name(program)), *map(str, args)]
        ran = run_watched(command, self.folder / f"run-{len(self.runs)}", env or {}, timeout=900)
        return self._as_meant(ran, command, code)

    def forked(self, *args: str | Path, code: int = 0, env: dict[str, str] | None = None) -> Said:
        """`kizuna …` too, but forked from a process that has done the imports: for tests of what a run does with its
        files, not of how it starts. Without a network like the others; whom it contacts is not recorded."""
        folder = self.folder / f"run-{len(self.runs)}"
        folder.mkdir()
        arguments = [*map(str, args)]
        said = Said(*self._preloaded.run(arguments, env or {}, folder, seconds=900.0))
        return self._as_meant(said, ["kizuna", *arguments], code)

    @cached_property
    def _preloaded(self) -> PreloadedLine:
        return PreloadedLine(clean_environment() | {"PYTHONPATH": str(ROOT)}, NO_NETWORK if can_isolate() else ())

    def close(self) -> None:
        if "_preloaded" in self.__dict__:
            self._preloaded.close()

    def _as_meant(self, said: _S, command: list[str], code: int) -> _S:
        self.runs.append(said)
        if said.code != code:
            raise AssertionError(f"{' '.join(command)} ended with {said.code}, not {code}:\n{said.output}")
        return said


@dataclass(frozen=True)
class Home:
    """A company on disk, read as its owner can read it."""

    path: Path

    def manifest(self, version: int | None = None) -> dict[str, Any]:
        name = "current" if version is None else f"v-{version}"
        return dict(json.loads((self.path / "published" / name / "manifest.json").read_text(encoding="utf-8")))

    def published(self, query: str, version: int | None = None) -> list[tuple[Any, ...]]:
        """Rows from the published database, as a BI tool gets them."""
        name = "current" if version is None else f"v-{version}"
        file = (self.path / "published" / name).resolve() / "cx.duckdb"
        with closing(duckdb.connect(str(file), read_only=True)) as db:
            return db.execute(query).fetchall()

    def build(self, query: str, version: int | None = None) -> list[tuple[Any, ...]]:
        """Rows from the build that a version was made from (restricted: holds personal data)."""
        manifest = self.manifest(version)
        file = self.path / "builds" / manifest["build_id"] / f"a{manifest['attempt']}" / "build.duckdb"
        with closing(duckdb.connect(str(file), read_only=True)) as db:
            return db.execute(query).fetchall()

    def control(self, query: str) -> list[tuple[Any, ...]]:
        """Rows from the control store."""
        engine = create_engine(f"sqlite:///{self.path / 'control.db'}")
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(text(query))]
        engine.dispose()
        return rows

    def versions(self) -> list[int]:
        return sorted(int(path.name[2:]) for path in (self.path / "published").glob("v-*"))


@dataclass(frozen=True)
class Demo(Home):
    """The demo company after both days, and what was planted in it."""

    ran: Ran

    def truth(self, name: str) -> list[dict[str, str]]:
        with (self.path / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))

    def truth_json(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.path / "truth" / f"{name}.json").read_text(encoding="utf-8")))

    @cached_property
    def key(self) -> str:
        return (self.path / "demo.key").read_text().strip()


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    cli = Cli(tmp_path_factory.mktemp("runs"))
    yield cli
    cli.close()


@pytest.fixture(scope="session")
def open_home() -> type[Home]:
    """How tests read a company that is not the demo."""
    return Home


@pytest.fixture(scope="session")
def demo(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """`kizuna demo`: both days of the company of 2,000 people. Tests read it and leave it as it is."""
    home = tmp_path_factory.mktemp("demo") / "home"
    return Demo(home, cli("demo", "--home", home, "--people", str(PEOPLE), "--seed", str(SEED)))


@pytest.fixture(scope="module")
def demo_copy(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A copy of the demo company to go on with."""
    home = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(demo.path, home, symlinks=True)
    yield Demo(home, demo.ran)
    shutil.rmtree(home)


@pytest.fixture
def watch(tmp_path: Path) -> Callable[..., Ran]:
    """Run any command under the recorder."""
    return lambda command: run_watched(command, tmp_path / "watched", {}, timeout=60)
