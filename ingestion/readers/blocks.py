"""A delimited file as blocks of UTF-8 bytes that end where a record ends, as long as its quotes are in order.

Whoever finds a block out of order gives its bytes back and reads on record by record from a `Feed`; the rest of the
feed is given back in turn. So a damaged place slows down its surroundings and nothing else.
"""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO

import numpy as np

from ingestion.contract import Dialect
from ingestion.limits import limits
from ingestion.readers.base import FileRefused

#: Bytes of a block. Memory of a reader is a small multiple of this.
BLOCK = 4 << 20

_PIECE = 1 << 18


class Source:
    """Decoded bytes of a file, UTF-8 whatever it is written in, with what was given back first.

    A byte that does not fit the encoding stays as it is in UTF-8 files; in others it comes as a lone surrogate, which
    is not valid UTF-8 either. `text` turns both back into the text that an exact reader sees.
    """

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._given_back = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._errors = "surrogateescape"
        self._bom = encoding == "utf-8-sig"
        if not encoding.startswith("utf-8"):
            self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
            self._errors = "surrogatepass"
        self._ended = False

    def read(self, size: int | None = None) -> bytes:
        """Some more bytes; none at the end."""
        if self._given_back:
            data, self._given_back = self._given_back, b""
            return data
        while not self._ended:
            data = self._stream.read(size or BLOCK)
            self._ended = not data
            if self._bom:
                data, self._bom = data.removeprefix(codecs.BOM_UTF8), False
            if self._decoder is not None:
                data = self._decode(data)
            if data:
                return data
        return b""

    def give_back(self, data: bytes) -> None:
        self._given_back = data + self._given_back

    def text(self, data: bytes) -> str:
        return data.decode("utf-8", self._errors)

    def to_bytes(self, text: str) -> bytes:
        return text.encode("utf-8", self._errors)

    def _decode(self, data: bytes) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decode(data, final=self._ended).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise FileRefused("encoding.invalid", f"cannot be decoded: {error.reason}", line=1) from error


class Feed:
    """Text of a source line by line (ends kept: LF, CR or both). A line longer than the cap refuses the file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._piece = io.StringIO()
        self._pending = b""

    def readline(self) -> str:
        line = self._piece.readline()
        if not line and self._fill():
            line = self._piece.readline()
        return line

    def give_back(self) -> None:
        """Hand the source what was not read."""
        self._source.give_back(self._source.to_bytes(self._piece.read()) + self._pending)
        self._pending = b""

    def _fill(self) -> bool:
        """Take whole lines from the source; False at its end."""
        while True:
            end = max(self._pending.rfind(b"\n"), self._pending.rfind(b"\r", 0, -1)) + 1
            if len(self._pending) > 4 * _PIECE and 0 < (near := self._pending.find(b"\n", _PIECE) + 1) < end:
                end = near
            if end:
                break
            limits().check_line(self._pending)
            more = self._source.read()
            if not more:
                end = len(self._pending)
                break
            self._pending += more
        self._piece = io.StringIO(self._source.text(self._pending[:end]), newline="")
        self._pending = self._pending[end:]
        return end > 0


class Blocks:
    """Blocks of a source. A block ends behind a line end outside of quotes, if such a place is near."""

    def __init__(self, source: Source, dialect: Dialect) -> None:
        self._source = source
        self._quote = None if dialect.quote is None else dialect.quote.encode()

    def next(self) -> bytes:
        """The next block; empty at the end of the file."""
        data = self._source.read()
        while True:
            if len(data) >= BLOCK:
                end = record_end(data, self._quote)
                if end:
                    break
                if len(data) > 4 * BLOCK:
                    end = data.rfind(b"\n") + 1 or len(data)
                    break
            more = self._source.read(max(BLOCK - len(data), _PIECE))
            if not more:
                return data
            data += more
        self._source.give_back(data[end:])
        return data[:end]


def record_end(data: bytes, quote: bytes | None) -> int:
    """Just behind the last line end of `data` that has an even number of quotes before it; 0 if there is none."""
    end = data.rfind(b"\n")
    if quote is None or end < 0:
        return end + 1
    quotes = count_of(data, quote, end)
    while end >= 0 and quotes % 2:
        before = data.rfind(quote, 0, end)
        start = data.rfind(b"\n", 0, before)
        quotes -= data.count(quote, max(start, 0), end)
        end = start
    return end + 1


def count_of(data: bytes, sign: bytes, end: int = -1) -> int:
    """How often a byte stands in `data` before `end`; faster than `bytes.count` where it stands often."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8, end) == sign[0]))
