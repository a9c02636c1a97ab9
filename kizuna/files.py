"""Writing files so that a kill leaves the old content or the new one, never a torn one."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from blake3 import blake3

#: How a hash of a content begins: the name of what made it.
_BLAKE3, _SHA256 = "blake3:", "sha256:"
_BLOCK = 1 << 20


def fsync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_folder(path: Path) -> None:
    """Force a folder's entries (creations, renames) to the disk."""
    fsync_file(path)


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace `path` by `content` in one step: temporary name, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)


def replace_link(link: Path, target: str) -> None:
    """Point the directory link at `target` (a name beside it) in one rename."""
    temporary = link.with_name(f".{link.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target, target_is_directory=True)
    temporary.replace(link)
    fsync_folder(link.parent)


def make_private(*folders: Path) -> None:
    """Make folders that hold personal data, readable by their owner only."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)


def hash_of(path: Path) -> str:
    """What a content is known by: `blake3:` and the BLAKE3 of the file's bytes in hex (decision 38)."""
    hashed = Hasher()
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            hashed.see(block)
    return hashed.stated()


class Hasher:
    """`hash_of` of bytes that come by in blocks."""

    def __init__(self) -> None:
        self._blake3 = blake3()

    def see(self, data: bytes) -> None:
        """The next bytes."""
        self._blake3.update(data)

    def stated(self) -> str:
        """What a file of the bytes seen so far is known by."""
        return _BLAKE3 + self._blake3.hexdigest()


def has_hash(path: Path, stated: str) -> bool:
    """Whether the file is the one of which `hash_of` or, for an earlier release, `old_hash_of` said this."""
    return stated == (old_hash_of(path) if stated.startswith(_SHA256) else hash_of(path))


def old_hash_of(path: Path) -> str:
    """What a content was known by when BLAKE3 was not used yet."""
    return _SHA256 + sha256_of(path)


def hex_of(stated: str) -> str:
    """The part of a hash that names of files and batches are made of: those of an earlier release stay."""
    return stated.removeprefix(_SHA256)


def database_state(path: Path) -> str | None:
    """What a DuckDB file says of its own content: another text after every change by whatever program. None without it.

    Its first three blocks of 4 KB number the checkpoints and say where the content of the last one lies; what came
    after it stands in the log beside the file. So a file of many gigabytes need not be read.
    """
    try:
        with path.open("rb") as stream:
            hashed = Hasher()
            hashed.see(stream.read(3 * 4096))
            hashed.see(str(path.stat().st_size).encode())
    except FileNotFoundError:
        return None
    log = path.with_name(f"{path.name}.wal")
    if log.exists():
        with log.open("rb") as stream:
            while block := stream.read(_BLOCK):
                hashed.see(block)
    return hashed.stated()


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
