"""R1: killed at every named point of the line and at random times, then plainly run again.

A real `kizuna run` sends itself SIGKILL at the point, or gets it from outside. Whoever reads then sees the whole old
version, or the whole new one once the link has moved. The plain run afterwards gives the files of a run that nobody
disturbed, and the channel gets its message once. A home is killed twice before it is run again, so that a crash also
meets what another crash left.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import create_engine, text
from torture import of_tests

from ingestion.demo import deliver_day2, generate, write_company
from kizuna.failpoints import POINTS
from kizuna.files import sha256_of

pytestmark = pytest.mark.proof

SEED = 7
WORKERS = 2
RANDOM_KILLS = 2
#: Every point but most of those that row R1 reaches a hundred times by the write path alone.
WHOLE_LINE = [
    point
    for point in POINTS
    if not point.startswith(("ingest.", "publish."))
    or point in ("ingest.ledger_recorded", "publish.renamed", "publish.link_replaced")
]
DAY1, DAY2 = "2026-06-29", "2026-06-30"
#: A small company has few people to be hit; three at risk at once are its spike.
SETTINGS = "kpi: {churn_min_customers: 50}\nalerts: {min_count: 3}\n"
#: From this point on readers see the new version.
SHOWN_FROM = POINTS.index("publish.link_replaced")


Step = str | float


@dataclass
class Company:
    """A home, the command line over it, and the Slack that hears it."""

    home: Path
    slack: Any
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)

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


@pytest.fixture(scope="module")
def open_company(environment: dict[str, str]) -> Callable[[Path], Company]:
    server = of_tests("integration/delivery/slack_server.py")
    return lambda home: Company(home, server.SlackServer(), environment)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, open_company: Callable[[Path], Company]) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
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

    clean = open_company(folder / "clean")
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


def attack(company: Company, start: Undisturbed, steps: tuple[Step, ...]) -> list[str]:
    """Kill at each step, look after each kill, run plainly, look again. Says what was wrong."""
    shutil.copytree(start.home, company.home, symlinks=True)
    wrong = []
    moved = False
    for step in steps:
        code = company.run(DAY2, step)
        if code != -signal.SIGKILL:
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
        return [*wrong, f"the plain run ended with {code}: {company.said[-1]}"]
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
    return wrong


def plan(seconds: float) -> list[tuple[Step, ...]]:
    """Each point once: an early one and a late one per home; then random times alone."""
    dice = random.Random(SEED)
    half = len(WHOLE_LINE) // 2
    early: list[Step] = list(WHOLE_LINE[:half])
    late: list[Step] = list(WHOLE_LINE[half:])
    dice.shuffle(late)
    pairs: list[tuple[Step, ...]] = list(zip(early, late, strict=False))
    pairs += [(point,) for point in late[half:]]
    return pairs + [(dice.uniform(0.1, 0.98) * seconds,) for _ in range(RANDOM_KILLS)]


def test_a_killed_run_is_repaired_by_a_plain_run(
    tmp_path: Path,
    undisturbed: Undisturbed,
    open_company: Callable[[Path], Company],
    figures: Callable[[str], None],
) -> None:
    attacks = plan(undisturbed.seconds)
    kills = [step for steps in attacks for step in steps]
    assert {step for step in kills if isinstance(step, str)} == set(WHOLE_LINE)
    started = time.monotonic()
    companies = [open_company(tmp_path / f"trial-{number}") for number in range(len(attacks))]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda pair: attack(pair[0], undisturbed, pair[1]), zip(companies, attacks, strict=True)))
    wrong = [f"{steps}: {problem}" for steps, problems in zip(attacks, found, strict=True) for problem in problems]
    figures(
        f"R1 kill: N={len(kills)} kills of a whole run ({len(WHOLE_LINE)} points, {RANDOM_KILLS} random times) in "
        f"{len(attacks)} homes, seed={SEED}, failures={len(wrong)}, {time.monotonic() - started:.0f} s"
    )
    assert wrong == []


def test_a_team_s_build_on_postgresql_is_the_same_and_heals_too(
    tmp_path: Path,
    undisturbed: Undisturbed,
    open_company: Callable[[Path], Company],
    figures: Callable[[str], None],
) -> None:
    """Day 1 by the parts that deploy/ starts, day 2 from the shell, killed and run again: all of it on PostgreSQL."""
    postgres, team = of_tests("integration/control/conftest.py"), of_tests("proofs/team.py")
    started = time.monotonic()
    with postgres.cluster() as server:
        company = open_company(tmp_path / "home")
        for database in ("control", "dagster"):
            company.environment = company.environment | {
                f"KIZUNA_{database.upper()}_URL": postgres.make_database(server, database)
            }
        shutil.copytree(undisturbed.untouched, company.home)
        environment = company.told | {"KIZUNA_HOME": str(company.home), "HOME": str(tmp_path)}
        parts = team.Parts(tmp_path / "units", environment, {part: team.unit(part) for part in team.PARTS})
        try:
            parts.start("code", "web", "viewer")
            for part in ("web", "viewer"):
                parts.wait_for_the_job(part)
            parts.stop_what_starts_runs()
            parts.start("daemon")
            assert parts.wait_for(parts.launch(DAY1), seconds=1200) == "SUCCESS"
        finally:
            parts.stop()
        assert company.shown() == (DAY1, undisturbed.day1)

        deliver_day2(company.home)
        assert company.run(DAY2, "publish.renamed") == -signal.SIGKILL, company.said
        assert company.shown() == (DAY1, undisturbed.day1)
        assert company.run(DAY2) == 0, company.said
        assert company.shown() == (DAY2, undisturbed.day2)
        assert company.books() == undisturbed.books
        assert company.slack.keys("#cx-alerts") == undisturbed.heard
        assert company.leftovers() == []
    figures(
        f"R1 team: day 1 by units of deploy/, day 2 killed and run again, on PostgreSQL: {len(undisturbed.day2)} "
        f"tables equal those of SQLite; {time.monotonic() - started:.0f} s"
    )
