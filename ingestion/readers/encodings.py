"""Which encoding a text is really written in, and EUC-JP as Japanese systems write it.

A wrong declaration is not always an error: UTF-8 read as CP932, or EUC-JP read as CP932, often decodes without one and
gives other characters (mojibake). What a text is, is told by which encodings the whole of it is valid in, and by how
much of it is everyday Japanese in each of them.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from functools import lru_cache

#: EUC-JP with the vendor characters of CP932 (㈱, ①, 髙), which Python's own `euc_jp` does not know.
EUC_JP = "eucjp-ms"

#: Python's `euc_jp` and CP932 disagree about seven characters; one text must not become two.
_AS_CP932 = str.maketrans("〜−‖—¢£¬", "～－∥―￠￡￢")

#: How much everyday Japanese the other encoding must show, and how much more than the declared one.
_PLAIN, _PLAINER = 0.6, 0.3

_KANA = re.compile("[\u3041-\u30fa]")
_FOREIGN_RUN = re.compile("[^\x00-\x7f]+")
_THREE_BYTES = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")


def _pair(error: UnicodeError) -> tuple[str, int] | None:
    """A two-byte character of the vendor rows: as CP932 has it, since the rows are the same."""
    if not isinstance(error, UnicodeDecodeError):
        return None
    lead, trail = (*error.object[error.start : error.start + 2], 0, 0)[:2]
    if not (0xA1 <= lead <= 0xFE and 0xA1 <= trail <= 0xFE):
        return None
    row, cell = lead - 0xA1, trail - 0xA1
    first = row // 2 + (0x81 if row < 62 else 0xC1)
    second = cell + (0x9F if row % 2 else 0x40 + (cell >= 63))
    try:
        return bytes((first, second)).decode("cp932"), error.start + 2
    except UnicodeDecodeError:
        return None


def _strict(error: UnicodeError) -> tuple[str | bytes, int]:
    found = _pair(error)
    if found is None:
        raise error
    return found


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    return _pair(error) or codecs.lookup_error("surrogateescape")(error)


codecs.register_error("eucjp-ms-strict", _strict)
codecs.register_error("eucjp-ms-surrogateescape", _escape)


class _Decoder(codecs.IncrementalDecoder):
    def __init__(self, errors: str = "strict") -> None:
        super().__init__(errors)
        self._inner = codecs.getincrementaldecoder("euc_jp")(f"{EUC_JP}-{errors}")

    def decode(self, input: bytes, final: bool = False) -> str:  # type: ignore[override]
        return self._inner.decode(input, final).translate(_AS_CP932)

    def reset(self) -> None:
        self._inner.reset()

    def getstate(self) -> tuple[bytes, int]:
        return self._inner.getstate()

    def setstate(self, state: tuple[bytes, int]) -> None:
        self._inner.setstate(state)


def _decode(data: bytes, errors: str = "strict") -> tuple[str, int]:
    return _Decoder(errors).decode(bytes(data), True), len(data)


def _find(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != EUC_JP:
        return None
    plain = codecs.lookup("euc_jp")
    return codecs.CodecInfo(
        plain.encode,
        _decode,  # type: ignore[arg-type]
        incrementaldecoder=_Decoder,
        incrementalencoder=plain.incrementalencoder,
        name=EUC_JP,
    )


codecs.register(_find)


def everyday_share(text: str) -> float:
    """How much of what is not ASCII is everyday Japanese or accented Latin, from 0 to 1; 1 for nothing but ASCII."""
    counts = Counter(character for character in text if character > "\x7f")
    total = sum(counts.values())
    return 1.0 if not total else sum(_weight(character) * count for character, count in counts.items()) / total


@lru_cache(maxsize=20_000)
def _weight(character: str) -> float:
    """1 for kana, common kanji, full-width forms and accented letters; less for what mojibake is made of."""
    if "\u3000" <= character <= "\u30ff" or "\uff01" <= character <= "\uff5e" or "\u00c0" <= character <= "\u017f":
        return 1.0
    if "\uff61" <= character <= "\uff9f":
        return 0.2
    try:
        lead = character.encode("cp932")[0]
    except UnicodeEncodeError:
        return 0.2
    if 0x88 <= lead <= 0x97:
        return 1.0
    return 0.6 if lead in (0x87, 0xED, 0xEE, 0xFA, 0xFB, 0xFC) else 0.3


def decoded(data: bytes, encoding: str) -> str | None:
    """The text, or None where the bytes are not valid. A character that the end cuts off does not count."""
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(data)
    except UnicodeDecodeError:
        return None
    return None if encoding == "cp932" and re.search("[\uf8f0-\uf8f3]", text) else text


def likelier(data: bytes, used: str) -> str | None:
    """The encoding that `data` is really written in where it is plainly not `used`; None when `used` may be right."""
    if data.isascii():
        return None
    mine = decoded(data, used)
    share = 0.0 if mine is None or _is_run_together(mine, used) else everyday_share(mine)
    utf8 = None if used in ("utf-8", "utf-8-sig") else decoded(data, "utf-8")
    if utf8 is not None and _is_utf8_on_purpose(data, used) and share - everyday_share(utf8) < _PLAINER:
        return "utf-8"
    best, found = 0.0 if mine is None else max(_PLAIN, share + _PLAINER), None
    for other in ("cp932", EUC_JP):
        text = None if other == used else decoded(data, other)
        if text is None or (mine is not None and not _has_kana(text)):
            continue
        if (share := everyday_share(text)) >= best:
            best, found = share, other
    return found


def _is_run_together(text: str, used: str) -> bool:
    """Accented letters stand alone between plain ones; three and more in a row are another alphabet's bytes."""
    runs = _FOREIGN_RUN.findall(text) if used in ("latin-1", "cp1252") else []
    return bool(runs) and sum(map(len, runs)) >= 3 * len(runs)


def _has_kana(text: str) -> bool:
    """Half-width kana read as pairs give odd kanji, hardly ever kana; a text in EUC-JP is full of them."""
    kana = len(_KANA.findall(text))
    return kana >= 3 and kana >= 0.15 * sum(character > "\x7f" for character in text)


def _is_utf8_on_purpose(data: bytes, used: str) -> bool:
    """Valid by chance is possible for a few half-width kana; three bytes in a row are none, but for a rare pair of
    characters such as 﨑①, which is why what they would mean is compared too."""
    return used not in ("cp932", EUC_JP) or _THREE_BYTES.search(data) is not None


def utf16_without_mark(head: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` where every other byte of the start is NUL, as in Latin text."""
    half = len(head) // 2
    if half < 4:
        return None
    if head[1::2].count(0) > 0.7 * half and head[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if head[0::2].count(0) > 0.7 * half and head[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None
