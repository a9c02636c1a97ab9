from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from analytics.churn.judge import auc
from analytics.sentiment import SENTIMENT_SCHEMA, score_text, score_texts
from analytics.sentiment.reading import READ


@pytest.mark.parametrize(
    "text",
    [
        "The parcel never arrived and nobody answers.",
        "I am not satisfied with the service",
        "Great shop, but the kettle arrived broken.",
        "This is the third time it stopped working.",
        "荷物が届きません。連絡もありません。",
        "対応がとても悪く、がっかりしました",
        "品質には満足していません。",
        "デザインは良いのですが、すぐに壊れました。",
        "返信がなく困っています",
        "荷物がまだ届きません",
        "納得できない説明でした",
        "その後まったく音沙汰がない",
        "誰も対応してもらえませんでした",
        "期待したほどではなかった",
        "信頼できません",
        "ＨＥＬＰ！商品が破損していた",
    ],
)
def test_a_complaint_is_below_zero(text: str) -> None:
    found = score_text(text)
    assert found.score is not None and found.score <= -0.2 and found.evidence >= 1, found


@pytest.mark.parametrize(
    "text",
    [
        "Fast delivery and a lovely bowl, thank you!",
        "I have no complaints at all",
        "It was late, but the agent was excellent and very friendly",
        "丁寧な対応で助かりました。",
        "とても気に入っています。また購入します。",
        "少し遅れましたが、スタッフの方が親切で大満足です。",
        "特に問題ありませんでした",
        "文句のつけようがない",
        "信頼できます",
    ],
)
def test_praise_is_above_zero(text: str) -> None:
    found = score_text(text)
    assert found.score is not None and found.score >= 0.2, found


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("When does the shop open on Monday?", "en"),
        ("領収書の発行をお願いします", "ja"),
        ("いつもお世話になっております。ご面倒をおかけします。", "ja"),
        ("Kind regards, good morning", "en"),
        ("12345 !!", None),
        ("", None),
        (None, None),
        ("Добрый день", None),
    ],
)
def test_where_no_word_is_known_there_is_no_score(text: str | None, language: str | None) -> None:
    assert score_text(text) == (None, language, 0, False)


@pytest.mark.parametrize(
    ("louder", "quieter"),
    [
        ("very disappointing", "disappointing"),
        ("a bad seat", "a slightly bad seat"),
        ("not good", "not bad"),
        ("本当に残念です", "残念です"),
        ("不便です", "少し不便です"),
        ("満足できません", "不満はありません"),
    ],
)
def test_strength_and_denial_change_the_size(louder: str, quieter: str) -> None:
    first, second = score_text(louder).score, score_text(quieter).score
    assert first is not None and second is not None and first < second


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        ("Please cancel my subscription.", True),
        ("I will never order from you again", False),  # words in between are not looked through
        ("Never ordering again.", True),
        ("We are switching to another supplier", True),
        ("Please cancel my order 17", False),
        ("I am not going to cancel my subscription", False),
        ("解約したいです", True),
        ("もう利用しません。", True),
        ("二度と利用しません", True),
        ("他社に乗り換えます", True),
        ("解約しません、安心してください", False),
        ("注文をキャンセルしてください", False),
    ],
)
def test_who_wants_to_leave_says_so(text: str, leaves: bool) -> None:
    assert score_text(text).is_leaving is leaves


def test_a_denied_departure_is_no_complaint() -> None:
    assert (score_text("二度と買いません").score, score_text("解約しません").score) == (-1.0, 0.4)


def test_full_width_markup_links_and_case_do_not_matter() -> None:
    plain = score_text("Terrible service")
    assert plain == score_text("<p>ＴＥＲＲＩＢＬＥ</p> <b>service</b> https://example.com/great/best")


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert score_text("x" * READ + " terrible").score is None


def test_each_distinct_text_is_one_row_and_nulls_are_none() -> None:
    table = score_texts(["bad", None, "最高です", "bad", "17"])
    assert table.schema == SENTIMENT_SCHEMA
    assert table.to_pylist() == [
        {"text": "bad", "score": -0.8, "language": "en", "evidence": 1, "is_leaving": False},
        {"text": "最高です", "score": 1.0, "language": "ja", "evidence": 1, "is_leaving": False},
        {"text": "17", "score": None, "language": None, "evidence": 0, "is_leaving": False},
    ]
    assert score_texts([]).num_rows == 0


def test_scores_agree_with_the_answers_beside_the_reasons(test_data: Path) -> None:
    """Prepbench 040 and 050: 65 people wrote why, 33 of them beside an answer of 6 or less."""
    rows = list(csv.reader((test_data / "prepbench/case_040/inputs/input_01.csv").open(encoding="utf-8-sig")))[1:]
    said = [(int(row[1]) <= 6, row[2]) for row in rows if row[2].strip()]
    answers: dict[str, dict[str, str]] = {}
    for row in list(csv.reader((test_data / "prepbench/case_050/inputs/input_01.csv").open(encoding="utf-8-sig")))[1:]:
        answers.setdefault(row[5], {})[row[0]] = row[1]
    said += [(int(a["3"]) <= 6, f"{a['3a']} {a['3b']}") for a in answers.values() if (a["3a"] + a["3b"]).strip()]
    scores = [score_text(text).score for _, text in said]
    low, bad = np.array([low for low, _ in said]), -np.array([score or 0.0 for score in scores])
    known = np.array([score is not None for score in scores])
    assert (len(said), int(low.sum()), int(known.sum())) == (65, 33, 40)
    assert auc(bad[known], low[known]) > 0.8 and auc(bad, low) > 0.75
