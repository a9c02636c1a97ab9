"""Bytes to text: gzip, byte order marks and the declared encodings, decoded in Python because the engine reads neither
CP932 nor UTF-16 right.

A byte that does not fit becomes a lone surrogate, so that only its row is rejected and the rest of the file lives.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from ingestion.readers.base import FileRefused

_BLOCK = 1 << 20

#: What Python's codec makes of the bytes A0, FD, FE and FF, which CP932 does not define.
_UNDEFINED_IN_CP932 = re.compile("[\uf8f0-\uf8f3]")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked if its name ends in .gz. A broken archive raises `FileRefused`."""
    try:
        with path.open("rb") as plain:
            if path.suffix.casefold() != ".gz":
                yield plain
                return
            with gzip.GzipFile(fileobj=plain) as unpacked:
                yield cast(BinaryIO, unpacked)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise FileRefused("archive.corrupt", f"the gzip archive is damaged or cut short ({error})") from error


def find_encoding(path: Path, declared: tuple[str, ...]) -> str:
    """The first declared encoding in which the whole file is valid; the first declared if it is valid in none.

    Raises `FileRefused` when a byte order mark says an encoding that the contract does not declare.
    """
    with open_bytes(path) as stream:
        head = stream.read(4)
    if head.startswith(_UTF16_MARKS):
        return _declared("utf-16", declared, "UTF-16")
    if head.startswith(codecs.BOM_UTF8):
        return _declared("utf-8", declared, "UTF-8") + "-sig"
    without_mark = [encoding for encoding in declared if encoding != "utf-16"]
    if not without_mark:
        raise FileRefused("encoding.undeclared", "declared as UTF-16, but the file starts without a byte order mark")
    if len(without_mark) == 1:
        return without_mark[0]
    return next((encoding for encoding in without_mark if _is_valid(path, encoding)), without_mark[0])


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
