"""Charts as pictures for messages: Japanese is drawn, the size suits Slack."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from kizuna.fonts import CHART_FONT
from kizuna.scorecard import chart_png, churn_chart_png
from kizuna.scorecard.labels import Labels
from kizuna.scorecard.render import MAX_PNG_WIDTH
from kizuna.settings import Company


def label(text: str, font: str = CHART_FONT) -> bytes:
    spec = {
        "data": {"values": [{}]},
        "mark": {"type": "text", "fontSize": 40},
        "encoding": {"text": {"value": text}},
        "width": 300,
        "height": 80,
        "config": {"font": font},
    }
    return chart_png(spec)


def ink(png: bytes) -> int:
    """Dark pixels of the picture."""
    return sum(Image.open(io.BytesIO(png)).convert("L").histogram()[:128])


def test_japanese_is_drawn_and_not_as_empty_boxes() -> None:
    japanese, other, tofu = label("解約率"), label("顧客数"), label("\ue123\ue124\ue125")
    assert japanese != other, "two different words look alike: both are boxes"
    assert japanese != tofu
    assert ink(japanese) > 1.5 * ink(label("一一一")), "complex characters take more ink than simple ones"


def test_the_registered_font_is_used() -> None:
    assert label("解約率") != label("解約率", "DejaVu Sans Mono") or label("abc") != label("abc", "Roboto")
    assert label("Revenue") != label("Revenue", "No Such Font")


def test_the_alert_picture_is_sharp_but_below_a_thousand_pixels(make_db: Callable[..., Path], ja: Company) -> None:
    png = churn_chart_png(make_db(), ja, segment="関西")
    assert png is not None
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    assert 700 <= picture.width <= MAX_PNG_WIDTH < 1000
    assert churn_chart_png(make_db(), ja, segment="関西") == png
    assert churn_chart_png(make_db(), ja, segment="中部") != png
    assert churn_chart_png(make_db(rows=False), ja) is None


@pytest.mark.parametrize(
    ("locale", "currency", "value", "short", "long"),
    [
        ("ja", "JPY", "5972304", "¥597万", "¥5,972,304"),
        ("ja", "JPY", "123456789", "¥1.23億", "¥123,456,789"),
        ("ja", "JPY", "-9999", "−¥9,999", "−¥9,999"),
        ("en", "EUR", "5972304.5", "€5.97M", "€5,972,304.50"),
        ("en", "CHF", "12.005", "CHF 12.01", "CHF 12.01"),
    ],
)
def test_money(locale: str, currency: str, value: str, short: str, long: str) -> None:
    from decimal import Decimal

    labels = Labels(locale, currency)
    assert labels.short_money(Decimal(value)) == short
    assert labels.money(Decimal(value)) == long


def test_shares_round_half_up_and_minutes_grow_into_hours() -> None:
    ja, en = Labels("ja", "JPY"), Labels("en", "USD")
    assert (ja.percent(0.0885), en.percent(0.1825, 0)) == ("8.9%", "18 %")
    assert [en.minutes(m) for m in (62, 150, 4320)] == ["62 min", "2.5 h", "3.0 days"]
    assert ja.minutes(62) == "62分"


def test_both_languages_have_the_same_words() -> None:
    from kizuna.scorecard.labels import WORDS

    assert WORDS["ja"].keys() == WORDS["en"].keys()
