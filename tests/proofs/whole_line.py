"""A small company and `kizuna run` over it: killed, looked at, run plainly again (rows/r1l.py, test_team.py).

What nobody disturbed is built once for all proofs of a run of pytest, whichever process asks first.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import create_engine, text
from torture import ROOT, beside, of_tests

from ingestion.demo import deliver_day2, generate, write_company
from kizuna.failpoints import POINTS
from kizuna.files import sha256_of

SEED = 7
DAY1, DAY2 = "2026-06-29", "2026-06-30"
#: A small company has few people to be hit; three at risk at once are its spike.
SETTINGS = "kpi: {churn_min_customers: 50}\nalerts: {min_count: 3}\n"
#: From this point on readers see the new version.
SHOWN_FROM = POINTS.index("publish.link_replaced")
#: Names the folder that the processes of one run of pytest share (conftest.py).
SHARED = "PROOFS_SHARED_FOLDER"

Step = str | float
preloaded_line = beside("preloaded_line")


def clean_environment() -> dict[str, str]:
    """Environment of a child process that runs this tree and knows nothing of whoever runs the proofs."""
    clean = {k: v for k, v in os.environ.items() if not k.upper().startswith(("KIZUNA_", "DAGSTER_", "PYTEST_"))}
    clean = {k: v for k, v in clean.items() if not k.upper().endswith("_PROXY")}
    return clean | {"PYTHONPATH": str(ROOT)}


@dataclass
class Company:
    """A home, the command line over it, and the Slack that hears it."""

    home: Path
    slack: Any
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)
    #: Runs are forked from a process that has done the imports, and not an interpreter of their own each.
    is_forked: bool = False

    @property
    def told(self) -> dict[str, str]:
        """The environment of its processes."""
        return self.environment | {
            "KIZUNA_SLACK_TOKEN": "xoxb-stand-in",
            "KIZUNA_SLACK_BASE_URL": self.slack.base_url,
            "KIZUNA_PUBLIC_URL": "https://cx.example.com",
        }

    def run(self, day: str, step: Step | None = None) -> int:
        """`kizuna run`, killed at a point, or after so many seconds; the exit code."""
        env = self.told | ({"KIZUNA_KILL_AT": step} if isinstance(step, str) else {})
        if self.is_forked:
            arguments = ["run", "--home", str(self.home), "--as-of", day]
            seconds = step if isinstance(step, float) else 1200.0
            code, said = _server().run(arguments, env, self.home, seconds)
            self.said.append(said[-2000:])
            return int(code)
        log = self.home.parent / f"{self.home.name}.log"
        command = [str(Path(sys.executable).with_name("kizuna")), "run", "--home", str(self.home), "--as-of", day]
        with log.open("w") as output:
            process = subprocess.Popen(command, env=env, cwd=self.home, stdout=output, stderr=subprocess.STDOUT)
            try:
                code = process.wait(timeout=step if isinstance(step, float) else 1200)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        self.said.append(log.read_text(encoding="utf-8")[-2000:])
        return code

    def shown(self) -> tuple[str, dict[str, str]]:
        """Day and table hashes of the version that a new reader sees. Raises if it is not whole in itself."""
        folder = (self.home / "published" / "current").resolve(strict=True)
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        found = {path.stem: sha256_of(path) for path in (folder / "marts").iterdir()}
        assert found == {table: entry["sha256"] for table, entry in manifest["tables"].items()}
        with closing(duckdb.connect(str(folder / "cx.duckdb"), read_only=True)) as db:
            for table in found:
                rows = "SELECT count(*), CAST(sum(hash(t)) AS VARCHAR) FROM"
                parquet = f"read_parquet('{folder / 'marts' / table}.parquet')"
                stored = db.execute(f"{rows} marts.{table} t").fetchall()
                assert stored == db.execute(f"{rows} {parquet} t").fetchall(), table
        return manifest["as_of"], found

    def books(self) -> dict[str, Any]:
        """What the control store says that must not depend on how often a run was killed."""
        url = self.environment.get("KIZUNA_CONTROL_URL", f"sqlite:///{self.home / 'control.db'}")
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:

            def rows(query: str) -> list[tuple[Any, ...]]:
                # SQLite gives days as text, PostgreSQL as days.
                return [
                    tuple(str(value) if isinstance(value, date) else value for value in row)
                    for row in connection.execute(text(query))
                ]

            books = {
                "files": rows(
                    "SELECT path, status, rows_in, accepted, quarantined, duplicates FROM files ORDER BY path"
                ),
                "batches": rows("SELECT path, accepted, active FROM batches ORDER BY path"),
                "messages": rows("SELECT key, channel, state FROM outbox ORDER BY key"),
                "incidents": rows("SELECT incident_id, state, opened_on FROM incidents ORDER BY incident_id"),
                "shown": rows("SELECT as_of FROM publications WHERE state = 'published' ORDER BY version"),
                "open ends": rows(
                    "SELECT 'build', status FROM builds WHERE status NOT IN ('published', 'failed') "
                    "UNION ALL SELECT 'version', state FROM publications "
                    "WHERE state NOT IN ('published', 'abandoned')"
                ),
            }
        engine.dispose()
        return books

    def leftovers(self) -> list[str]:
        """Anything half-made that a finished run should not leave."""
        places = [self.home / name for name in ("raw", "quarantine", "published", "previews", "messages", "landing")]
        half = (".tmp", ".gone", ".link", ".part", ".wal")
        return [
            str(path.relative_to(self.home))
            for place in places
            for path in place.rglob("*")
            if any(mark in path.name for mark in half)
        ]


@dataclass(frozen=True)
class Undisturbed:
    """Day 1 to start from, and what day 2 gives when nobody disturbs it. `untouched`: day 1 before any run."""

    untouched: Path
    home: Path
    day1: dict[str, str]
    day2: dict[str, str]
    books: dict[str, Any]
    heard: list[str]
    seconds: float


def open_company(home: Path, *, is_forked: bool = False) -> Company:
    """A company over this home, with a Slack of its own."""
    slack = of_tests("integration/delivery/slack_server.py").SlackServer()
    return Company(home, slack, clean_environment(), is_forked=is_forked)


@cache
def _server() -> Any:
    server = preloaded_line.PreloadedLine(clean_environment())
    atexit.register(server.close)
    return server


def undisturbed() -> Undisturbed:
    """The company and its two days, built by whoever asks first."""
    folder = shared_folder()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = folder / "undisturbed.pickle"
        if not kept.is_file():
            shutil.rmtree(folder / "company", ignore_errors=True)
            kept.write_bytes(pickle.dumps(_build(folder / "company")))
        found: Undisturbed = pickle.loads(kept.read_bytes())  # noqa: S301 - written three lines above
        return found


@cache
def shared_folder() -> Path:
    """Where the undisturbed company lies, for this process and those it starts."""
    if SHARED in os.environ:
        folder = Path(os.environ[SHARED])
        folder.mkdir(exist_ok=True)
        return folder
    folder = Path(tempfile.mkdtemp(prefix="kizuna-whole-line-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _build(folder: Path) -> Undisturbed:
    folder.mkdir()
    home = folder / "start"
    generate(home, people=150, seed=SEED, days=240, end=date.fromisoformat(DAY2))
    with (write_company(home, seed=SEED)).open("a", encoding="utf-8") as handle:
        handle.write(SETTINGS)
    untouched = folder / "untouched"
    shutil.copytree(home, untouched)
    company = open_company(home)
    assert company.run(DAY1) == 0, company.said
    _, day1 = company.shown()
    assert company.slack.messages == []
    deliver_day2(home)

    # As the attacked ones are: a random time is a part of what this takes.
    clean = open_company(folder / "clean", is_forked=True)
    shutil.copytree(home, clean.home, symlinks=True)
    started = time.monotonic()
    assert clean.run(DAY2) == 0, clean.said
    seconds = time.monotonic() - started
    day, day2 = clean.shown()
    heard = clean.slack.keys("#cx-alerts")
    alerts = [key for key in heard if key.startswith("churn:")]
    assert (day, len(alerts)) == (DAY2, 1), "without a message this proof would not see one lost"
    assert day2 != day1
    assert clean.books()["open ends"] == []
    assert clean.leftovers() == []
    return Undisturbed(untouched, home, day1, day2, clean.books(), heard, seconds)


def attack(company: Company, start: Undisturbed, steps: tuple[Step, ...]) -> tuple[int, list[str]]:
    """Kill at each step, look after each kill, run plainly, look again. How many kills, and what was wrong."""
    shutil.copytree(start.home, company.home, symlinks=True)
    kills, wrong = 0, []
    for step in steps:
        code = company.run(DAY2, step)
        kills += code == -signal.SIGKILL
        # A random time may be later than the end of the run.
        if code != -signal.SIGKILL and not (code == 0 and isinstance(step, float)):
            wrong.append(f"was not killed at {step}: exit {code}")
        try:
            day, tables = company.shown()
        except (AssertionError, OSError, duckdb.Error) as error:
            wrong.append(f"torn after {step}: {error!r}")
            continue
        if tables != {DAY1: start.day1, DAY2: start.day2}[day]:
            wrong.append(f"mixed after {step}: neither the old version nor the new one")
        moved = day == DAY2
        if isinstance(step, str) and moved != (POINTS.index(step) >= SHOWN_FROM):
            wrong.append(f"readers see {day} after {step}")
    code = company.run(DAY2)
    if code != 0:
        return kills, [*wrong, f"the plain run ended with {code}: {company.said[-1]}"]
    day, tables = company.shown()
    if (day, tables) != (DAY2, start.day2):
        wrong.append(f"other files than a clean run: {[t for t in tables if tables[t] != start.day2.get(t)]}")
    books = company.books()
    wrong += [f"{name}: {books[name]}, clean {start.books[name]}" for name in books if books[name] != start.books[name]]
    if company.slack.keys("#cx-alerts") != start.heard:
        wrong.append(f"Slack heard {company.slack.keys('#cx-alerts')}, clean {start.heard}")
    if company.leftovers():
        wrong.append(f"left over: {company.leftovers()}")
    shutil.rmtree(company.home)
    return kills, wrong
