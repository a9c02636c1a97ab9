from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics.churn import Assessment, ChurnRules, assess, days_to_assess
from analytics.churn.assess import DAILY_SCHEMA, SCORES_SCHEMA
from analytics.churn.frames import day_number
from analytics.churn.scoring import score_customers
from analytics.churn.timeline import Timeline

AS_OF = date(2026, 6, 30)
DAYS = [AS_OF - timedelta(days=k) for k in range(20)]
RULES = ChurnRules()


def run(world: Any, as_of: date = AS_OF, days: list[date] | None = None, **changes: Any) -> Assessment:
    given = {"customers": world.customers, "orders": world.orders, "signals": world.signals, "refunds": world.refunds}
    rules = changes.pop("rules", RULES)
    return assess(**(given | changes), as_of=as_of, days=[as_of] if days is None else days, rules=rules)


@pytest.fixture(scope="module")
def full(world: Any) -> Assessment:
    return run(world, days=DAYS)


def row(table: pa.Table, customer: str) -> dict[str, Any]:
    return table.filter(pc.equal(table["customer_id"], customer)).to_pylist()[0]


def test_shape_and_bands(world: Any, full: Assessment) -> None:
    assert full.scores.schema == SCORES_SCHEMA and full.daily.schema == DAILY_SCHEMA
    assert full.scores["customer_id"].to_pylist() == sorted(world.customers["customer_id"].to_pylist())
    for r in full.scores.to_pylist():
        if r["band"] in ("not_scored", "lapsed"):
            said = {"not_scored": "no_purchase", "lapsed": "lapsed"}[r["band"]]
            assert (r["reason"], r["probability"], r["value_at_risk"], r["driver_1"]) == (said, None, None, None)
            # Who is gone may come back: the forecast of value is kept.
            assert (r["expected_value"] is None) == (r["band"] == "not_scored")
        else:
            p = r["probability"]
            assert 0.001 <= p <= 0.999 and r["band"] == ("high" if p >= 0.85 else "medium" if p >= 0.6 else "low")
            assert r["reason"] is None
            assert abs(r["value_at_risk"] - Decimal(str(p)) * r["expected_value"]) <= Decimal("0.01")
    assert {"high", "medium", "low", "lapsed", "not_scored"} == set(full.scores["band"].to_pylist())


def test_the_days_row_is_the_sum_of_the_customers_scores(world: Any, full: Assessment) -> None:
    today = full.daily.filter(pc.equal(full.daily["day"], pa.scalar(AS_OF))).to_pylist()
    regions = dict(zip(*(world.customers[c].to_pylist() for c in ("customer_id", "region")), strict=True))
    for r in today:
        mine = [
            s for s in full.scores.to_pylist()
            if s["probability"] is not None and r["segment"] in ("all", regions[s["customer_id"]])
        ]  # fmt: skip
        high = [s for s in mine if s["band"] == "high"]
        assert (r["scored"], r["at_risk"]) == (len(mine), len(high))
        assert r["share"] == round(len(high) / len(mine), 6)
        assert r["value_at_risk"] == sum((s["value_at_risk"] for s in high), Decimal(0))
    assert [(r["segment_type"], r["segment"]) for r in today] == [
        ("overall", "all"), ("region", "east"), ("region", "north"), ("region", "south"), ("region", "west"),
    ]  # fmt: skip


def test_appending_a_day_equals_computing_all_days_at_once(world: Any, full: Assessment) -> None:
    for day in (AS_OF, AS_OF - timedelta(days=1), AS_OF - timedelta(days=9)):
        appended = run(world, as_of=day)
        at_once = full.daily.filter(pc.equal(full.daily["day"], pa.scalar(day)))
        assert appended.daily.equals(at_once.combine_chunks()), day
    assert run(world).scores.equals(full.scores)


