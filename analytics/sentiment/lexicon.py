"""Where a text holds known words: the longest one at a place, the first place first.

Most of the time of a reading goes into places where no known word begins, so both languages leave these quickly: an
English word begins after a character that belongs to none, a Japanese one with two characters that few places have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

#: complaints and praise: words by strength.
Lists = tuple[dict[float, str], dict[float, str]]


#: A known word in a text: where it begins and ends, its signed strength, whether it speaks of leaving.
Found = tuple[int, int, float, bool]


def _strengths(lists: Lists, leaving: str, neutral: str, separator: str | None) -> tuple[dict[str, float], set[str]]:
    """Signed strength by word, and the words of leaving."""

    def words_of(text: str) -> list[str]:
        return [" ".join(part.split()) for part in text.split(separator) if part.strip()]

    strength = {
        word: sign * size
        for words, sign in zip(lists, (-1.0, 1.0), strict=True)
        for size, text in words.items()
        for word in words_of(text)
    }
    leaves = set(words_of(leaving))
    return strength | dict.fromkeys(leaves, -1.0) | dict.fromkeys(words_of(neutral), 0.0), leaves


class EnglishWords:
    """Phrases between semicolons, found as whole words only; `*` stands for any ending."""

    _REST = "[a-z']*"

    def __init__(self, lists: Lists, leaving: str, neutral: str) -> None:
        self._strength, self._leaves = _strengths(lists, leaving, neutral, ";")
        # The longest first: of 'no reply' and 'no' the one that says more.
        words = sorted(self._strength, key=lambda w: (-len(w), w))
        self._open = [(re.compile("".join(self._parts(w))), w) for w in words if "*" in w]
        known = self._branches([self._parts(word) for word in words])
        # A set of characters before the word is looked for much faster than the edge of a word is; beyond ASCII it
        # would be too long.
        before = re.escape("".join(c for c in map(chr, range(128)) if not (c.isalnum() or c == "_")))
        self._in_ascii = re.compile(rf"[{before}]({known})\b")
        self._anywhere = re.compile(rf"\b({known})\b")
        self._known: dict[str, tuple[float, bool]] = {}

    def found(self, text: str) -> Iterator[Found]:
        """Known words of a text that begins with a blank."""
        search = (self._in_ascii if text.isascii() else self._anywhere).search
        match = search(text)
        while match is not None:
            word, end = match[1], match.end()
            size, leaves = self._known.get(word) or self._meaning(word)
            yield match.start(1), end, size, leaves
            # An open ending may take an apostrophe, after which the next word begins.
            match = search(text, end - (word[-1] == "'"))

    def _meaning(self, found: str) -> tuple[float, bool]:
        written = " ".join(found.split())
        word = written if written in self._strength else next(w for f, w in self._open if f.fullmatch(written))
        self._known[found] = known = self._strength[word], word in self._leaves
        return known

    @classmethod
    def _parts(cls, word: str) -> list[str]:
        return [cls._REST if c == "*" else r"\s+" if c == " " else re.escape(c) for c in word]

    @classmethod
    def _branches(cls, words: Sequence[list[str]]) -> str:
        """One expression that tries words in this order, those with the same beginning after one look at it."""
        found: list[str] = []
        same: dict[str, list[list[str]]] = {}

        def close() -> None:
            found.extend(part + cls._branches(rest) for part, rest in same.items())
            same.clear()

        for word in words:
            if word and word[0] != cls._REST:
                same.setdefault(word[0], []).append(word[1:])
            else:
                # An end or an open ending excludes no other word: those before it have to be tried before it.
                close()
                found.append("".join(word))
        close()
        return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


class JapaneseWords:
    """Stems of two characters or more between blanks, found anywhere: nothing cuts a text into words."""

    def __init__(self, lists: Lists, leaving: str, neutral: str) -> None:
        strength, leaves = _strengths(lists, leaving, neutral, None)
        self._by_pair: dict[str, list[tuple[str, float, bool]]] = {}
        for word in sorted(strength, key=lambda w: (-len(w), w)):
            self._by_pair.setdefault(word[:2], []).append((word, strength[word], word in leaves))
        letters = {c: k for k, c in enumerate(sorted({c for pair in self._by_pair for c in pair}), start=1)}
        self._letter = np.zeros(0x10000, dtype=np.int16)
        self._letter[[ord(c) for c in letters]] = list(letters.values())
        self._begins = np.zeros((len(letters) + 1, len(letters) + 1), dtype=np.bool_)
        for pair in self._by_pair:
            self._begins[letters[pair[0]], letters[pair[1]]] = True

    def places(self, texts: Sequence[str]) -> list[list[int]]:
        """Of each text the places at which a known word may begin."""
        joined = "\0".join([*texts, ""])
        codes: npt.NDArray[np.uint32] = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        letter = self._letter[np.minimum(codes, 0xFFFF)]
        at = np.flatnonzero(self._begins[letter[:-1], letter[1:]])
        first = np.cumsum([0, *(len(text) + 1 for text in texts)])
        text = np.searchsorted(first, at, side="right") - 1
        inside = (at - first[text]).tolist()
        edges = np.searchsorted(at, first).tolist()
        return [inside[low:high] for low, high in pairwise(edges)]

    def found(self, text: str, places: Sequence[int]) -> Iterator[Found]:
        """The longest known word at each of these places; where it begins within the one before it, too."""
        by_pair = self._by_pair
        for place in places:
            for word, size, leaves in by_pair[text[place : place + 2]]:
                if text.startswith(word, place):
                    yield place, place + len(word), size, leaves
                    break
