from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics.alerts import EVALUATED_SCHEMA, SpikeRules, evaluate
from analytics.churn.assess import DAILY_SCHEMA

RULES = SpikeRules()
JUDGED = EVALUATED_SCHEMA.names[EVALUATED_SCHEMA.names.index("refit_value") + 1 :]
FIRST = date(2026, 1, 5)
Build = Callable[..., pa.Table]


def rows_of(table: pa.Table, segment: str = "east") -> list[dict[str, Any]]:
    return table.filter(pc.equal(table["segment"], segment)).to_pylist()


def spikes(table: pa.Table, segment: str = "east") -> list[int]:
    return [k for k, r in enumerate(rows_of(table, segment)) if r["is_spike"]]


def company(shares: dict[str, list[float]], scored: int = 400) -> pa.Table:
    """Regions without noise and their sum as overall."""
    rows = []
    for k in range(len(next(iter(shares.values())))):
        day, total = FIRST + timedelta(days=k), 0
        for name, own in sorted(shares.items()):
            at_risk = round(own[k] * scored) + k % 3
            total += at_risk
            rows.append(
                ("region", name, day, scored, at_risk, round(at_risk / scored, 6), Decimal(at_risk), None, None)
            )
        everybody = scored * len(shares)
        rows.append(("overall", "all", day, everybody, total, round(total / everybody, 6), Decimal(total), None, None))
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, DAILY_SCHEMA, strict=True)], schema=DAILY_SCHEMA)


def refitted(daily: pa.Table, customers: dict[int, int]) -> pa.Table:
    """A table of `one_series` (100 a customer) in which the parameters of some days alone moved so many customers."""
    moved = [customers.get(k) for k in range(daily.num_rows)]
    columns = {
        "refit_at_risk": pa.array(moved, pa.int64()),
        "refit_value": pa.array([None if m is None else Decimal(100 * m) for m in moved], pa.decimal128(18, 2)),
    }
    for name, column in columns.items():
        daily = daily.set_column(daily.column_names.index(name), name, column)
    return daily


def known_but_today(daily: pa.Table) -> pa.Table:
    """The days of one series judged as when it was alone, but the last, which nobody has judged yet."""
    today = daily.slice(daily.num_rows - 1)
    for name in JUDGED:
        today = today.append_column(name, pa.nulls(1, EVALUATED_SCHEMA.field(name).type))
    return pa.concat_tables([evaluate(daily.slice(0, daily.num_rows - 1), RULES), today])


def with_values(daily: pa.Table, value: Callable[[int, int], int]) -> pa.Table:
    """The same days with other values at risk, by place and number at risk."""
    values = [Decimal(value(k, n)) for k, n in enumerate(daily["at_risk"].to_pylist())]
    place = daily.column_names.index("value_at_risk")
    return daily.set_column(place, "value_at_risk", pa.array(values, pa.decimal128(18, 2)))


def test_value_alone_is_a_spike_where_few_with_much_come_to_risk(one_series: Build) -> None:
    daily = one_series([0.20] * 75, scored=1000)
    found = rows_of(evaluate(with_values(daily, lambda k, n: n * (190 if k in (70, 71) else 100)), RULES))
    assert [k for k, r in enumerate(found) if r["is_spike"]] == [70, 71]
    assert (found[70]["status"], found[70]["at_risk_status"], found[70]["value_status"]) == ("calm", "calm", "spike")
    assert found[70]["value_baseline"] == pytest.approx(20_000, rel=0.1) and found[70]["value_z"] > 4
    assert found[73]["value_status"] == "calm"


def test_a_number_that_doubles_is_a_spike_though_its_share_is_small(one_series: Build) -> None:
    """Two points are no effect for a share; 400 customers more than the usual 400 are."""
    found = rows_of(evaluate(one_series([0.02] * 70 + [0.04] * 2 + [0.02], scored=20_000), RULES))
    assert [k for k, r in enumerate(found) if r["is_spike"]] == [70, 71]
    assert (found[70]["status"], found[70]["at_risk_status"]) == ("calm", "spike")
    assert found[70]["at_risk_baseline"] == pytest.approx(400, rel=0.05)


def test_a_spike_fires_on_its_days_and_only_there(one_series: Build) -> None:
    shares = [0.20] * 90
    shares[70] = shares[71] = 0.32
    found = evaluate(one_series(shares), RULES)
    assert found.schema == EVALUATED_SCHEMA
    assert spikes(found) == [70, 71]
    hit = rows_of(found)[70]
    assert hit["status"] == "spike" and hit["z"] > 4.5 and hit["baseline"] == pytest.approx(0.20, abs=0.02)


def test_the_spike_does_not_lift_its_own_baseline(one_series: Build) -> None:
    shares = [0.20] * 90
    shares[70] = 0.60
    after = rows_of(evaluate(one_series(shares), RULES))[71:]
    assert {r["status"] for r in after} == {"calm"}
    assert max(r["baseline"] for r in after) < 0.22