def test_facts_of_later_days_do_not_change_a_past_day(world: Any) -> None:
    day = AS_OF - timedelta(days=30)
    before = run(world, as_of=day)
    keep = {"orders": "ordered_on", "refunds": "refunded_on"}
    cut = {n: getattr(world, n).filter(pc.less_equal(getattr(world, n)[c], pa.scalar(day))) for n, c in keep.items()}
    known = {
        "interactions": world.interactions.filter(pc.less_equal(world.interactions["opened_on"], pa.scalar(day))),
        "surveys": world.surveys.filter(pc.less_equal(world.surveys["submitted_on"], pa.scalar(day))),
    }
    resolved = known["interactions"]["resolved_on"]
    unknown_yet = pc.if_else(pc.greater(resolved, pa.scalar(day)), pa.scalar(None, pa.date32()), resolved)
    known["interactions"] = known["interactions"].set_column(2, "resolved_on", unknown_yet)
    past = replace(world, **cut, **known)
    # A ticket that is still open has no CSAT yet; in the full data the score belongs to the day of resolution.
    rated = pc.if_else(pc.is_null(unknown_yet), pa.scalar(None, pa.int64()), past.interactions["csat_score"])
    past = replace(past, interactions=past.interactions.set_column(4, "csat_score", rated))
    unrated = world.interactions
    never = pc.if_else(pc.is_null(unrated["resolved_on"]), pa.scalar(None, pa.int64()), unrated["csat_score"])
    now = replace(world, interactions=unrated.set_column(4, "csat_score", never))
    assert run(now, as_of=day).scores.equals(run(past, as_of=day).scores)
    assert run(now, as_of=day).daily.equals(run(past, as_of=day).daily)
    assert before.scores.num_rows == world.customers.num_rows


def test_a_week_uses_the_parameters_of_the_sunday_before_it(world: Any, full: Assessment) -> None:
    # 20 days back from a Tuesday touch four weeks.
    assert sorted(full.models) == [date(2026, 6, 7), date(2026, 6, 14), date(2026, 6, 21), date(2026, 6, 28)]
    monday, sunday = run(world, as_of=date(2026, 6, 29)), run(world, as_of=date(2026, 6, 28))
    assert list(sunday.models) == [date(2026, 6, 21)]
    # On a Monday the parameters of a week ago are known too: the Sunday between them is counted under both.
    assert sorted(monday.models) == [date(2026, 6, 21), date(2026, 6, 28)]


def test_a_monday_says_what_its_new_parameters_changed(world: Any, full: Assessment) -> None:
    """Sunday's customers under the parameters of the next week: by another road, from their scores one by one."""
    sunday, monday = date(2026, 6, 28), date(2026, 6, 29)
    rows = full.daily.to_pylist()
    assert all((r["refit_at_risk"] is None) == (r["day"].weekday() != 0) for r in rows)
    by_id = world.customers.sort_by("customer_id")
    orders, signals, refunds = world.orders, world.signals, world.refunds
    line = Timeline(by_id["customer_id"].combine_chunks(), orders, signals, refunds, RULES.codes)
    line.advance(day_number(sunday))
    high, value = [], []
    for model in (full.models[sunday - timedelta(days=7)], full.models[sunday]):
        scores = score_customers(model, line.purchases(), line.signals(), RULES)
        high.append(int(scores.high.sum()))
        value.append(int(scores.value_at_risk[scores.high].sum()))
    told = {(r["segment"], r["day"]): r for r in rows}
    assert told["all", sunday]["at_risk"] == high[0] and high[1] != high[0]
    assert told["all", monday]["refit_at_risk"] == high[1] - high[0]
    assert told["all", monday]["refit_value"] * 100 == value[1] - value[0]
    regions = [r for r in rows if r["day"] == monday and r["segment_type"] == "region"]
    assert sum(r["refit_at_risk"] for r in regions) == high[1] - high[0]


def test_earlier_days_are_there_for_their_drivers_alone(world: Any, full: Assessment) -> None:
    before = AS_OF - timedelta(days=7)
    found = run(world, earlier=[before])
    assert set(found.daily["day"].to_pylist()) == {AS_OF}
    assert set(found.driver_daily["day"].to_pylist()) == {before, AS_OF}


