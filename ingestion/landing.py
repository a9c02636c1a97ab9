"""What lies in the landing folder, and which contract each file belongs to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingestion.archives import without_archives
from ingestion.contract import Contract, Format
from ingestion.globs import matches
from kizuna.files import hex_of

#: Names of files that are still being written or are no data at all.
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", "~")

#: By these a sender says which files are whole (`ingestion/whole.py`).
DONE, MANIFEST = ".done", "_manifest.json"
_NO_DATA = frozenset({"thumbs.db", "desktop.ini", MANIFEST})


@dataclass(frozen=True)
class Landed:
    """One file. `path` is relative to landing, POSIX style; `source` its first folder ('-' when it lies in none).

    For a member of an archive `path` is `<archive>!/<member>`, and `full` where it was unpacked to be read.
    """

    path: str
    source: str
    full: Path
    is_link: bool


@dataclass(frozen=True)
class Matched:
    """A file, its contract and the format its pattern declares."""

    contract: Contract
    format: Format


def scan(landing: Path, only: str | None = None) -> list[Landed]:
    """Files of the landing folder by path, without unfinished ones. Links to folders are not followed."""
    return sorted(_walk(landing, only), key=lambda found: found.path)


def _walk(landing: Path, only: str | None) -> Iterator[Landed]:
    for folder, folders, names in os.walk(landing, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith(".") or name.casefold().endswith((*_UNFINISHED, DONE)) or name.casefold() in _NO_DATA:
                continue
            full = Path(folder) / name
            relative = full.relative_to(landing)
            source = relative.parts[0] if len(relative.parts) > 1 else "-"
            if only is None or source == only:
                yield Landed(_storable(relative.as_posix()), _storable(source), full, full.is_symlink())


def _storable(path: str) -> str:
    """A path whose bytes are no UTF-8 can be listed, but only in escaped form."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def match(file: Landed, contracts: Iterable[Contract]) -> Matched | None:
    """The contract whose pattern fits. Contracts whose patterns overlap were refused when they were loaded."""
    if file.source == "-":
        return None
    inside = without_archives(file.path).removeprefix(f"{file.source}/")
    for contract in contracts:
        if contract.source != file.source:
            continue
        for entry in contract.files:
            if matches(entry.pattern, inside):
                return Matched(contract, entry.format or contract.format)
    return None


def advice(file: Landed, contracts: Iterable[Contract]) -> str:
    """What to do about a file that no contract fits."""
    if file.is_link:
        return "is a link; links are not followed. Copy the file itself into landing."
    if file.source == "-":
        return "lies directly in landing; move it into landing/<source>/, for example landing/shopify/."
    templates = [f"{file.source}/{c.entity}" for c in contracts if c.source == file.source and c.template]
    if templates:
        return (
            f"what its columns mean is the company's to say: add a contract under contracts/ with `extends: "
            f"{' or '.join(templates)}` and a file pattern that fits {file.path.removeprefix(file.source + '/')!r}."
        )
    patterns = [entry.pattern for contract in contracts if contract.source == file.source for entry in contract.files]
    if patterns:
        return (
            f"no contract of source {file.source!r} fits the name; expected {', '.join(patterns)}. "
            "Rename the export to its usual name, or add a mapping contract under contracts/."
        )
    return (
        f"there is no contract for source {file.source!r}. Add a mapping contract under contracts/ with "
        f"`source: {file.source}` and a file pattern that fits {file.path.removeprefix(file.source + '/')!r}."
    )


def file_id(path: str, content_hash: str) -> str:
    """Id of one content at one path."""
    return hashlib.sha256(f"{path}\x1f{hex_of(content_hash)}".encode()).hexdigest()[:32]


def batch_id(contract: Contract, content_hash: str) -> str:
    """Id of what a contract makes of a content: the same file read by the same contract is the same batch."""
    parts = (contract.source, contract.entity, contract.name, hex_of(content_hash), contract.version)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