def test_a_level_shift_is_told_once_and_then_is_the_baseline(one_series: Build) -> None:
    found = rows_of(evaluate(one_series([0.20] * 70 + [0.32] * 40), RULES))
    assert [r["status"] for r in found[69:74]] == ["calm", "spike", "spike", "level_shift", "calm"]
    assert {r["status"] for r in found[73:]} == {"calm"}
    assert found[73]["baseline"] == pytest.approx(0.32, abs=0.03)


def test_a_fall_back_is_no_alert(one_series: Build) -> None:
    found = rows_of(evaluate(one_series([0.32] * 70 + [0.20] * 20), RULES))
    assert not any(r["is_spike"] for r in found)
    assert [r["status"] for r in found].count("level_shift") == 1


def test_weekdays_of_their_own_are_no_alert(one_series: Build) -> None:
    pattern = [0.20, 0.20, 0.20, 0.20, 0.20, 0.34, 0.34]
    assert spikes(evaluate(one_series([pattern[k % 7] for k in range(120)]), RULES)) == []
    # The height of a weekend is a spike on a Wednesday.
    shares = [pattern[k % 7] for k in range(120)]
    shares[100] = 0.34
    assert 100 % 7 == 2 and spikes(evaluate(one_series(shares), RULES)) == [100]


def test_slow_growth_is_no_alert(one_series: Build) -> None:
    assert spikes(evaluate(one_series(list(np.linspace(0.15, 0.30, 200))), RULES)) == []


def test_five_weeks_of_history_are_needed(one_series: Build) -> None:
    shares = [0.20] * 60
    shares[34] = shares[50] = 0.60
    found = rows_of(evaluate(one_series(shares), RULES))
    assert {r["status"] for r in found[:35]} == {"too_little_history"}
    assert found[34]["z"] is None and found[34]["baseline"] is None
    assert [k for k, r in enumerate(found) if r["is_spike"]] == [50]


def test_minimum_effect_and_count_hold_alerts_back(one_series: Build) -> None:
    small_effect = [0.20] * 60 + [0.24]
    assert spikes(evaluate(one_series(small_effect, scored=200_000), RULES)) == []
    few = company({"east": [0.0] * 60 + [0.2]}, scored=40)
    assert rows_of(few)[60]["at_risk"] == 8
    assert spikes(evaluate(few, RULES)) == []
    assert spikes(evaluate(few, SpikeRules(min_count=8))) == [60]


def test_two_days_below_the_limit_add_up(one_series: Build) -> None:
    shares = [0.20] * 60 + [0.27] * 2
    together = rows_of(evaluate(one_series(shares, scored=500, seed=3), RULES))
    assert together[60]["z"] < 4.5 and together[61]["z"] < 4.5
    assert [r["is_spike"] for r in together[60:]] == [False, True]


def test_appending_days_equals_judging_all_at_once(one_series: Build) -> None:
    daily = one_series([0.20] * 60 + [0.35] * 8 + [0.21] * 12, seed=5)
    at_once = evaluate(daily, RULES)
    grown = evaluate(daily.slice(0, 50), RULES)
    for k in range(50, daily.num_rows):
        new = daily.slice(k, 1)
        blank = {n: pa.nulls(1, EVALUATED_SCHEMA.field(n).type) for n in JUDGED}
        for name, column in blank.items():
            new = new.append_column(name, column)
        grown = evaluate(pa.concat_tables([new, grown]), RULES)
    assert grown.equals(at_once)
    assert "level_shift" in at_once["status"].to_pylist()


def test_days_that_are_judged_stay_as_published(one_series: Build) -> None:
    judged = evaluate(one_series([0.20] * 60), RULES)
    odd = judged.set_column(judged.column_names.index("status"), "status", pa.array(["warn"] * 60))
    assert evaluate(odd, SpikeRules(z_alert=0.1, z_warn=0.1, min_effect=0.0)).equals(odd)


def test_later_days_do_not_change_a_judgement(one_series: Build) -> None:
    daily = one_series([0.20] * 70 + [0.5] * 10)
    assert evaluate(daily, RULES).slice(0, 70).equals(evaluate(daily.slice(0, 70), RULES))


def test_one_region_is_not_a_second_alert_for_the_whole_company() -> None:
    shares = {n: [0.2] * 71 for n in ("a", "b", "c", "d")}
    shares["b"][70] = 0.75
    found = evaluate(company(shares), RULES)
    overall = rows_of(found, "all")[70]
    assert overall["share"] - overall["baseline"] > RULES.min_effect and overall["z"] > RULES.z_alert
    assert (overall["status"], overall["is_spike"]) == ("warn", False)
    assert spikes(found, "b") == [70] and spikes(found, "a") == []


