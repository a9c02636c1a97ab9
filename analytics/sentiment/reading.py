"""A score per text: which known words of praise and complaint it holds, how strong, turned round by a negation.

No model and no training: the same text always has the same score, and every score can be traced to words
(english.py, japanese.py). What holds no known word has no score, which is not the same as a neutral one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from analytics.sentiment import english, japanese
from analytics.sentiment.lexicon import EnglishWords, JapaneseWords

SENTIMENT_SCHEMA = pa.schema([
    ("text", pa.string()), ("score", pa.float64()), ("language", pa.string()),
    ("evidence", pa.int64()), ("is_leaving", pa.bool_()),
])  # fmt: skip

#: Characters read of one text: a quoted thread below a message is somebody else's words, and time is bounded.
READ = 2_000
# Texts looked through at a time for places where Japanese words begin.
_TOGETHER = 1_000
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
# How what stands before a word ends at least, for the two expressions above to hold.
_EN_SIZED_ENDS = (
    "very", "really", "extremely", "so", "too", "absolutely", "totally", "completely", "utterly", "incredibly", "truly",
    "a", "an", "most", "slightly", "bit", "little", "somewhat", "fairly", "rather", "of", "few", "minor", "almost",
)  # fmt: skip
_EN_END = re.compile(r"[.!?;:,\n()]")
# Endings that deny what they follow, with nothing but hiragana between: 満足していません, 良くはなかった.
_JA_DENIED = re.compile(
    "[ぁ-ん]{0,6}?"
    "(?:ない|なかっ|なく(?:[てな、。もは]|$)|なけれ|ませ[んぬ]|(?:でき|せ|られ|え)ず|とは言え|とはいえ|どころか)"
)
_JA_LOUD = (
    "とても", "大変", "たいへん", "非常に", "すごく", "凄く", "かなり", "本当に", "ほんとうに", "まったく", "全く",
    "全然", "あまりに", "とにかく",
)  # fmt: skip
_JA_SOFT = ("少し", "すこし", "ちょっと", "若干", "やや", "多少", "まあ", "まぁ", "わりと", "割と")
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


_ENGLISH = EnglishWords((english.COMPLAINTS, english.PRAISE), english.LEAVING, english.NEUTRAL)
_JAPANESE = JapaneseWords((japanese.COMPLAINTS, japanese.PRAISE), japanese.LEAVING, japanese.NEUTRAL)


def language_of(text: str) -> str | None:
    """ja where there is kana, or han without latin words; en where there are latin words; else NULL."""
    if text.isascii():
        return "en" if _LATIN.search(text) else None
    if _KANA.search(text):
        return "ja"
    latin = _LATIN.search(text)
    if _HAN.search(text):
        return None if latin else "ja"
    return "en" if latin else None


def score_text(text: str | None) -> TextScore:
    """Score of one text; an empty one has none."""
    return _scored([text or ""])[0]


def score_texts(texts: Iterable[str | None]) -> pa.Table:
    """One row per distinct text that is not NULL (SENTIMENT_SCHEMA), in the order of their first appearance."""
    distinct = [text for text in dict.fromkeys(texts) if text is not None]
    rows = [row for k in range(0, len(distinct), _TOGETHER) for row in _scored(distinct[k : k + _TOGETHER])]
    scores, languages, evidence, leaving = (list(c) for c in zip(*rows, strict=True)) if rows else ([], [], [], [])
    columns = (distinct, scores, languages, evidence, leaving)
    return pa.table(
        {f.name: pa.array(c, f.type) for f, c in zip(SENTIMENT_SCHEMA, columns, strict=True)}, schema=SENTIMENT_SCHEMA
    )


def _scored(texts: Sequence[str]) -> list[TextScore]:
    """Scores of a few texts, in their order."""
    read = [_plain(text) for text in texts]
    languages = [language_of(text) for text in read]
    places = iter(_JAPANESE.places([t for t, language in zip(read, languages, strict=True) if language == "ja"]))
    found = []
    for text, language in zip(read, languages, strict=True):
        weights, leaving = _english(text) if language == "en" else ([], False)
        if language == "ja":
            weights, leaving = _japanese(text, next(places))
        mean = sum(weights) / len(weights) if weights else None
        score = None if mean is None else round(max(-1.0, min(1.0, mean)), 4)
        found.append(TextScore(score, language, len(weights), leaving))
    return found


def _plain(text: str) -> str:
    """Full-width and half-width forms as one, lower case, without markup, links and addresses."""
    read = text[:READ]
    if not read.isascii():
        read = unicodedata.normalize("NFKC", read).replace("\u2019", "'")
    read = read.lower()
    if "<" in read:
        read = _MARKUP.sub(" ", read)
    return _LINK.sub(" ", read) if "@" in read or "http" in read else read


def _english(text: str) -> tuple[list[float], bool]:
    text = " " + text.replace("-", " ")
    weights: list[float] = []
    leaving, begin = False, 0
    may_turn = "but" in text or "though" in text or "however" in text or "yet" in text or "until" in text
    for start, end, size, leaves in _ENGLISH.found(text):
        if size == 0:
            continue
        if may_turn and weights and _EN_BUT.search(text, begin, start):
            weights = [w * _CONCEDED for w in weights]
        near = text[begin if begin > start - 40 else start - 40 : start]
        denied = False
        if _en_may_change(near):
            before = _EN_END.split(near)[-1]
            denied = _EN_DENIED.search(before) is not None
            loud, soft = _EN_LOUD.search(before), _EN_SOFT.search(before)
            size = _sized(size, denied=denied, loud=loud is not None, soft=soft is not None)
        weights.append(size)
        leaving |= leaves and not denied
        begin = end
    return weights, leaving


def _en_may_change(near: str) -> bool:
    """Whether what stands before a word can change it: seen without an expression, as mostly nothing does."""
    written = near.rstrip()
    if not written or len(written) == len(near):
        return False
    # No stands in not, nor, nothing, nobody, cannot.
    return (
        "no" in near or "n't" in near or "never" in near or "without" in near or "hardly" in near
        or "barely" in near or "cant" in near or "neither" in near or "far from" in near
        or written.endswith(_EN_SIZED_ENDS)
    )  # fmt: skip


def _japanese(text: str, places: Sequence[int]) -> tuple[list[float], bool]:
    """`places`: where a known word may begin."""
    weights: list[float] = []
    leaving, begin, place = False, 0, 0
    for start, end, size, leaves in _JAPANESE.found(text, places):
        if start < place:
            continue
        place = end
        if size == 0:
            continue
        if weights and _JA_BUT.search(text, begin, start):
            weights = [w * _CONCEDED for w in weights]
        # A stem that ends within its own denial (届かな, もう使わな) is not denied by the rest of it.
        ended = text[end - 1] in "なまにせ" or text.startswith(japanese.DENIED_ALREADY, start)
        denial = None if ended else _JA_DENIED.match(text, end)
        before = text[begin if begin > start - 6 else start - 6 : start].removesuffix("\n")
        loud, soft = before.endswith(_JA_LOUD), before.endswith(_JA_SOFT)
        if denial or loud or soft:
            size = _sized(size, denied=denial is not None, loud=loud, soft=soft)
        weights.append(size)
        leaving |= leaves and denial is None
        begin = place = denial.end() if denial else end
    return weights, leaving


def _sized(size: float, *, denied: bool, loud: bool, soft: bool) -> float:
    if loud or soft:
        size *= _LOUDER if loud else _SOFTER
    if denied:
        size *= _PRAISE_DENIED if size > 0 else _COMPLAINT_DENIED
    return max(-1.0, min(1.0, size))
