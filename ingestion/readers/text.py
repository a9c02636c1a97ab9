"""Bytes to text: gzip, byte order marks and the declared encodings, decoded in Python because the engine reads neither
CP932 nor UTF-16 right.

A byte that does not fit becomes a lone surrogate, so that only its row is rejected and the rest of the file lives.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO, cast

from ingestion.limits import limits
from ingestion.readers.base import FileRefused
from ingestion.readers.encodings import EUC_JP, decoded, likelier, utf16_without_mark

_BLOCK = 1 << 20
_SAMPLE = 1 << 20
_LONG_LINE = 1 << 16

#: Encodings in which nearly any bytes are some text, so that validity alone says little.
LEGACY = ("cp932", "latin-1", "cp1252")

#: What Python's codec makes of the bytes A0, FD, FE and FF, which CP932 does not define.
_UNDEFINED_IN_CP932 = re.compile("[\uf8f0-\uf8f3]")
_JSON_IS_UTF8 = (
    "JSON is UTF-8, but the text is written in {}: ask the sender to export it as UTF-8. First seen in line {}"
)
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextmanager
def open_bytes(path: Path, witness: Witness | None = None) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked if its name ends in .gz. A broken archive raises `FileRefused`.

    `witness` sees every byte that is taken from the file.
    """
    try:
        with path.open("rb") as file:
            plain = file if witness is None else cast(BinaryIO, _Witnessed(file, witness))
            if path.suffix.casefold() != ".gz":
                yield plain
                return
            with gzip.GzipFile(fileobj=plain) as unpacked:
                yield cast(BinaryIO, io.BufferedReader(_Capped(unpacked, path.stat().st_size), _BLOCK))
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise FileRefused(
            "archive.corrupt", f"the gzip archive is damaged or cut short ({error}); fetch it again"
        ) from error


class Witness(Protocol):
    """Sees the bytes of a file in their order, while they are read."""

    def see(self, data: bytes) -> None:
        """The next bytes."""


class _Witnessed:
    """What a reader of blocks and an unpacker need of a file, seen by a witness."""

    def __init__(self, file: BinaryIO, witness: Witness) -> None:
        self._file, self._witness = file, witness

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._witness.see(data)
        return data


