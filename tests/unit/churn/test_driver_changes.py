from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa

from analytics.churn import DEFAULT_SIGNALS, drivers_that_changed
from analytics.churn.assess import DRIVER_DAILY_SCHEMA
from analytics.churn.drivers import driver_label, driver_words


def test_only_what_rose_in_this_segment_largest_first() -> None:
    day = date(2026, 6, 30)
    counts = {
        "refund": (10, 12, 30), "urgent_open": (3, 4, 90), "purchases": (48, 48, 50),
        "nps_detractor": (9, 9, 5), "abandoned_contact": (0, 60, 60),
    }  # fmt: skip
    rows = [
        ("region", "east", day - timedelta(days=2 - k), code, n)
        for code, three in counts.items()
        for k, n in enumerate(three)
        if n
    ]
    rows.append(("region", "west", day, "negative_csat", 500))
    columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), DRIVER_DAILY_SCHEMA, strict=True)]
    found = drivers_that_changed(pa.table(columns, schema=DRIVER_DAILY_SCHEMA), "region", "east", day)
    assert [(c.code, c.customers, c.usual) for c in found] == [
        ("urgent_open", 90, 3), ("abandoned_contact", 60, 30), ("refund", 30, 11),
    ]  # fmt: skip


def test_every_signal_has_words_and_a_reason() -> None:
    for weight in DEFAULT_SIGNALS:
        assert weight.reason
        for locale in ("ja", "en"):
            assert driver_words(weight.code, 1.0, 3, 0, locale) != weight.code
            assert driver_label(weight.code, locale) != weight.code
    assert driver_words("own_signal", 1.0, 3, 0, "en") == "own_signal"


def test_buying_is_told_by_direction_and_rhythm() -> None:
    assert driver_words("purchases", 1.0, 40, 7, "en") == "No purchase for 40 days (usual gap about 7 days)"
    assert driver_words("purchases", -1.0, 0, 1, "en") == "Buying as usual (last today, usual gap about 1 day)"
    assert driver_words("purchases", 1.0, 300, 0, "ja") == "購入は1回のみ（300日前）"
    assert driver_words("purchases", -1.0, 1, 0, "ja") == "最近の初回購入（1日前）"
