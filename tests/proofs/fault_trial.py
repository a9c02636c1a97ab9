"""One trial of R11 in a process of its own: `python fault_trial.py FOLDER SEED [mount]` prints a line of JSON.

With `mount` the folder becomes a small file system in memory, which a trial can fill to the last page.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parent))

import duckdb
import faults
import homes
import write_path
from sqlalchemy import text

from kizuna.builds import default_as_of
from kizuna.settings import load_settings

DISK_MB = 256
#: The machine refused, or the control store cannot be opened; anything else would be a traceback, or nothing.
EXITS = (9, 1)
ZONES = ("Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca")
Rows = frozenset[tuple[str, str]]


class Trial:
    """A company whose files hold orders that the trial remembers."""

    def __init__(self, folder: Path, seed: int, *, is_disk: bool) -> None:
        self.dice, self.is_disk, self.folder = random.Random(seed), is_disk, folder
        made = homes.make_home(folder / "home")
        made.contract("till", homes.till("till"))
        made.store.close()
        self.home, self.settings = made.settings.home, made.settings
        self.landed: set[tuple[str, str]] = set()
        self.files, self.calls = 0, 0
        self.wrong: list[str] = []
        self.kinds: dict[str, list[int]] = {}

    def run(self, fault: Callable[[], object] = lambda: None) -> tuple[int, str]:
        def body() -> int:
            fault()
            return write_path.told(self.home)

        return faults.forked(body)

    def count(self) -> None:
        """The first run, which also tells how many calls there are to fail."""
        self.land()
        counted = self.folder / "calls"

        def body() -> int:
            calls = faults.Calls(self.home)
            code = write_path.told(self.home)
            counted.write_text(str(calls.count))
            return code

        code, said = faults.forked(body)
        if code != 0 or self.shown() != self.landed:
            raise RuntimeError(f"the first run ended with {code}: {said}")
        self.calls = int(counted.read_text())

    def land(self) -> None:
        self.files += 1
        rows = [(f"r{self.files}-{n}", f"{self.dice.randint(1, 99_999) / 100:.2f}") for n in range(1, 30)]
        lines = [f"{key},c{n},2026-06-01T10:00:00,{total},1,Kobe" for n, (key, total) in enumerate(rows)]
        (self.home / "landing" / "till").mkdir(parents=True, exist_ok=True)
        content = "\n".join(["Receipt,Card,When,Total,Pieces,Town", *lines, ""])
        (self.home / "landing" / "till" / f"sales-{self.files}.csv").write_text(content)
        self.landed |= set(rows)

    def shown(self) -> Rows:
        """Orders of the version that a new reader sees. Raises where its tables are not of one version."""
        folder = (self.home / "published" / "current").resolve(strict=True)
        with closing(duckdb.connect(str(folder / "cx.duckdb"), read_only=True)) as db:
            rows = db.execute("SELECT order_id, gross_amount::VARCHAR FROM marts.orders").fetchall()
            parquet = db.execute(f"SELECT order_id, gross_amount::VARCHAR FROM '{folder}/marts/orders.parquet'")
            assert sorted(parquet.fetchall()) == sorted(rows), "Parquet and DuckDB differ"
            totals = db.execute("SELECT orders, total FROM marts.totals").fetchall()
            assert totals == db.execute("SELECT count(*), sum(gross_amount) FROM marts.orders").fetchall(), "two marts"
        assert len(set(rows)) == len(rows), "rows are doubled"
        return frozenset((key.rpartition(":")[2], total) for key, total in rows)

    def attack(self, kind: str, what: str, fault: Callable[[], object], *, harmless: bool = False) -> None:
        """Land, run with the fault, look, heal, look. `harmless`: the run must not even notice."""
        self.land()
        before = self.shown()
        code, said = self.run(fault)
        self.free()
        self.kinds.setdefault(kind, []).append(code)
        name = f"{kind} ({what}): exit {code}"
        try:
            now = self.shown()
        except (AssertionError, OSError, duckdb.Error) as error:
            self.wrong.append(f"{name}: what readers see is torn: {error!r}")
            return
        if now not in (before, self.landed):
            self.wrong.append(f"{name}: readers see {len(now)} rows, neither {len(before)} nor {len(self.landed)}")
        if harmless and (code != 0 or now != self.landed):
            self.wrong.append(f"{name}: {said[-600:]}")
        if code not in (0, *EXITS) or (code != 0 and "error " not in said) or "Traceback" in said:
            self.wrong.append(f"{name}: no clear error: {said[-1500:]}")
        code, said = self.run()
        healed = self.shown() == self.landed
        if code != 0 or not healed:
            self.wrong.append(f"{name}: the plain run ended with {code}, all shown: {healed}: {said[-1500:]}")
        self.wrong += [f"{name}: {left}" for left in self.leftovers()]

    def fill(self, free: int) -> None:
        """Leave so many bytes on the disk."""
        room = os.statvfs(self.folder)
        taken = room.f_bavail * room.f_frsize - free
        with (self.folder / "filler").open("wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, taken)

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)

    def leftovers(self) -> list[str]:
        """What a run that nobody disturbed would not leave."""
        places = [self.home / name for name in ("raw", "quarantine", "published")]
        half = (".tmp", ".gone", ".link", ".part", ".wal")
        left = [
            f"left over: {path.relative_to(self.home)}"
            for place in places
            for path in place.rglob("*")
            if any(mark in path.name for mark in half)
        ]
        with homes.open_store(self.settings).read() as connection:
            query = (
                "SELECT 'build', status FROM builds WHERE status NOT IN ('published', 'failed') UNION ALL "
                "SELECT 'version', state FROM publications WHERE state NOT IN ('published', 'abandoned', 'expired') "
                "UNION ALL SELECT 'lease', holder FROM lease WHERE holder IS NOT NULL UNION ALL "
                "SELECT path, status || ' ' || coalesce(reason, '') FROM files "
                "WHERE status <> 'accepted' OR rows_in <> 29"
            )
            return left + [f"left open: {tuple(row)}" for row in connection.execute(text(query))]

    def at_a_change_of_clocks(self) -> None:
        """A day in a zone whose clocks change: the run goes through, and the day to report never jumps or goes back."""
        zone, year = self.dice.choice(ZONES), self.dice.randint(2020, 2030)
        hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(17_520)]
        offsets = [hour.astimezone(ZoneInfo(zone)).utcoffset() for hour in hours]
        changes = [n for n in range(1, len(hours)) if offsets[n] != offsets[n - 1]]
        company = load_settings(self.home, write_path.KEY).company.model_copy(update={"timezone": zone})
        for n in changes:
            days = [default_as_of(company, hour) for hour in hours[max(n - 100, 0) : n + 100]]
            steps = {(later - earlier).days for earlier, later in pairwise(days)}
            ends = [company.day_end_utc(day) for day in sorted(set(days))]
            lengths = {(later - earlier) / timedelta(hours=1) for earlier, later in pairwise(ends)}
            if not steps <= {0, 1} or not all(22 < length < 26 for length in lengths):
                self.wrong.append(f"DST in {zone} around {hours[n]}: days step by {steps}, last {lengths} hours")
        at = hours[self.dice.choice(changes)] + timedelta(minutes=self.dice.randint(-90, 90))
        clock = faults.Clock(self.dice.randint(1, 30), timedelta(hours=self.dice.choice((-1, 1))), at)
        self.attack("change of clocks", f"{zone}, {at:%Y-%m-%d %H:%M} UTC", clock.install, harmless=True)

    def everything(self) -> None:
        """Ten faults in random order."""
        dice = self.dice
        plan: list[Callable[[], None]] = [self.at_a_change_of_clocks]
        for number in faults.ERRORS:
            nth, stays = dice.randint(1, self.calls), dice.random() < 0.5
            what = f"{faults.errno.errorcode[number]} at call {nth} of {self.calls}{' and all after it' * stays}"

            def fail(nth: int = nth, number: int = number, stays: bool = stays) -> object:
                return faults.Calls(self.home, nth, number, stays=stays)

            plan.append(lambda what=what, fail=fail: self.attack("call", what, fail))
        for _ in range(2):
            room = dice.choice((0, 4096, dice.randint(0, 300_000), dice.randint(300_000, 3_000_000)))
            if self.is_disk:
                plan.append(lambda room=room: self.attack("disk full", f"{room} bytes left", lambda: self.fill(room)))
            else:
                plan.append(lambda room=room: self.attack("file size", str(room), lambda: faults.file_size(room)))
        size = dice.choice((0, dice.randint(1, 100_000), dice.randint(100_000, 900_000)))
        plan.append(lambda: self.attack("file size", f"{size} bytes", lambda: faults.file_size(size)))
        more = dice.randint(1, 160) << 20
        plan.append(lambda: self.attack("memory", f"{more >> 20} MB more", lambda: faults.memory(more)))
        jump = timedelta(seconds=dice.choice((-1, 1)) * dice.choice((90, 7_200, 86_400, 366 * 86_400, 9_999 * 86_400)))
        clock = faults.Clock(dice.randint(1, 30), jump)
        plan.append(lambda: self.attack("clock", f"{jump} at reading {clock.nth}", clock.install, harmless=True))
        dice.shuffle(plan)
        for attack in plan:
            attack()


def main(folder: Path, seed: int, *, is_disk: bool) -> None:
    """Run the trial and print what it found."""
    if is_disk:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], check=True)
    trial = Trial(folder, seed, is_disk=is_disk)
    trial.count()
    trial.everything()
    told = ", ".join(f"{kind} {len(codes)} ({sum(code != 0 for code in codes)})" for kind, codes in trial.kinds.items())
    cases = sum(len(codes) for codes in trial.kinds.values())
    sys.stdout.write(json.dumps({"cases": cases, "failures": trial.wrong, "figures": f"{told} (stopped)"}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), is_disk="mount" in sys.argv[3:])
