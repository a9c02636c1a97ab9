"""The reader looks only where a known word or a word that changes it can stand. A plain one, which looks everywhere
with one flat expression, must say the same of texts put together at random."""

from __future__ import annotations

import random
import re

import pytest

from analytics.sentiment import TextScore, english, japanese, reading, score_text, score_texts

Module = type(english)
TEXTS = 1_500


def phrases(module: Module, separator: str | None) -> dict[str, tuple[float, bool]]:
    """Signed strength and whether it speaks of leaving, by phrase."""
    known: dict[str, tuple[float, bool]] = {}
    for words, sign in ((module.COMPLAINTS, -1.0), (module.PRAISE, 1.0)):
        for size, text in words.items():
            known |= {" ".join(p.split()): (sign * size, False) for p in text.split(separator) if p.strip()}
    for text, meaning in ((module.LEAVING, (-1.0, True)), (module.NEUTRAL, (0.0, False))):
        known |= {" ".join(p.split()): meaning for p in text.split(separator) if p.strip()}
    return known


def expression(phrase: str) -> str:
    return re.escape(phrase).replace(r"\*", "[a-z']*").replace(r"\ ", r"\s+")


ENGLISH, JAPANESE = phrases(english, ";"), phrases(japanese, None)
LONGEST_FIRST = {
    "en": sorted(ENGLISH, key=lambda w: (-len(w), w)),
    "ja": sorted(JAPANESE, key=lambda w: (-len(w), w)),
}
EVERYWHERE = {
    "en": re.compile(rf"\b(?:{'|'.join(map(expression, LONGEST_FIRST['en']))})\b"),
    "ja": re.compile("|".join(map(re.escape, LONGEST_FIRST["ja"]))),
}
OPEN = [(re.compile(expression(w)), w) for w in LONGEST_FIRST["en"] if "*" in w]


def plain(text: str) -> TextScore:
    read = reading._plain(text)
    language = reading.language_of(read)
    if language is None:
        return TextScore(None, None, 0, False)
    weights, leaving = english_weights(read.replace("-", " ")) if language == "en" else japanese_weights(read)
    mean = sum(weights) / len(weights) if weights else None
    return TextScore(None if mean is None else round(mean, 4), language, len(weights), leaving)


def english_weights(text: str) -> tuple[list[float], bool]:
    weights: list[float] = []
    leaving, begin = False, 0
    for match in EVERYWHERE["en"].finditer(text):
        written = " ".join(match[0].split())
        size, leaves = ENGLISH[
            written if written in ENGLISH else next(w for found, w in OPEN if found.fullmatch(written))
        ]
        if size == 0:
            continue
        before = reading._EN_END.split(text[max(begin, match.start() - 40) : match.start()])[-1]
        denied, loud, soft = (
            found.search(before) is not None for found in (reading._EN_DENIED, reading._EN_LOUD, reading._EN_SOFT)
        )
        if weights and reading._EN_BUT.search(text, begin, match.start()):
            weights = [w / 2 for w in weights]
        weights.append(reading._sized(size, denied=denied, loud=loud, soft=soft))
        leaving |= leaves and not denied
        begin = match.end()
    return weights, leaving


def japanese_weights(text: str) -> tuple[list[float], bool]:
    weights: list[float] = []
    leaving, begin, place = False, 0, 0
    while (match := EVERYWHERE["ja"].search(text, place)) is not None:
        place = match.end()
        size, leaves = JAPANESE[match[0]]
        if size == 0:
            continue
        before = text[max(begin, match.start() - 6) : match.start()]
        loud, soft = (
            re.search(f"(?:{'|'.join(words)})$", before) is not None for words in (reading._JA_LOUD, reading._JA_SOFT)
        )
        ended = match[0][-1] in "なまにせ" or match[0].startswith(japanese.DENIED_ALREADY)
        denial = None if ended else reading._JA_DENIED.match(text, place)
        if weights and reading._JA_BUT.search(text, begin, match.start()):
            weights = [w / 2 for w in weights]
        weights.append(reading._sized(size, denied=denial is not None, loud=loud, soft=soft))
        leaving |= leaves and denial is None
        begin = place = denial.end() if denial else place
    return weights, leaving


EN_OTHERS = """
    not; no; never; without; hardly; cannot; can't; neither; nothing; far from; only; so; very; such a; most; slightly;
    a bit; kind of; a few; almost; but; though; yet; the; it; was; 5; stars; café; “; ’s; x_y
"""
JA_OTHERS = """
    とても; 非常に; まったく; 少し; やや; まあ; ない; なかった; なくて; ません; できず; どころか; ですが、; けれど;
    しかし; のに、; 商品; が; は; を; の; も; 箱; す; 𠮷; ｱ
"""
SAID_WITH = {
    "en": (
        EN_OTHERS,
        [" "] * 12 + ["  ", ", ", ". ", "!", "\n", "-", "/", "(", '"', "'", "_", "\t", ": ", "—", "\x1c"],
    ),
    "ja": (JA_OTHERS, [""] * 9 + ["、", "。", "\n"]),
}


def texts(language: str) -> list[str]:
    rng = random.Random(7)
    text, gaps = SAID_WITH[language]
    others = [part.strip() for part in text.split(";")]
    said = []
    for _ in range(TEXTS):
        parts = []
        for _ in range(rng.randint(1, 12)):
            part = rng.choice(LONGEST_FIRST[language]) if rng.random() < 0.5 else rng.choice(others)
            parts += [part.replace("*", rng.choice(("", "ing", "s", "'", "2", "é"))), rng.choice(gaps)]
        said.append("".join(parts))
    return said


@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_is_passed_over_holds_nothing(language: str) -> None:
    said = list(dict.fromkeys(texts(language)))
    expected = [plain(text) for text in said]
    rows = score_texts(said).select(["score", "language", "evidence", "is_leaving"]).to_pylist()
    differ = [(t, e, r) for t, e, r in zip(said, expected, rows, strict=True) if tuple(r.values()) != e]
    assert differ == []
    assert sum(e.evidence for e in expected) > 2 * TEXTS and sum(e.is_leaving for e in expected) > TEXTS / 20


@pytest.mark.parametrize("text", ["enjoy'5 stars", "works'well", "x_good", "good_x", "(good)bad/nice"])
def test_words_side_by_side_are_seen_as_everywhere(text: str) -> None:
    assert score_text(text) == plain(text)


@pytest.mark.parametrize("size", [reading._TOGETHER - 1, reading._TOGETHER + 1])
def test_a_text_sounds_the_same_among_others(size: int) -> None:
    said = [f"{text}{k}" for k, text in zip(range(size), [*texts("ja"), *texts("en")], strict=False)]
    rows = score_texts(said).to_pylist()
    assert [(r["text"], r["score"]) for r in rows] == [(t, score_text(t).score) for t in said]