class _Capped(io.RawIOBase):
    """Unpacked bytes, counted while they are read: what an archive says about its size may be a lie."""

    def __init__(self, unpacked: gzip.GzipFile, packed: int) -> None:
        self._unpacked, self._packed, self._count = unpacked, packed, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._unpacked.read1(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        limits().check_unpacked(self._packed, self._count)
        return len(data)


def find_encoding(path: Path, declared: tuple[str, ...]) -> str:
    """The encoding of a text: by its byte order mark, else UTF-8 where declared and valid throughout, else the first
    declared one in which the whole file is valid, else the first declared.

    Raises `FileRefused` when a mark says an encoding that the contract does not declare (`encoding.undeclared`), or
    when the text is plainly written in another one although it can be decoded (`encoding.wrong`).
    """
    with open_bytes(path) as stream:
        head = stream.read(4096)
    if head.startswith(_UTF16_MARKS):
        return _declared("utf-16", declared, "UTF-16")
    if head.startswith(codecs.BOM_UTF8):
        return _declared("utf-8", declared, "UTF-8") + "-sig"
    without_mark = [EUC_JP if encoding == "euc_jp" else encoding for encoding in declared if encoding != "utf-16"]
    bare = utf16_without_mark(head)
    if bare is not None and bare not in without_mark:
        raise _wrong(path, "/".join(declared), bare)
    if not without_mark:
        raise FileRefused("encoding.undeclared", "declared as UTF-16, but the file starts without a byte order mark")
    if without_mark == ["utf-8"] or bare is not None:
        return bare or "utf-8"
    ranked = sorted(without_mark, key=lambda encoding: encoding != "utf-8")
    found = next((encoding for encoding in ranked if _is_valid(path, encoding)), without_mark[0])
    other = likelier(_foreign_lines(path)[1], found) if found in (*LEGACY, EUC_JP) else None
    if other is not None and other in without_mark and _is_valid(path, other):
        return other
    if other is not None:
        raise _wrong(path, found, other)
    return found


def diagnose(path: Path, used: str, *, is_json: bool = False) -> FileRefused | None:
    """Why rows hold bytes that `used` does not know, where most such lines are plainly written in another encoding."""
    line, data = _foreign_lines(path)
    plain = used.removesuffix("-sig")
    lines = data.splitlines()
    broken = sum(decoded(text, plain) is None for text in lines)
    other = likelier(data, plain) if broken * 2 > len(lines) else None
    return None if other is None else _wrong(path, plain, other, line, is_json=is_json)


def json_in_utf16(head: bytes) -> FileRefused | None:
    """Why JSON that begins with these bytes cannot be read, where it is written in UTF-16."""
    # Its first two characters are ASCII, whatever follows.
    by_nul = {(False, True): "utf-16-le", (True, False): "utf-16-be"}
    first, second = head[0:3:2], head[1:4:2]
    other = by_nul.get((first == b"\0\0", second == b"\0\0"))
    if head.startswith(_UTF16_MARKS):
        other = "utf-16"
    return None if other is None else FileRefused("encoding.wrong", _JSON_IS_UTF8.format(other, 1), line=1)


def _wrong(path: Path, used: str, other: str, line: int | None = None, *, is_json: bool = False) -> FileRefused:
    first, data = _foreign_lines(path)
    name = "euc_jp" if other == EUC_JP else other
    raw = data.split(b"\n", 1)[0].rstrip(b"\r").decode(other, "replace")[:10_000]
    if is_json:
        return FileRefused("encoding.wrong", _JSON_IS_UTF8.format(name, line or first), line=line or first, raw=raw)
    return FileRefused(
        "encoding.wrong",
        f"read as {used}, but the text is written in {name}: declare it in dialect.encodings, or ask the sender to "
        f"export as declared. First seen in line {line or first}",
        line=line or first,
        column=_foreign_column(path, raw, other),
        raw=raw,
    )


def _foreign_column(path: Path, line: str, encoding: str) -> str | None:
    """Header of the first cell of `line` that is not ASCII, or the cell's number."""
    with open_bytes(path) as stream:
        header = stream.read(_LONG_LINE).split(b"\n", 1)[0].decode(encoding, "replace").strip("\r\n\ufeff")
    delimiter = max(",\t;|", key=header.count)
    try:
        (cells,), (names,) = (list(csv.reader([text], delimiter=delimiter))[:1] for text in (line, header))
    except (csv.Error, ValueError):
        return None
    position = next((n for n, cell in enumerate(cells) if not cell.isascii()), None)
    if position is None:
        return None
    return names[position] if position < len(names) and names[position] else f"cell {position + 1}"


def _foreign_lines(path: Path) -> tuple[int, bytes]:
    """(number of the first line that is not ASCII, up to 1 MB of such lines)."""
    number, first, size = 0, 1, 0
    kept: list[bytes] = []
    carry = b""
    with open_bytes(path) as stream:
        while size < _SAMPLE and (block := stream.read(_BLOCK)):
            if block.isascii() and carry.isascii():
                number += block.count(b"\n")
                carry = (carry + block).rpartition(b"\n")[2][-_LONG_LINE:]
                continue
            *lines, carry = (carry + block).split(b"\n")
            carry = carry[-_LONG_LINE:]
            for line in lines:
                number += 1
                if not line.isascii():
                    first = first if kept else number
                    kept.append(line)
                    size += len(line)
    if not carry.isascii():
        first = first if kept else number + 1
        kept.append(carry)
    return first, b"\n".join(kept)


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[TextIO]:
    """Text with its line ends as they are; bytes that do not fit the encoding become lone surrogates."""
    with open_bytes(path) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
        try:
            yield text
        finally:
            text.detach()


def has_foreign_bytes(text: str, encoding: str | None = None) -> bool:
    """True when a byte of the text did not fit the encoding."""
    if text.isascii():
        return False
    if encoding == "cp932" and _UNDEFINED_IN_CP932.search(text):
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def printable(text: str) -> str:
    """`text` fit to be stored: bytes that did not fit the encoding are written as `\\xNN`."""
    return (
        text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") if has_foreign_bytes(text) else text
    )


def _declared(encoding: str, declared: tuple[str, ...], shown: str) -> str:
    if encoding in declared:
        return encoding
    raise FileRefused(
        "encoding.undeclared",
        f"the file starts with the byte order mark of {shown}, but the contract declares {', '.join(declared)}; "
        f"add {encoding} to dialect.encodings if the sender changed the encoding",
        line=1,
    )


def _is_valid(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with open_bytes(path) as stream:
        try:
            while block := stream.read(_BLOCK):
                if has_foreign_bytes(decoder.decode(block), encoding):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
