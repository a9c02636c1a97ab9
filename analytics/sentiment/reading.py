"""A score per text: which known words of praise and complaint it holds, how strong, turned round by a negation.

No model and no training: the same text always has the same score, and every score can be traced to words
(english.py, japanese.py). What holds no known word has no score, which is not the same as a neutral one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from analytics.sentiment import english, japanese

SENTIMENT_SCHEMA = pa.schema([
    ("text", pa.string()), ("score", pa.float64()), ("language", pa.string()),
    ("evidence", pa.int64()), ("is_leaving", pa.bool_()),
])  # fmt: skip

#: Characters read of one text: a quoted thread below a message is somebody else's words, and time is bounded.
READ = 2_000
# 'Not good' is nearly bad, 'no problem' only just good.
_PRAISE_DENIED, _COMPLAINT_DENIED = -0.8, -0.4
_LOUDER, _SOFTER = 1.3, 0.6
# What stands after 'but' is what the writer wants to say.
_CONCEDED = 0.5

_KANA = re.compile("[ぁ-ゖァ-ヺ]")
_HAN = re.compile("[一-鿿]")
_LATIN = re.compile("[a-z]{2}")
_MARKUP = re.compile(r"<[a-z/!][^<>]{0,300}>")
_LINK = re.compile(r"https?://\S+|\S+@\S+")

# Of this and the two words before a word: 'not very good', "isn't a good", 'no real help'.
_EN_DENIED = re.compile(
    r"(?:\b(?:not|no|never|without|hardly|barely|cannot|cant|neither|nor|nothing|nobody|far from)|n't)"
    r"(?! only)\s+(?:[a-z']+\s+){0,2}$"
)
_EN_LOUD = re.compile(
    r"\b(?:very|really|extremely|so|too|absolutely|totally|completely|utterly|incredibly|truly|such an?|most)\s+$"
)
_EN_SOFT = re.compile(r"\b(?:slightly|a bit|a little|somewhat|fairly|rather|kind of|a few|minor|almost)\s+$")
_EN_BUT = re.compile(r"\b(?:but|however|although|though|yet|until)\b")
_EN_END = re.compile(r"[.!?;:,\n()]")
# Endings that deny what they follow, with nothing but hiragana between: 満足していません, 良くはなかった.
_JA_DENIED = re.compile(
    "[ぁ-ん]{0,6}?"
    "(?:ない|なかっ|なく(?:[てな、。もは]|$)|なけれ|ませ[んぬ]|(?:でき|せ|られ|え)ず|とは言え|とはいえ|どころか)"
)
_JA_LOUD = re.compile(
    "(?:とても|大変|たいへん|非常に|すごく|凄く|かなり|本当に|ほんとうに|まったく|全く|全然|あまりに|とにかく)$"
)
_JA_SOFT = re.compile("(?:少し|すこし|ちょっと|若干|やや|多少|まあ|まぁ|わりと|割と)$")
_JA_BUT = re.compile(
    "(?:です|ます|した|ない|いい|良い|かった|る)が[、,]|けれど|けど|しかし|ただし|ものの|のに[、,]|でも[、,]"
)


class TextScore(NamedTuple):
    """score: -1 (complaint) to 1 (praise), NULL where no word is known; language: en, ja or NULL (neither);
    evidence: words it rests on; is_leaving: it speaks of ending the relation."""

    score: float | None
    language: str | None
    evidence: int
    is_leaving: bool


class _Lexicon:
    """Strength by word, and one expression that finds the longest word at a place."""

    def __init__(
        self, lists: tuple[dict[float, str], dict[float, str]], leaving: str, neutral: str, *, latin: bool
    ) -> None:
        """`lists`: complaints and praise. `latin`: phrases between semicolons, found as whole words only."""

        def words_of(text: str) -> list[str]:
            return [" ".join(part.split()) for part in (text.split(";") if latin else text.split()) if part.strip()]

        strength = {
            word: sign * size
            for words, sign in zip(lists, (-1.0, 1.0), strict=True)
            for size, text in words.items()
            for word in words_of(text)
        }
        self._leaves = set(words_of(leaving))
        strength |= dict.fromkeys(self._leaves, -1.0) | dict.fromkeys(words_of(neutral), 0.0)
        self._strength = strength
        # The longest first; grouped by their first letter, since hundreds of branches side by side are slow.
        by_first: dict[str, list[str]] = {}
        for word in sorted(strength, key=lambda w: (-len(w), w)):
            by_first.setdefault(word[0], []).append(word)
        self._open = [(re.compile(_expression(w)), w) for w in sorted(strength, key=len, reverse=True) if "*" in w]
        branches = "|".join(
            f"{re.escape(first)}(?:{'|'.join(_expression(word[1:]) for word in group)})"
            for first, group in by_first.items()
        )
        self.find = re.compile(rf"\b(?:{branches})\b" if latin else f"(?:{branches})")
        self._known: dict[str, tuple[float, bool]] = {}

    def meaning(self, found: str) -> tuple[float, bool]:
        """(signed strength, speaks of leaving) of what `find` found."""
        known = self._known.get(found)
        if known is None:
            written = " ".join(found.split())
            word = written if written in self._strength else next(w for f, w in self._open if f.fullmatch(written))
            known = self._strength[word], word in self._leaves
            self._known[found] = known
        return known


def _expression(word: str) -> str:
    return re.escape(word).replace(r"\*", "[a-z']*").replace(r"\ ", r"\s+")


_ENGLISH = _Lexicon((english.COMPLAINTS, english.PRAISE), english.LEAVING, english.NEUTRAL, latin=True)
_JAPANESE = _Lexicon((japanese.COMPLAINTS, japanese.PRAISE), japanese.LEAVING, japanese.NEUTRAL, latin=False)


def language_of(text: str) -> str | None:
    """ja where there is kana, or han without latin words; en where there are latin words; else NULL."""
    if _KANA.search(text):
        return "ja"
    latin = _LATIN.search(text)
    if _HAN.search(text):
        return None if latin else "ja"
    return "en" if latin else None


def score_text(text: str | None) -> TextScore:
    """Score of one text; an empty one has none."""
    read = _plain(text or "")
    language = language_of(read)
    if language is None:
        return TextScore(None, None, 0, False)
    weights, leaving = _japanese(read) if language == "ja" else _english(read)
    if not weights:
        return TextScore(None, language, 0, False)
    mean = sum(weights) / len(weights)
    return TextScore(round(max(-1.0, min(1.0, mean)), 4), language, len(weights), leaving)


def score_texts(texts: Iterable[str | None]) -> pa.Table:
    """One row per distinct text that is not NULL (SENTIMENT_SCHEMA), in the order of their first appearance."""
    distinct = [text for text in dict.fromkeys(texts) if text is not None]
    rows = [score_text(text) for text in distinct]
    scores, languages, evidence, leaving = (list(c) for c in zip(*rows, strict=True)) if rows else ([], [], [], [])
    columns = (distinct, scores, languages, evidence, leaving)
    return pa.table(
        {f.name: pa.array(c, f.type) for f, c in zip(SENTIMENT_SCHEMA, columns, strict=True)}, schema=SENTIMENT_SCHEMA
    )


def _plain(text: str) -> str:
    """Full-width and half-width forms as one, lower case, without markup, links and addresses."""
    read = unicodedata.normalize("NFKC", text[:READ]).lower().replace("\u2019", "'")
    if "<" in read:
        read = _MARKUP.sub(" ", read)
    return _LINK.sub(" ", read) if "@" in read or "http" in read else read


def _english(text: str) -> tuple[list[float], bool]:
    text = text.replace("-", " ")
    weights: list[float] = []
    leaving, begin = False, 0
    for match in _ENGLISH.find.finditer(text):
        size, leaves = _ENGLISH.meaning(match[0])
        if size == 0:
            continue
        before = _EN_END.split(text[max(begin, match.start() - 40) : match.start()])[-1]
        denied = _EN_DENIED.search(before) is not None
        if weights and _EN_BUT.search(text, begin, match.start()):
            weights = [w * _CONCEDED for w in weights]
        loud, soft = _EN_LOUD.search(before), _EN_SOFT.search(before)
        weights.append(_sized(size, denied=denied, loud=loud is not None, soft=soft is not None))
        leaving |= leaves and not denied
        begin = match.end()
    return weights, leaving


def _japanese(text: str) -> tuple[list[float], bool]:
    weights: list[float] = []
    leaving, begin, place = False, 0, 0
    while (match := _JAPANESE.find.search(text, place)) is not None:
        place = match.end()
        size, leaves = _JAPANESE.meaning(match[0])
        if size == 0:
            continue
        before = text[max(begin, match.start() - 6) : match.start()]
        # A stem that ends within its own denial (届かな, もう使わな) is not denied by the rest of it.
        ended = match[0][-1] in "なまにせ" or match[0].startswith(japanese.DENIED_ALREADY)
        denial = None if ended else _JA_DENIED.match(text, place)
        if weights and _JA_BUT.search(text, begin, match.start()):
            weights = [w * _CONCEDED for w in weights]
        loud, soft = _JA_LOUD.search(before), _JA_SOFT.search(before)
        weights.append(_sized(size, denied=denial is not None, loud=loud is not None, soft=soft is not None))
        leaving |= leaves and denial is None
        begin = place = denial.end() if denial else place
    return weights, leaving


def _sized(size: float, *, denied: bool, loud: bool, soft: bool) -> float:
    if loud or soft:
        size *= _LOUDER if loud else _SOFTER
    if denied:
        size *= _PRAISE_DENIED if size > 0 else _COMPLAINT_DENIED
    return max(-1.0, min(1.0, size))