def test_a_rise_everywhere_is_an_alert_for_the_whole_company() -> None:
    found = evaluate(company({n: [0.2] * 70 + [0.4] for n in ("a", "b", "c", "d")}), RULES)
    assert spikes(found, "all") == [70]


def test_a_step_is_found_in_a_share_that_wanders(one_series: Build) -> None:
    """The level of a month says nothing of it: the share was as high three weeks ago."""
    wandering = [0.24 + 0.06 * float(np.cos(k / 9)) for k in range(110)]
    low = next(k for k in range(60, 110) if wandering[k] == min(wandering[60:110]))
    assert spikes(evaluate(one_series(wandering, scored=4000), RULES)) == []
    stepped = [*wandering[:low], wandering[low] + 0.06, *wandering[low + 1 :]]
    hit = rows_of(evaluate(one_series(stepped, scored=4000), RULES))[low]
    assert hit["is_spike"] and hit["share"] - hit["baseline"] < RULES.min_effect


def test_the_more_segments_are_judged_the_stronger_the_evidence_must_be(one_series: Build) -> None:
    """The same weak spike alone, and as one of three hundred series that stay quiet."""
    shares = [0.20] * 60 + [0.2535]
    alone = one_series(shares, scored=900, seed=3)
    strength = rows_of(evaluate(alone, RULES))[60]
    assert strength["is_spike"] and 4.0 < strength["z"] < 5.0
    quiet = known_but_today(one_series([0.20] * 61, scored=900, seed=8))
    crowd = [quiet.set_column(1, "segment", pa.array([f"quiet {k}"] * quiet.num_rows)) for k in range(300)]
    found = rows_of(evaluate(pa.concat_tables([known_but_today(alone), *crowd]), RULES))[60]
    assert (found["status"], found["is_spike"], found["z"]) == ("warn", False, strength["z"])


def test_every_other_day_is_no_new_level(one_series: Build) -> None:
    found = rows_of(evaluate(one_series([0.2] * 60 + [0.5, 0.27] * 20, scored=300), RULES))
    assert "level_shift" not in {r["status"] for r in found}


def test_a_day_twice_is_refused(one_series: Build) -> None:
    daily = one_series([0.2] * 3)
    with pytest.raises(ValueError, match="twice"):
        evaluate(pa.concat_tables([daily, daily.slice(2, 1)]), RULES)


def test_quiet_segments_of_all_sizes_stay_quiet(one_series: Build) -> None:
    rng = np.random.default_rng(9)
    alerts = 0
    for seed in range(20):
        scored, share = int(np.exp(rng.uniform(np.log(50), np.log(5000)))), rng.uniform(0.08, 0.35)
        alerts += len(spikes(evaluate(one_series([share] * 95, scored=scored, seed=seed), RULES)))
    # 20 segments and 60 judged days: the allowance is one false alert a month for the whole company.
    assert alerts <= 2


def test_eight_points_are_found_from_three_hundred_customers_on(one_series: Build) -> None:
    rng = np.random.default_rng(4)
    found = 0
    for seed in range(20):
        scored, share = int(np.exp(rng.uniform(np.log(300), np.log(5000)))), rng.uniform(0.08, 0.35)
        shares = [share] * 70 + [share + 0.08] * 4 + [share] * 3
        found += bool(set(spikes(evaluate(one_series(shares, scored=scored, seed=seed), RULES))) & {70, 71, 72, 73})
    assert found >= 19


def test_spikes_that_keep_coming_do_not_become_the_baseline(one_series: Build) -> None:
    found = rows_of(evaluate(one_series([0.2] * 60 + [0.5, 0.5, 0.2] * 14), RULES))[60:]
    assert [r["is_spike"] for r in found] == [True, True, False] * 14


def test_new_parameters_move_nobody(one_series: Build) -> None:
    """A refit lifts the share by eight points on a Monday, and the next takes them back: neither is the customers'."""
    shares = [0.20] * 70 + [0.28] * 7 + [0.20] * 7
    daily = one_series(shares, scored=1000)
    told = evaluate(daily, RULES)
    assert spikes(told)[0] == 70, "without the refit being known it looks like a spike"
    known = refitted(daily, {70: 80, 77: -80})
    found = rows_of(evaluate(known, RULES))
    assert {r["status"] for r in found[35:]} == {"calm"}
    # What is usual is said in terms of the parameters of the day.
    assert found[72]["baseline"] == pytest.approx(0.28, abs=0.02)
    assert found[80]["baseline"] == pytest.approx(0.20, abs=0.02)


def test_a_spike_on_the_day_of_a_refit_is_found(one_series: Build) -> None:
    daily = one_series([0.20] * 70 + [0.38] * 2 + [0.28] * 5, scored=1000)
    assert spikes(evaluate(refitted(daily, {70: 80}), RULES)) == [70, 71]
