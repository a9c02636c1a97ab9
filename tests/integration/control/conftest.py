"""A real PostgreSQL for the tests of this folder: one cluster, a database for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kizuna.control.store import Store, open_store_at

BIN = next((folder for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@contextmanager
def cluster() -> Iterator[str]:
    """URL of a server of its own, on a Unix socket only; skips the test where there is no PostgreSQL."""
    if BIN is None or not (BIN / "initdb").exists():
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="kizuna-pg-", dir="/tmp"))  # socket paths end at 107 bytes
    # PostgreSQL refuses to run as root.
    user: list[str] = []
    if os.geteuid() == 0:
        user = ["runuser", "-u", "nobody", "--"]
        shutil.chown(folder, "nobody")
    data, sockets = folder / "data", folder / "s"

    def run(*command: str | Path) -> None:
        done = subprocess.run([*user, *map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    run("mkdir", sockets)
    run(BIN / "initdb", "-D", data, "-U", "kizuna", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={sockets} -c fsync=off"
    run(BIN / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://kizuna@/postgres?host={sockets}"
    finally:
        run(BIN / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The server of this folder's tests."""
    with cluster() as url:
        yield url


@pytest.fixture
def database(server: str) -> Iterator[Callable[[str], str]]:
    """Makes an empty database and gives its URL; all of them go away after the test."""
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return make_database(server, name)

    yield make
    _as_admin(server, [f"DROP DATABASE {name} WITH (FORCE)" for name in made])


def make_database(server: str, name: str) -> str:
    """An empty database of a server; its URL."""
    _as_admin(server, [f"CREATE DATABASE {name}"])
    return server.replace("/postgres?", f"/{name}?")


def _as_admin(server: str, statements: list[str]) -> None:
    admin = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    admin.dispose()


@pytest.fixture
def store(database: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database of the test's own, opened as the platform opens it."""
    opened = open_store_at(database(f"t{abs(hash(request.node.name))}"))
    yield opened
    opened.close()