def test_input_order_and_a_customers_neighbours_change_nothing(world: Any) -> None:
    shuffled = {
        name: table.take(np.random.default_rng(k).permutation(table.num_rows))
        for k, (name, table) in enumerate(
            {
                "customers": world.customers,
                "orders": world.orders,
                "signals": world.signals,
                "refunds": world.refunds,
            }.items()
        )
    }
    assert run(world, **shuffled).scores.equals(run(world).scores)


def test_each_signal_moves_the_odds_by_its_weight(world: Any) -> None:
    base = run(world, signals=world.signals.slice(0, 0))
    customer = next(r for r in base.scores.to_pylist() if r["band"] == "medium")
    for weight in RULES.signals:
        on = pa.table(
            {"customer_id": [customer["customer_id"]], "signal": [weight.code], "start_on": [AS_OF], "end_on": [None]},
            schema=world.signals.schema,
        )
        moved = row(run(world, signals=on).scores, customer["customer_id"])["probability"]
        odds = [np.log(p / (1 - p)) for p in (customer["probability"], moved)]
        assert odds[1] - odds[0] == pytest.approx(weight.weight, abs=1e-4)


def test_a_signal_is_off_on_the_day_it_ends_and_before_it_starts(world: Any) -> None:
    who = next(r["customer_id"] for r in run(world).scores.to_pylist() if r["band"] == "low")
    ids = {"customer_id": [who, who], "signal": ["urgent_open", "nps_detractor"]}
    off = pa.table(
        ids | {"start_on": [AS_OF - timedelta(days=5), AS_OF + timedelta(days=1)], "end_on": [AS_OF, None]},
        schema=world.signals.schema,
    )
    none = run(world, signals=off.slice(0, 0)).scores
    assert run(world, signals=off).scores.equals(none)


def test_drivers_are_the_strongest_contributions_in_words(world: Any) -> None:
    who = next(r["customer_id"] for r in run(world).scores.to_pylist() if r["band"] == "low")
    signals = pa.table(
        {
            "customer_id": [who] * 2,
            "signal": ["refund", "urgent_open"],
            "start_on": [AS_OF - timedelta(days=4), AS_OF - timedelta(days=2)],
            "end_on": [None, None],
        },
        schema=world.signals.schema,
    )
    for locale, urgent, refund in (
        ("ja", "優先度の高い問い合わせが未解決（2日経過）", "返金あり（4日前）"),
        ("en", "Urgent request unresolved for 2 days", "Refund 4 days ago"),
    ):
        found = row(run(world, signals=signals, locale=locale).scores, who)
        said = {found[f"driver_{n}_code"]: (found[f"driver_{n}"], found[f"driver_{n}_effect"]) for n in (1, 2, 3)}
        assert said["urgent_open"] == (urgent, 1.6) and said["refund"] == (refund, 0.6)
        sizes = [abs(found[f"driver_{n}_effect"]) for n in (1, 2, 3)]
        assert sizes == sorted(sizes, reverse=True)


def test_silence_is_said_with_the_customers_own_rhythm(world: Any) -> None:
    who = "zz-regular"
    customers = pa.concat_tables(
        [world.customers, pa.table({"customer_id": [who], "region": [None]}, schema=world.customers.schema)]
    )
    bought = [AS_OF - timedelta(days=150 + 14 * k) for k in range(10)]
    own = pa.table(
        {"customer_id": [who] * 10, "ordered_on": bought, "amount": [Decimal("5000.00")] * 10},
        schema=world.orders.schema,
    )
    found = run(world, customers=customers, orders=pa.concat_tables([world.orders, own]))
    assert row(found.scores, who)["band"] == "high"
    assert row(found.scores, who)["driver_1"] == "最後の購入から150日（ふだんは約14日ごと）"
    assert ("region", "unknown") in zip(*(found.daily[c].to_pylist() for c in ("segment_type", "segment")), strict=True)


