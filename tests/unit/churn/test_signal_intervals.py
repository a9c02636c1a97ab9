from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from analytics.churn import signals_from_facts

D = date(2026, 3, 1)


def after(days: int) -> date:
    return D + timedelta(days=days)


def intervals(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(r.values()) for r in table.to_pylist()]


def tickets(*rows: dict[str, Any]) -> pa.Table:
    names = ("customer_id", "opened_on", "resolved_on", "is_open", "priority", "csat_score", "is_abandoned")
    types = (pa.string(), pa.date32(), pa.date32(), pa.bool_(), pa.string(), pa.int64(), pa.bool_())
    return pa.table({n: pa.array([r.get(n) for r in rows], t) for n, t in zip(names, types, strict=True)})


def answers(*rows: tuple[str, str, int, date]) -> pa.Table:
    names = ("customer_id", "kind", "score", "submitted_on")
    return pa.table({n: [r[k] for r in rows] for k, n in enumerate(names)})


def test_a_ticket_is_a_signal_until_the_day_it_is_resolved() -> None:
    table = signals_from_facts(
        tickets(
            {"customer_id": "a", "opened_on": D, "resolved_on": after(3), "priority": "High"},
            {"customer_id": "b", "opened_on": D, "priority": "normal"},
            {"customer_id": "c", "opened_on": D, "resolved_on": D},
            {"customer_id": "d", "opened_on": D, "is_open": False},
            {"customer_id": None, "opened_on": D},
        )
    )
    assert intervals(table) == [
        # It is remembered after it is solved.
        ("a", "urgent_lately", D, after(180)),
        ("a", "urgent_open", D, after(3)),
        ("b", "open_interaction", D, None),
        ("b", "stale_interaction", after(7), None),
    ]


def test_bad_csat_lasts_90_days_from_resolution() -> None:
    rated = tickets({"customer_id": "a", "opened_on": D, "resolved_on": after(2), "csat_score": 2, "priority": "low"})
    fine = tickets({"customer_id": "a", "opened_on": D, "resolved_on": after(2), "csat_score": 3, "priority": "low"})
    assert ("a", "negative_csat", after(2), after(92)) in intervals(signals_from_facts(rated))
    assert "negative_csat" not in signals_from_facts(fine)["signal"].to_pylist()


def test_a_newer_nps_answer_ends_the_older_one() -> None:
    table = signals_from_facts(
        None,
        answers(
            ("a", "nps", 6, D),
            ("a", "nps", 7, after(10)),
            ("a", "nps", 9, after(20)),
            ("b", "nps", 0, D),
            ("b", "csat", 1, D),
        ),
    )
    assert intervals(table) == [
        ("a", "nps_detractor", D, after(10)),
        ("a", "nps_promoter", after(20), after(200)),
        ("b", "negative_csat", D, after(90)),
        ("b", "nps_detractor", D, after(180)),
    ]


def test_three_contacts_in_30_days_and_not_in_31() -> None:
    def opened(*days: int) -> pa.Table:
        return tickets(*({"customer_id": "a", "opened_on": after(d), "resolved_on": after(d)} for d in days))

    assert intervals(signals_from_facts(opened(29, 0, 5))) == [("a", "frequent_contacts", after(29), after(30))]
    assert intervals(signals_from_facts(opened(0, 5, 30))) == []


def test_refund_without_a_known_date_is_no_signal() -> None:
    refunds = pa.table({"customer_id": ["a", "b"], "refunded_on": [D, D], "refund_date_known": [True, False]})
    assert intervals(signals_from_facts(None, None, refunds)) == [("a", "refund", D, after(30))]


def test_late_deliveries_refusals_and_visits_are_signals_from_their_own_day() -> None:
    ids = {"customer_id": ["a", "a", "b"]}
    table = signals_from_facts(
        visits=pa.table(ids | {"visited_on": [D, after(10), None]}),
        deliveries=pa.table(ids | {"late_on": [after(4), None, None]}),
        consents=pa.table(ids | {"stated_on": [D, after(20), D], "is_granted": [False, True, False]}),
    )
    assert intervals(table) == [
        ("a", "late_delivery", after(4), after(64)),
        ("a", "opted_out", D, after(20)),
        ("a", "recent_visit", D, after(30)),
        ("a", "recent_visit", after(10), after(40)),
        ("b", "opted_out", D, None),
    ]


def test_nothing_in_gives_an_empty_table_and_a_missing_column_is_named() -> None:
    assert signals_from_facts().num_rows == 0
    with pytest.raises(ValueError, match="surveys lacks submitted_on"):
        signals_from_facts(None, answers(("a", "nps", 1, D)).drop_columns(["submitted_on"]))


def written(*rows: tuple[str | None, date, float | None, bool]) -> pa.Table:
    names = ("customer_id", "written_on", "score", "is_leaving")
    types = (pa.string(), pa.date32(), pa.float64(), pa.bool_())
    return pa.table({n: pa.array([r[k] for r in rows], t) for k, (n, t) in enumerate(zip(names, types, strict=True))})


def test_the_worst_text_and_a_word_of_leaving_last_90_days_from_their_own_day() -> None:
    table = signals_from_facts(
        texts=written(
            ("a", D, -0.5, False), ("a", after(10), -0.49, False), ("b", D, None, False), ("c", after(3), -1.0, True),
            (None, D, -1.0, True),
        )
    )  # fmt: skip
    found = [row for row in intervals(table) if row[1] != "negative_tone"]
    assert found == [
        ("a", "negative_text", D, after(90)),
        ("c", "negative_text", after(3), after(93)),
        ("c", "speaks_of_leaving", after(3), after(93)),
    ]


def test_the_tone_is_the_mean_of_the_texts_of_90_days() -> None:
    """+.9 alone, then +.9 and -.4 (mean .25), then with -.8 (-.1), and when the praise is 90 days old -.6 of two."""
    table = signals_from_facts(
        texts=written(("a", D, 0.9, False), ("a", after(5), -0.4, False), ("a", after(20), -0.8, False))
    )
    assert [row for row in intervals(table) if row[1].endswith("_tone")] == [
        ("a", "negative_tone", after(90), after(95)),
        ("a", "positive_tone", D, after(5)),
        ("a", "positive_tone", after(5), after(20)),
    ]


def test_one_complaint_is_no_tone_yet() -> None:
    table = signals_from_facts(texts=written(("a", D, -0.9, False)))
    assert intervals(table) == [("a", "negative_text", D, after(90))]
