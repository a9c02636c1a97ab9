"""Given and family name of a person, whether they come apart or as one text, in Western or Japanese order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analytics.linkage.text import compact, is_cjk, is_kana, nfkc, reading

_TITLES = frozenset({
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "professor", "sir", "dame", "madam", "rev", "herr", "frau",
    "monsieur", "madame", "mme", "sig", "sra", "srta",
})  # fmt: skip
_SUFFIXES = frozenset({
    "jr", "sr", "ii", "iii", "iv", "phd", "md", "esq",
})  # fmt: skip
_HONORIFIC = re.compile(r"(?:\s*(?:様|さま|殿|さん|氏|先生|御中))+$")
_SPACES = re.compile(r"[\s\u3000]+")


@dataclass(frozen=True, slots=True)
class Name:
    """Comparable parts. `full` is the whole name where it is written in kanji or kana, which often come unseparated."""

    given: str | None = None
    family: str | None = None
    full: str | None = None
    reading: str | None = None


def name(given: str | None, family: str | None, full: str | None, kana: str | None) -> Name:
    """Names as sources give them; a written name in kana only is a reading, not a different name."""
    first: str | None = _bare(given)
    last: str | None = _bare(family)
    whole = _bare(full)
    if not first and not last and whole:
        first, last = _apart(whole)
    whole = (last or "") + (first or "") if first and last else whole or last or first or ""
    read = reading(kana) or reading(whole)
    if is_kana(whole):
        # タロウ says nothing against 太郎; the readings of both may be compared.
        return Name(full=None, reading=read)
    return Name(
        given=compact(first),
        family=compact(last),
        full=compact(whole) if is_cjk(whole) else None,
        reading=read,
    )


def _bare(text: str | None) -> str:
    """Without titles, suffixes and honorifics, unless nothing else is there."""
    plain = _HONORIFIC.sub("", nfkc(text))
    words = _SPACES.split(plain)
    kept = [word for word in words if (word.casefold().strip(".,")) not in _TITLES]
    while len(kept) > 1 and kept[-1].casefold().strip(".,") in _SUFFIXES:
        kept.pop()
    return " ".join(kept) or plain


def _apart(full: str) -> tuple[str | None, str | None]:
    """Given and family name of a whole name: `Family, Given`, `姓 名`, `Given Family`; one word stays whole."""
    if "," in full:
        family, _, given = full.partition(",")
        return given.strip() or None, family.strip() or None
    words = full.split(" ")
    if len(words) == 1:
        return (None, None) if is_cjk(full) else (None, full)
    if is_cjk(full):
        return "".join(words[1:]), words[0]
    return " ".join(words[:-1]), words[-1]
