"""R13: backup, wipe, restore; the newest version deleted.

One trial is a small company with a few published versions (`write_path.py`): saved, wiped, restored into another
folder, and compared: every file and link by hash, every row of the control store but the fence's holder. The same run
again finds nothing new, a new file gives the next version with the number after the last. Then one byte of the backup
is changed, and its files are deleted one at a time: each such backup is refused and leaves no home behind. Last, the
newest version is deleted: the next run, told nothing, shows the one before it, builds on, and readers see its result.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import select
from torture import Trial, beside

from kizuna.backup import restore_home, save_home
from kizuna.control.schema import link_moves, metadata, publications
from kizuna.control.store import open_store
from kizuna.errors import InputError
from kizuna.settings import load_settings
from kizuna.versions import current

PROOF_TRIALS = 1


def run_trial(seed: int, folder: Path) -> Trial:
    """One company of one seed."""
    dice, write_path = random.Random(seed), beside("write_path")
    home, backup = folder / "home", folder / "backup"
    versions = dice.randint(2, 4)
    company = beside("homes").make_home(home)
    company.contract("till", beside("homes").till("till"))
    for number in range(versions):
        _land(home, number, dice)
        write_path.run(home)
    settings = load_settings(home, write_path.KEY)
    failures: list[str] = []

    store = open_store(settings)
    saved = save_home(settings, store, backup, nullcontext)
    before, rows = _files(home), _rows(store)
    store.close()
    shutil.rmtree(home)

    home = folder / "again"
    restore_home(backup, home, write_path.KEY)
    settings = load_settings(home, write_path.KEY)
    store = open_store(settings)
    if _files(home) != before:
        changed = sorted(set(_files(home).items()) ^ set(before.items()))
        failures.append(f"files differ after the restore: {changed[:4]}")
    if _rows(store) != rows:
        failures.append("rows of the control store differ after the restore")
    write_path.run(home)
    if _files(home)["published/current"] != f"-> v-{versions}":
        failures.append("a run with nothing new published something after the restore")

    cases = 3
    for name in dice.sample(sorted(path.relative_to(backup).as_posix() for path in _all(backup)), 8):
        for spoil in (_flip, Path.unlink):
            spoiled = folder / "spoiled"
            shutil.copytree(backup, spoiled)
            spoil(spoiled / name)
            cases += 1
            try:
                restore_home(spoiled, folder / "never", write_path.KEY)
                failures.append(f"a backup with a spoiled {name} was restored")
            except InputError:
                pass
            if any(path.name.strip(".").startswith("never") for path in folder.iterdir()):
                failures.append(f"a refused restore left something behind ({name})")
            shutil.rmtree(spoiled)

    kept = _files(home)
    shutil.rmtree(settings.published / f"v-{versions}")
    _land(home, versions, dice)
    write_path.run(home)
    with store.read() as connection:
        moves = [tuple(row) for row in connection.execute(select(link_moves.c.from_version, link_moves.c.to_version))]
        states = dict(map(tuple, connection.execute(select(publications.c.version, publications.c.state))))
    shown = current(settings)
    if (versions, versions - 1) not in moves or states[versions] != "lost":
        failures.append(f"no fallback from v-{versions} to v-{versions - 1}: moves {moves}, states {states}")
    if shown is None or shown.version != versions + 1:
        failures.append(f"the run after the fallback did not publish v-{versions + 1}")
    same = {name: digest for name, digest in _files(home).items() if name.startswith(f"published/v-{versions - 1}/")}
    if same != {name: kept[name] for name in same}:
        failures.append("the version before was changed")
    store.close()
    return Trial(cases + 2, tuple(failures), f"{saved.files} files, {versions} versions")


def _land(home: Path, number: int, dice: random.Random) -> None:
    folder = home / "landing" / "till"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["Receipt,Card,When,Total,Pieces,Town"]
    lines += [
        f"{number}-{row},c{dice.randrange(50)},2026-06-{dice.randint(1, 28):02},{dice.randint(1, 9999)}.50,1,京都"
        for row in range(40)
    ]
    lines += [f"{number}-bad,c1,never,x,1,京都"] * 2
    (folder / f"orders_{number}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _all(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def _files(home: Path) -> dict[str, str]:
    """What a backup is to bring back: content by path, links by target. Databases of the store are compared by rows."""
    top = ("kizuna.yaml", "contracts", "landing", "raw", "quarantine", "published")
    found = {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        + oct(path.stat().st_mode & 0o777)
        for path in _all(home)
        if path.relative_to(home).parts[0] in top and "current" not in path.parts
    }
    return found | {"published/current": f"-> {(home / 'published' / 'current').readlink()}"}


def _rows(store: Any) -> dict[str, list[str]]:
    unsteady = {"holder", "host", "pid", "process_started", "heartbeat_at"}
    with store.read() as connection:
        return {
            table.name: sorted(
                json.dumps({k: v for k, v in row.items() if k not in unsteady}, sort_keys=True, default=str)
                for row in connection.execute(select(table)).mappings()
            )
            for table in metadata.sorted_tables
        }


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(content))
