"""What is known of somebody's buying at the end of a day, column by column, reckoned by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import log, log1p

import pyarrow as pa
import pytest

from analytics.churn.behaviour import NAMES, behaviour, pace_of
from analytics.churn.frames import day_number
from analytics.churn.signals import SIGNALS_SCHEMA
from analytics.churn.timeline import Timeline

DAY = date(2026, 6, 30)
MONEY = pa.decimal128(18, 2)
Rows = Sequence[tuple[str, int, int]]


def facts(rows: Rows, day: str) -> pa.Table:
    """(customer, days ago, amount)."""
    return pa.table(
        {
            "customer_id": [who for who, _, _ in rows],
            day: pa.array([DAY - timedelta(days=ago) for _, ago, _ in rows], pa.date32()),
            "amount": pa.array([Decimal(amount) for _, _, amount in rows], MONEY),
        }
    )


def columns(orders: Rows, refunds: Rows = ()) -> list[dict[str, float]]:
    """Columns by name of the customers a, b … in turn, after time has passed in steps."""
    who = sorted({customer for customer, _, _ in orders})
    timeline = Timeline(
        pa.array(who), facts(orders, "ordered_on"), SIGNALS_SCHEMA.empty_table(), facts(refunds, "refunded_on"), ()
    )
    for ago in (150, 60, 0):
        timeline.advance(day_number(DAY) - ago)
    purchases = timeline.purchases()
    values = behaviour(purchases, purchases.bought, pace_of(purchases, purchases.bought), 90)
    return [dict(zip(NAMES, row, strict=True)) for row in values.tolist()]


def test_recency_frequency_tenure_trend_and_money_of_a_customer_who_came_back() -> None:
    (a,) = columns([("a", 200, 100), ("a", 100, 200), ("a", 30, 300), ("a", 10, 400)], [("a", 5, 200)])
    # Their own pace: 190 days between four purchases.
    pace = round(190 / 3, 6)
    assert a == pytest.approx(
        {
            "silence": log1p(10), "purchases": log(4), "tenure": log1p(200),
            "missed": 4 * log((200 + pace) / (190 + pace)),
            "due": 4 * log1p(90 / (pace + 200)), "log_due": log(4 * log1p(90 / (pace + 200))),
            "once": 0, "silence_once": 0, "overdue": 10 * 4 / (190 + pace),
            "recent": 2, "before": 1,
            # What was refunded by then is taken off: 800 in four purchases.
            "money": log1p(200 / 10_000),
        }
    )  # fmt: skip


def test_who_bought_once_is_another_case_and_nobody_is_overdue_without_end() -> None:
    (once,) = columns([("a", 50, 500)])
    assert (once["once"], once["silence_once"]) == (1, log1p(50))
    assert once["overdue"] == pytest.approx(50 / 60), "where nobody came back, sixty days are the usual pace"
    _, quick = columns([("a", 70, 1), ("a", 0, 1), *(("b", 1000 + k, 1) for k in range(40))])
    assert quick["overdue"] == 20


def test_the_trend_compares_the_last_ninety_days_with_the_ninety_before() -> None:
    (a,) = columns([("a", ago, 1) for ago in (0, 89, 90, 179, 180, 300)])
    assert (a["recent"], a["before"]) == (2, 2)
    (twice,) = columns([("a", 20, 1), ("a", 20, 1)])
    assert (twice["recent"], twice["purchases"]) == (1, 0), "two orders of a day are one purchase"


def test_a_refund_of_tomorrow_is_not_known_and_more_than_was_paid_is_nothing() -> None:
    (a,) = columns([("a", 20, 100)], [("a", -1, 60)])
    (nothing,) = columns([("a", 20, 100)], [("a", 3, 160)])
    assert a["money"] == pytest.approx(log1p(100 / 10_000)) and nothing["money"] == 0
