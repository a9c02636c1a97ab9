"""Texts in the one form in which they are compared. The original stays with the source record."""

from __future__ import annotations

import re
import unicodedata

_NOT_WORD = re.compile(r"[\W_]+")
_KANA_ONLY = re.compile(r"[\u3041-\u309f\u30a0-\u30ff\s・]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_NOTHING_KNOWN = frozenset({
    "null", "none", "nil", "nan", "na", "unknown", "unspecified", "undefined", "anonymous", "guest", "test",
    "dummy", "notset", "notspecified", "不明", "未設定", "なし", "匿名", "ゲスト", "x", "xx", "xxx",
})  # fmt: skip


def nfkc(text: str | None) -> str:
    """Full-width letters and half-width kana in their usual width; empty for nothing."""
    return unicodedata.normalize("NFKC", text).strip() if text else ""


def compact(text: str | None) -> str | None:
    """Letters and digits only, lower case, Latin letters without accents; None where nothing is left.

    Spaces and hyphens go because they are what systems and typists disagree on most.
    """
    bare = _NOT_WORD.sub("", _unaccented(nfkc(text).casefold()))
    return None if not bare or bare in _NOTHING_KNOWN else bare


def is_cjk(text: str) -> bool:
    """Whether a text holds kana or kanji, whose names are written family first."""
    return _CJK.search(text) is not None


def is_kana(text: str) -> bool:
    """Whether a text is nothing but kana, i.e. a reading rather than a written name."""
    return _KANA_ONLY.fullmatch(text) is not None and text.strip() != ""


def reading(text: str | None) -> str | None:
    """Kana as katakana in full width, without spaces; None for a text that is not kana."""
    import jaconv

    plain = nfkc(text)
    if not is_kana(plain):
        return None
    return compact(jaconv.hira2kata(plain))


def _unaccented(text: str) -> str:
    """Latin letters without accents. Kana keep their voicing marks: か and が are different letters."""
    if text.isascii():
        return text
    letters = []
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        letters.append(parts[0] if parts[0].isascii() else letter)
    return "".join(letters)
