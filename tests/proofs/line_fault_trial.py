"""One trial of R11L in a mount namespace of its own: `python line_fault_trial.py FOLDER SEED` prints a line of JSON."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import duckdb
from torture import beside

line = beside("whole_line")

FAULTS = 5
DISK_MB, DISK_FILES = 1024, 20_000
#: The machine refused, or the control store cannot be opened.
EXITS = (9, 1)


class Disk:
    """A file system in memory that can be filled, by bytes or by files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        sizes = f"size={DISK_MB}m,nr_inodes={DISK_FILES}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", sizes, "tmpfs", str(folder)], check=True)
        self.folder = folder

    @property
    def free_bytes(self) -> int:
        room = os.statvfs(self.folder)
        return room.f_bavail * room.f_frsize

    def leave(self, room: int) -> None:
        """Leave so many bytes, while others may be writing."""
        with (self.folder / "filler").open("ab") as handle:
            while (taken := self.free_bytes - room) > 0:
                try:
                    os.posix_fallocate(handle.fileno(), handle.seek(0, os.SEEK_END), taken)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def leave_no_files(self) -> None:
        """Leave no place for another file."""
        (self.folder / "fillers").mkdir()
        for number in range(DISK_FILES):
            try:
                (self.folder / "fillers" / str(number)).touch()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "fillers", ignore_errors=True)


class Trial:
    """A company with day 1 published and day 2 landed, on a disk that fills up."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.start = line.undisturbed()
        self.disk = Disk(folder / "disk")
        self.company = line.open_company(self.disk.folder / "home", is_forked=True)
        shutil.copytree(self.start.home, self.company.home, symlinks=True)
        #: The largest file of day 1, its build. A run of day 2 makes one as large, and little else.
        self.build = max(path.stat().st_size for path in self.company.home.rglob("*") if path.is_file())
        self.wrong: list[str] = []
        self.codes: list[str] = []

    def too_little_room(self) -> None:
        room = self.dice.choice((0, 4096, *(self.dice.randint(0, self.build) for _ in range(4))))
        self.disk.leave(room)
        self.attack(f"{room:,} bytes left")

    def disk_fills(self) -> None:
        self.later("no byte left", lambda: self.disk.leave(0))

    def no_more_files(self) -> None:
        self.later("no place for a file", self.disk.leave_no_files)

    def file_size(self) -> None:
        size = self.dice.choice((self.dice.randint(0, 2_000_000), self.dice.randint(2_000_000, self.build // 2)))
        self.attack(f"files of {size:,} bytes at most", {"PROOFS_FILE_SIZE": str(size)})

    def later(self, what: str, fault: Callable[[], None]) -> None:
        seconds = self.dice.uniform(0.05, 0.85) * self.start.seconds
        timer = threading.Timer(seconds, fault)
        timer.start()
        self.attack(f"{what} after {seconds:.0f} s", timer=timer)

    def attack(self, what: str, limits: dict[str, str] | None = None, timer: threading.Timer | None = None) -> None:
        """Run with the fault, look, make room."""
        started = time.monotonic()
        self.company.environment |= limits or {}
        code = self.company.run(line.DAY2)
        for name in limits or {}:
            del self.company.environment[name]
        if timer is not None:
            timer.cancel()
            timer.join()
        self.disk.free()
        said = self.company.said[-1]
        self.codes.append(f"{what}: exit {code} after {time.monotonic() - started:.0f} s")
        name = self.codes[-1]
        if code not in (0, *EXITS) or "Traceback" in said or (code != 0 and "error" not in said):
            self.wrong.append(f"{name}: no clear error: {said}")
        try:
            day, tables = self.company.shown()
        except (AssertionError, OSError, duckdb.Error) as error:
            self.wrong.append(f"{name}: what readers see is torn: {error!r}")
            return
        if tables != {line.DAY1: self.start.day1, line.DAY2: self.start.day2}[day]:
            self.wrong.append(f"{name}: neither the old version nor the new one")
        if code == 0 and day != line.DAY2:
            self.wrong.append(f"{name}: readers see {day} after a run that ended well")

    def everything(self) -> None:
        """Faults of all kinds in random order, until readers see day 2; then a plain run."""
        plan = [self.too_little_room, self.disk_fills, self.no_more_files, self.file_size]
        plan.append(self.dice.choice(plan[:2]))
        self.dice.shuffle(plan)
        for fault in plan:
            fault()
            if self.company.shown()[0] == line.DAY2:
                break
        self.heal()

    def heal(self) -> None:
        company, start = self.company, self.start
        code = company.run(line.DAY2)
        if code != 0:
            self.wrong.append(f"after {self.codes} the plain run ended with {code}: {company.said[-1]}")
            return
        day, tables = company.shown()
        if (day, tables) != (line.DAY2, start.day2):
            others = [table for table in tables if tables[table] != start.day2.get(table)]
            self.wrong.append(f"other files than a clean run: {others}")
        books, clean = _of_the_business(company.books()), _of_the_business(start.books)
        self.wrong += [f"{name}: {books[name]}, clean {clean[name]}" for name in books if books[name] != clean[name]]
        if company.slack.keys("#cx-alerts") != start.heard:
            self.wrong.append(f"Slack heard {company.slack.keys('#cx-alerts')}, clean {start.heard}")
        if company.leftovers():
            self.wrong.append(f"left over: {company.leftovers()}")


def _of_the_business(books: dict[str, Any]) -> dict[str, Any]:
    """The books without what the data channel has heard of the failures."""
    return books | {
        "messages": [row for row in books["messages"] if row[1] == "#cx-alerts"],
        "incidents": [row for row in books["incidents"] if not row[0].startswith("data:")],
    }


def main(folder: Path, seed: int) -> None:
    """Run the trial and print what it found."""
    trial = Trial(folder, seed)
    trial.everything()
    told = {"cases": len(trial.codes), "failures": trial.wrong, "figures": "; ".join(trial.codes)}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
