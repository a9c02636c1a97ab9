from __future__ import annotations

import pyarrow as pa

from analytics.churn import DEFAULT_SIGNALS, drivers_that_changed
from analytics.churn.assess import DRIVERS_SCHEMA
from analytics.churn.drivers import driver_label, driver_words


def test_only_what_rose_in_this_segment_largest_first() -> None:
    rows = [
        ("region", "east", "refund", 30, 10), ("region", "east", "urgent_open", 90, 3),
        ("region", "east", "purchases", 50, 48), ("region", "east", "nps_detractor", 5, 9),
        ("region", "west", "negative_csat", 500, 0),
    ]  # fmt: skip
    columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), DRIVERS_SCHEMA, strict=True)]
    found = drivers_that_changed(pa.table(columns, schema=DRIVERS_SCHEMA), "region", "east")
    assert [(c.code, c.customers, c.week_before) for c in found] == [("urgent_open", 90, 3), ("refund", 30, 10)]


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
