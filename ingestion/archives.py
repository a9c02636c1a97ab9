"""ZIP archives: what lies in them, as files of their own, and what must not be taken out of them.

Nothing is unpacked under a name that the archive chooses: a member goes to a numbered file in a private folder of the
home and is gone when it has been read. A child process unpacks it, with the limits of one that reads. Sizes are counted
while reading, since what an archive says about itself may be a lie. A bad member is refused alone; an archive that
cannot be listed safely is refused as a whole.
"""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ingestion.limits import Limits
from ingestion.readers.base import FileRefused

#: Between an archive's path and a member's: `salesforce/WE_1.zip!/Contact.csv`.
MARK = "!/"

#: After so many bombs nothing more is read of an archive.
_BOMBS = 3

_BLOCK = 1 << 20
_ENCRYPTED, _UTF8_NAME = 0x1, 0x800
_NESTED = (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".jar")
_MAGIC = {b"PK\x03\x04": "ZIP", b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "RAR", b"BZh": "bzip2"}
_LITTER = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Member:
    """One file in an archive. `name` is fit to be shown; `problem` says why it must not be read."""

    index: int
    name: str
    bytes: int
    problem: FileRefused | None


#: Writes a member of an archive to a file: (archive, member, target, bytes its neighbours unpacked to) -> bytes, or
#: raises `FileRefused`.
Unpack = Callable[[Path, Member, Path, int], int]


def is_archive(path: str) -> bool:
    """True for a ZIP by its name."""
    return path.casefold().endswith(".zip")


def split(path: str) -> tuple[str, str | None]:
    """(path of the archive, name of the member), or the path itself and None."""
    archive, mark, member = path.partition(MARK)
    return (archive, member) if mark and is_archive(archive) else (path, None)


def without_archives(path: str) -> str:
    """The path as if its archive had been unpacked where it lies: what file patterns are compared with."""
    archive, member = split(path)
    if member is None:
        return path
    folder = archive.rpartition("/")[0]
    return f"{folder}/{member}" if folder else member


class Archive:
    """A ZIP opened for reading. Raises `FileRefused` when it is damaged or too large to be listed."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._zip = _opened(path, limits)
        self._entries = self._zip.infolist()
        _refuse_shared_bytes(self._entries)
        self._total = self._bombs = 0

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def members(self) -> list[Member]:
        """Files of the archive in its order, folders and a system's litter left out. Raises when there is none."""
        files = [(n, entry) for n, entry in enumerate(self._entries) if not entry.is_dir() and not _is_litter(entry)]
        if not files:
            raise FileRefused("archive.empty", "the archive holds no file")
        names = Counter(_shown_name(entry).casefold() for _, entry in files)
        found = []
        for index, entry in files:
            name = _shown_name(entry)
            found.append(Member(index, _printable(name), entry.file_size, _problem(entry, name, names)))
        return found

    def unpack(self, member: Member, target: Path, unpack: Unpack) -> None:
        """Have a member written to `target`. Raises `FileRefused` for what only reading shows."""
        if self._bombs >= _BOMBS:
            raise FileRefused("archive.bomb", f"not read, since {_BOMBS} members before it were bombs")
        try:
            self._total += unpack(self._path, member, target, self._total)
        except FileRefused as refusal:
            # What was refused takes no room from its neighbours.
            self._bombs += refusal.code not in ("archive.nested", "archive.corrupt")
            raise


def write_member(path: Path, index: int, name: str, target: Path, before: int, limits: Limits) -> int:
    """Unpack the member at a position of the archive; its bytes. `before`: bytes its neighbours unpacked to.

    Raises `FileRefused`.
    """
    size, packed = 0, path.stat().st_size
    total = {"total_mb": limits.unpacked_mb, "setting": "limits.unpacked_mb"}
    try:
        with _opened(path, limits) as archive:
            entry = archive.infolist()[index]
            with archive.open(entry) as stream, target.open("wb") as output:
                while block := stream.read(_BLOCK):
                    if not size:
                        _refuse_nested(block, name)
                    size += len(block)
                    limits.check_member(min(entry.compress_size, packed), size, **total)  # type: ignore[arg-type]
                    limits.check_member(packed, before + size, **total)  # type: ignore[arg-type]
                    output.write(block)
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, IndexError, NotImplementedError, RuntimeError,
        struct.error,
    ) as error:  # fmt: skip
        raise FileRefused("archive.corrupt", f"the member cannot be unpacked ({error})") from None
    return size