def test_too_little_history_withholds_every_score_and_says_so(world: Any) -> None:
    found = run(world, rules=ChurnRules(min_customers=5000), days=DAYS)
    assert set(zip(found.scores["band"].to_pylist(), found.scores["reason"].to_pylist(), strict=True)) == {
        ("withheld", "too_little_history"), ("not_scored", "no_purchase"),
    }  # fmt: skip
    assert found.daily.num_rows == 0 and found.driver_daily.num_rows == 0
    assert "needed are 5000 customers" in found.withheld[date(2026, 6, 28)]


def test_refund_lowers_value_from_its_day_on_and_not_before(world: Any) -> None:
    who = next(r["customer_id"] for r in run(world).scores.to_pylist() if r["band"] == "low")
    refund = pa.table(
        {"customer_id": [who], "refunded_on": [AS_OF], "amount": [Decimal("1000.00")]}, schema=world.refunds.schema
    )
    plain, less = (run(world, refunds=r) for r in (refund.slice(0, 0), refund))
    assert row(less.scores, who)["expected_value"] < row(plain.scores, who)["expected_value"]
    yesterday = AS_OF - timedelta(days=1)
    plain, less = (run(world, as_of=yesterday, refunds=r) for r in (refund.slice(0, 0), refund))
    assert less.scores.equals(plain.scores)


def test_weights_come_from_settings_and_unknown_ones_are_named(world: Any) -> None:
    rules = RULES.with_weights({"refund": 2.0})
    assert {s.code: s.weight for s in rules.signals}["refund"] == 2.0
    with pytest.raises(ValueError, match=r"unknown signals \['refnd'\]; allowed are urgent_open"):
        RULES.with_weights({"refnd": 1.0})
    strange = world.signals.slice(0, 1).set_column(1, "signal", pa.array(["weather"]))
    with pytest.raises(ValueError, match="signals without a weight: weather"):
        run(world, signals=strange)


def test_days_of_first_and_later_builds() -> None:
    assert len(days_to_assess(AS_OF, None)) == 70 and days_to_assess(AS_OF, None)[-1] == AS_OF
    assert days_to_assess(AS_OF, AS_OF - timedelta(days=2)) == [AS_OF - timedelta(days=1), AS_OF]
    assert days_to_assess(AS_OF, AS_OF) == [AS_OF]
    assert len(days_to_assess(AS_OF, date(2020, 1, 1))) == 70


def test_seventy_days_of_a_small_company_take_seconds_not_minutes(world: Any) -> None:
    started = time.process_time()
    run(world, days=days_to_assess(AS_OF, None))
    # 0.3 s alone on two cores; the room is for a busy machine, the failure for work that grows with the history.
    assert time.process_time() - started < 4


def test_value_is_purchases_times_worth_without_margin(world: Any, full: Assessment) -> None:
    who = next(r["customer_id"] for r in full.scores.to_pylist() if r["band"] == "low" and r["expected_purchases"] > 3)
    mine = world.orders.filter(pc.equal(world.orders["customer_id"], who)).to_pylist()
    back = world.refunds.filter(pc.equal(world.refunds["customer_id"], who)).to_pylist()
    days = sorted({r["ordered_on"] for r in mine})
    net = float(sum(r["amount"] for r in mine) - sum(r["amount"] for r in back))
    model = full.models[date(2026, 6, 28)]
    history = ([len(days) - 1], [(days[-1] - days[0]).days / 7], [(AS_OF - days[0]).days / 7])
    purchases = model.purchases.expected_purchases(52, *history)[0]
    assert model.value is not None
    worth = model.value.expected_average_value([len(days)], [net / len(days)])[0]
    assert row(full.scores, who)["expected_purchases"] == pytest.approx(purchases, abs=1e-6)
    assert float(row(full.scores, who)["expected_value"]) == pytest.approx(purchases * worth, rel=1e-5)
