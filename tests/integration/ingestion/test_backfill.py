"""A folder of history loads in one command, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingestion.backfill import take_in
from kizuna.errors import InputError

HEADER = "Response ID,Survey Type,Score,Created At\n"


@pytest.fixture
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    for year in (2023, 2024, 2025):
        for month in (1, 2):
            file = folder / "delighted" / str(year) / f"{month}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = (f"{year}-{month}-{n},nps,{n % 11},{year}-0{month}-01T00:00:00Z\n" for n in range(20))
            file.write_text(HEADER + "".join(rows))
    return folder


def test_a_folder_is_taken_in_once_and_loaded(shop: Any, history: Path) -> None:
    taken = take_in(shop.settings, history)
    assert (len(taken.paths), taken.new, taken.clashes) == (6, 6, ())
    assert shop.ingest().accepted == 120
    again = take_in(shop.settings, history)
    assert (len(again.paths), again.new) == (6, 0)
    assert shop.ingest().rows_in == 0
    (history / "delighted/2023/1.csv").unlink()
    assert len(shop.rows("delighted__responses")) == 120, "the raw store needs the folder no more"


def test_files_of_one_source_and_names_that_are_taken(shop: Any, history: Path) -> None:
    shop.land("delighted/2023/1.csv", HEADER)
    taken = take_in(shop.settings, history / "delighted", source="delighted")
    assert (len(taken.paths), taken.clashes) == (5, ("delighted/2023/1.csv",))
    (history / "loose.csv").write_text(HEADER)
    with pytest.raises(InputError, match="--source"):
        take_in(shop.settings, history)
    with pytest.raises(InputError, match="kizuna ingest"):
        take_in(shop.settings, shop.settings.landing)


@pytest.mark.parametrize("point", ["ingest.parquet_renamed", "ingest.ledger_recorded"])
def test_killed_it_goes_on_where_it_was(shop: Any, history: Path, point: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}
    environment |= {"KIZUNA_PSEUDONYM_KEY": "k" * 64, "KIZUNA_KILL_AT": point}
    command = [sys.executable, "-m", "kizuna.cli", "backfill", str(history), "--home", str(shop.home)]
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == -9, done.stdout + done.stderr
    del environment["KIZUNA_KILL_AT"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "6 files" in done.stdout
    rows = shop.rows("delighted__responses", "response_id")
    assert (len(rows), len(set(rows))) == (120, 120)


#: Another file system, and a kill while the third file is copied: before it has its name, or just after.
KILLED_WHILE_COPYING = """
import os, signal, sys
from pathlib import Path
from ingestion import backfill
from kizuna.settings import load_settings
def refuse(*_): raise OSError(18, "Invalid cross-device link")
def die(path, seen=[]):
    seen.append(path)
    if len(seen) == 3:
        if path.is_file(): os.truncate(path, 99)
        os.kill(os.getpid(), signal.SIGKILL)
Path.hardlink_to = refuse
setattr(backfill, sys.argv[3], die)
backfill.take_in(load_settings(Path(sys.argv[1])), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("last", ["fsync_file", "fsync_folder"])
def test_killed_while_it_copied_it_takes_in_the_rest(shop: Any, history: Path, last: str) -> None:
    command = [sys.executable, "-c", KILLED_WHILE_COPYING, str(shop.home), str(history), last]
    done = subprocess.run(command, env={**os.environ, "KIZUNA_PSEUDONYM_KEY": "k" * 64}, check=False)
    assert done.returncode == -signal.SIGKILL
    told: list[tuple[str, int, int]] = []
    taken = take_in(shop.settings, history, progress=lambda *at: told.append(at))
    before = 2 if last == "fsync_file" else 3
    assert (len(taken.paths), taken.new, taken.clashes) == (6, 6 - before, ()), (
        "what was copied whole is not copied again"
    )
    assert not [path for path in shop.settings.landing.rglob("*") if path.name.startswith(".")]
    assert [path for path, _, _ in told] == list(taken.paths)
    sizes = [(history / path).stat().st_size for path in taken.paths]
    assert [(done, total) for _, done, total in told] == [(sum(sizes[:n]), sum(sizes)) for n in range(6)]
    assert shop.ingest().accepted == 120


def test_both_steps_show_how_far_they_are(shop: Any, history: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}
    environment |= {"KIZUNA_PSEUDONYM_KEY": "k" * 64, "FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "160"}
    command = [sys.executable, "-m", "kizuna.cli", "backfill", str(history), "--home", str(shop.home)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "taking delighted/2025/2.csv into landing" in done.stdout
    assert "6 of 6 files, 120 rows" in done.stdout