@contextmanager
def unpacked(archive: Path, name: str, folder: Path, limits: Limits, unpack: Unpack) -> Iterator[Path]:
    """One member by its name as a file that is gone afterwards. Raises `FileRefused`."""
    with Archive(archive, limits) as opened:
        found = [member for member in opened.members() if member.name == name]
        if not found:
            raise FileRefused("archive.member_gone", f"the archive holds no {name!r}")
        if found[0].problem is not None:
            raise found[0].problem
        target = unpack_target(folder, found[0])
        try:
            opened.unpack(found[0], target, unpack)
            yield target
        finally:
            target.unlink(missing_ok=True)


def unpack_target(folder: Path, member: Member) -> Path:
    """Where a member is unpacked: only its suffix comes from the archive, and only if it is a plain one."""
    suffix = PurePosixPath(member.name).suffix
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{member.index}{suffix if suffix[1:].isalnum() and suffix.isascii() else ''}"


def _shown_name(entry: zipfile.ZipInfo) -> str:
    """The member's name. Without the flag for UTF-8 it was written in the code page of the sender's computer."""
    name = entry.orig_filename or entry.filename
    if entry.flag_bits & _UTF8_NAME or name.isascii():
        return name
    for encoding in ("utf-8", "cp932"):
        try:
            return name.encode("cp437").decode(encoding)
        except UnicodeError:
            continue
    return name


def _printable(name: str) -> str:
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)
    return shown.encode("utf-8", "backslashreplace").decode()[:300]


def _is_litter(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename.casefold()
    return name.startswith(_LITTER[0]) or name.rpartition("/")[2] in _LITTER or "/._" in f"/{name}"


def _problem(entry: zipfile.ZipInfo, name: str, names: Counter[str]) -> FileRefused | None:
    plain = name.replace("\\", "/")
    mode = entry.external_attr >> 16
    if "\0" in name or any(not c.isprintable() for c in name):
        return FileRefused("archive.bad_name", "the member's name holds control characters")
    if plain.startswith("/") or plain[1:2] == ":":
        return FileRefused("archive.absolute_path", "the member's name is an absolute path")
    if ".." in plain.split("/"):
        return FileRefused("archive.traversal", "the member's name leads out of the archive's folder")
    if stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        return FileRefused("archive.link", "the member is a link or a device; only plain files are read")
    if names[name.casefold()] > 1:
        return FileRefused("archive.duplicate_name", "the archive holds several members of this name")
    if entry.flag_bits & _ENCRYPTED:
        return FileRefused("archive.encrypted", "the member is encrypted; put the plain file into landing")
    if plain.casefold().endswith(_NESTED):
        return FileRefused("archive.nested", "an archive in an archive is not opened; unpack the outer one first")
    return None


def _refuse_shared_bytes(entries: list[zipfile.ZipInfo]) -> None:
    """Members that begin inside one another are how a few megabytes become petabytes."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    for entry, following in pairwise(ordered):
        if entry.header_offset + max(entry.compress_size, 1) > following.header_offset:
            raise FileRefused(
                "archive.bomb",
                f"members {_printable(_shown_name(entry))} and "
                f"{_printable(_shown_name(following))} share the same bytes, as in no archive that a program wrote",
            )


def _refuse_nested(head: bytes, name: str) -> None:
    if name.casefold().endswith((".xlsx", ".xlsm")):
        return
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise FileRefused("archive.nested", f"the member is {kind} data; unpack the outer archive first")


def _opened(path: Path, limits: Limits) -> zipfile.ZipFile:
    """The archive, after a look at its end record: the list of a hostile one is not read into memory."""
    with path.open("rb") as stream:
        limits.check_members(*_end_record(stream))
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        raise FileRefused(
            "archive.corrupt", f"the ZIP archive is damaged or cut short ({error}); fetch it again"
        ) from None


def _end_record(stream: BinaryIO) -> tuple[int, int]:
    """(members, bytes of the list) as the archive's end record states them; zeros when there is none."""
    end = stream.seek(0, 2)
    start = max(end - 65_557, 0)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return 0, 0
    entries, size = struct.unpack_from("<HL", tail, at + 10)
    locator = tail[max(at - 20, 0) : at]
    if locator.startswith(b"PK\x06\x07"):
        stream.seek(min(struct.unpack_from("<Q", locator, 8)[0], end))
        record = stream.read(56)
        if record.startswith(b"PK\x06\x06") and len(record) == 56:
            entries, size = struct.unpack_from("<QQ", record, 32)
    return entries, size
