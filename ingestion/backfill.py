"""Years of history from a folder outside of landing, in one command that a kill does not undo.

Files are taken into landing first, each in one step: as a second name of the same bytes where the file system allows
it, as a copy otherwise. From there on they are files like any other: the usual ingest loads them, the ledger knows how
far it came, and the same command again does the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingestion import landing
from ingestion.landing import Landed
from kizuna.errors import InputError
from kizuna.files import fsync_file, fsync_folder, hash_of
from kizuna.settings import Settings

#: Told before each file: its path in landing, the bytes of the files before it, those of all files.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TakenIn:
    """Files of the folder as they lie in landing now. `clashes` stand there already with another content."""

    paths: tuple[str, ...]
    bytes: int
    new: int
    clashes: tuple[str, ...]


def take_in(settings: Settings, folder: Path, source: str | None = None, progress: Progress | None = None) -> TakenIn:
    """Bring the files of `folder` into landing: laid out as landing is, or all of them as files of `source`.

    Raises `InputError` for a folder that is none, lies in the company's home, or holds files outside of any source.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.")
    if folder.is_relative_to(settings.home.resolve()) or settings.home.resolve().is_relative_to(folder):
        raise InputError(f"{folder} and the home lie in one another; `kizuna ingest` loads what is in landing.")
    found = [file for file in landing.scan(folder) if not file.is_link]
    loose = [file.path for file in found if "/" not in file.path]
    if loose and source is None:
        raise InputError(
            f"{folder / loose[0]} lies in no folder of a source ({len(loose)} such files). Lay the folder out as "
            "landing is, or say whose files they are with --source."
        )
    paths: list[str] = []
    clashes: list[str] = []
    new = size = before = 0
    sizes = [file.full.stat().st_size for file in found]
    total = sum(sizes)
    for file, its_size in zip(found, sizes, strict=True):
        path = file.path if source is None else f"{source}/{file.path}"
        if progress is not None:
            progress(path, before, total)
        before += its_size
        root = settings.landing if source is None else settings.landing / source
        placed = _place(file, root / file.full.relative_to(folder))
        if placed is None:
            clashes.append(path)
            continue
        new += placed
        paths.append(path)
        size += its_size
    return TakenIn(tuple(paths), size, new, tuple(clashes))


def _place(file: Landed, target: Path) -> bool | None:
    """True when the file was placed, False when it lies there already, None when something else does."""
    if target.exists():
        same = target.samefile(file.full) or (
            target.stat().st_size == file.full.stat().st_size and hash_of(target) == hash_of(file.full)
        )
        return False if same else None
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(file.full)
    except OSError:
        shutil.copyfile(file.full, temporary)
        fsync_file(temporary)
    temporary.rename(target)
    fsync_folder(target.parent)
    return True
