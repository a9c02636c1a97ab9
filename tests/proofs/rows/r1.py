"""R1 on the write path: killed at every named write, rename and commit, and at random times, then plainly run again.

A trial is sixteen real processes that load a new file and publish, and die of SIGKILL: ten at the named points, six at
random times. They are forked from one that has done the imports (preloaded.py), so that a random time meets the run.
Whoever reads then sees the whole old version, or the whole new one once the link has moved. About half of the kills
meet what another kill left; in the end a plain run must leave what a run that nobody disturbed leaves.
"""

from __future__ import annotations

import math
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import text
from torture import Trial, beside

from kizuna.failpoints import POINTS

PROOF_TRIALS = 7
HOMES, RANDOM_KILLS = 2, 6
HERE = [point for point in POINTS if point.startswith(("ingest.", "publish."))]
#: From this point on readers see the new version.
SHOWN_FROM = POINTS.index("publish.link_replaced")
homes = beside("homes")
preloaded = beside("preloaded")

Rows = frozenset[tuple[str, str]]
Step = str | float


def run_trial(seed: int, folder: Path) -> Trial:
    """Sixteen kills in two homes."""
    dice = random.Random(seed)
    steps: list[Step] = [*HERE, *(dice.random() for _ in range(RANDOM_KILLS))]
    dice.shuffle(steps)
    with ExitStack() as stack:
        servers = [stack.enter_context(preloaded.Preloaded()) for _ in range(HOMES)]
        attacked = [
            _Home(folder / f"home-{n}", steps[n::HOMES], dice.randrange(2**32), server)
            for n, server in enumerate(servers)
        ]
        pool = stack.enter_context(ThreadPoolExecutor(HOMES))
        found = list(pool.map(_Home.attack, attacked))
    return Trial(sum(kills for kills, _ in found), tuple(wrong for _, all_wrong in found for wrong in all_wrong))


class _Home:
    """A company whose files hold orders that the trial remembers."""

    def __init__(self, folder: Path, steps: list[Step], seed: int, server: Any) -> None:
        self._home = homes.make_home(folder)
        self._home.contract("till", homes.till("till"))
        self._steps, self._dice, self._server = steps, random.Random(seed), server
        self._landed: set[tuple[str, str]] = set()
        self._files = 0
        self._said = ""
        self._seconds = math.inf

    def attack(self) -> tuple[int, list[str]]:
        """Kills that happened, and what was wrong."""
        self._land()
        code = self._run(is_whole=True)
        if code != 0 or self._shown() != self._landed:
            return 0, [f"the first run ended with {code}: {self._said[-1500:]!r}"]
        kills, wrong = 0, []
        for step in self._steps:
            before = self._shown()
            self._land()
            code = self._run(step)
            while code == 0 and isinstance(step, float):
                # It was over before: once more, earlier, over a new file.
                before, step = self._shown(), step * 0.8
                self._land()
                code = self._run(step)
            kills += code == -signal.SIGKILL
            if isinstance(step, str) and code != -signal.SIGKILL:
                wrong.append(f"was not killed at {step}: exit {code}, {self._said[-1500:]!r}")
            try:
                shown = self._shown()
            except (AssertionError, OSError, duckdb.Error) as error:
                return kills, [*wrong, f"torn after {step}: {error!r}"]
            if shown not in (before, self._landed):
                wrong.append(f"mixed after {step}: {len(shown)} rows, neither {len(before)} nor {len(self._landed)}")
            if isinstance(step, str) and (shown == self._landed) != (POINTS.index(step) >= SHOWN_FROM):
                wrong.append(f"readers see {len(shown)} rows after {step}")
            if self._dice.random() < 0.5:
                wrong += self._plain(step, is_new=shown != self._landed)
        return kills, [*wrong, *self._plain("the last", is_new=False), *self._books()]

    def _plain(self, step: Step | str, *, is_new: bool) -> list[str]:
        code = self._run(is_whole=is_new)
        if code != 0:
            return [f"the plain run after {step} ended with {code}: {self._said[-1500:]!r}"]
        shown = self._shown()
        return [] if shown == self._landed else [f"{len(shown)} of {len(self._landed)} rows are shown after {step}"]

    def _land(self) -> None:
        self._files += 1
        rows = [(f"r{self._files}-{n}", f"{self._dice.randint(1, 99_999) / 100:.2f}") for n in range(1, 30)]
        lines = [f"{key},c{n},2026-06-01T10:00:00,{total},1,Kobe" for n, (key, total) in enumerate(rows)]
        content = "\n".join(["Receipt,Card,When,Total,Pieces,Town", *lines, ""])
        self._home.land(f"till/sales-{self._files}.csv", content.encode())
        self._landed |= set(rows)

    def _run(self, step: Step | None = None, *, is_whole: bool = False) -> int:
        """The exit code. A number kills from outside after that part of the shortest of those that were `is_whole`."""
        point = step if isinstance(step, str) else None
        seconds = step * self._seconds if isinstance(step, float) else None
        started = time.monotonic()
        code, self._said = self._server.run(self._home.settings.home, point, seconds)
        if is_whole:
            self._seconds = min(self._seconds, time.monotonic() - started)
        return code

    def _shown(self) -> Rows:
        """Orders of the version that a new reader sees. Raises where its tables are not of one version."""
        folder = (self._home.settings.published / "current").resolve(strict=True)
        with closing(duckdb.connect(str(folder / "cx.duckdb"), read_only=True)) as db:
            rows = db.execute("SELECT order_id, gross_amount::VARCHAR FROM marts.orders").fetchall()
            parquet = db.execute(f"SELECT order_id, gross_amount::VARCHAR FROM '{folder}/marts/orders.parquet'")
            assert sorted(parquet.fetchall()) == sorted(rows), "Parquet and DuckDB differ"
            totals = db.execute("SELECT orders, total FROM marts.totals").fetchall()
            assert totals == db.execute("SELECT count(*), sum(gross_amount) FROM marts.orders").fetchall(), "two marts"
            assert totals == db.execute(f"SELECT orders, total FROM '{folder}/marts/totals.parquet'").fetchall()
        assert len(set(rows)) == len(rows), "rows are doubled"
        return frozenset((key.rpartition(":")[2], total) for key, total in rows)

    def _books(self) -> list[str]:
        """What a run that nobody disturbed would not leave."""
        wrong = [
            f"{path}: {record.status}, {record.rows_in} in, {record.accepted} accepted"
            for path, record in self._home.records().items()
            if (record.status, record.rows_in, record.accepted) != ("accepted", 29, 29)
        ]
        if len(self._home.records()) != self._files:
            wrong.append(f"{len(self._home.records())} of {self._files} files in the ledger")
        with self._home.store.read() as connection:
            query = (
                "SELECT 'build', status FROM builds WHERE status NOT IN ('published', 'failed') UNION ALL "
                "SELECT 'version', state FROM publications WHERE state NOT IN ('published', 'abandoned', 'expired')"
            )
            wrong += [f"left open: {tuple(row)}" for row in connection.execute(text(query))]
        half = (".tmp", ".gone", ".link", ".part", ".wal")
        places = [self._home.settings.home / name for name in ("raw", "quarantine", "published")]
        wrong += [
            f"left over: {path.name}"
            for place in places
            for path in place.rglob("*")
            if any(mark in path.name for mark in half)
        ]
        return wrong
