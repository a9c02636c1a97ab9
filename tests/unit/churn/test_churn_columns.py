"""Orders, positions and drivers that are found in a short way are those that the plain way finds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analytics.churn.drivers import WORTH_SAYING, strongest
from analytics.churn.frames import ids_of, order_by, sorted_rows
from analytics.churn.rules import ChurnRules
from analytics.ltv import PurchaseForecast
from analytics.ltv.bgnbd import BgNbd, collapse


def test_positions_of_ids_are_those_of_one_list_over_all_columns() -> None:
    first = pa.array(["b", "a", "c"])
    second = pa.chunked_array([["c", "c", None], [], ["x", "b", "b", "x"]], pa.string())
    ids, (own, other, none) = ids_of(first, second, pa.chunked_array([], pa.string()))
    assert ids.to_pylist() == ["b", "a", "c", "x"] and own.tolist() == [0, 1, 2] and none.tolist() == []
    assert other.tolist() == [2, 2, -1, 3, 0, 0, 3]


@pytest.mark.parametrize("most", [3, 2**40])
def test_packed_numbers_sort_as_their_columns_do(most: int) -> None:
    """Three keys of 40 bits do not fit into one number: then the plain way serves."""
    rng = np.random.default_rng(2)
    keys = [rng.integers(-most, most, 500), rng.integers(0, 4, 500), rng.integers(-most, most, 500)]
    plain = np.lexsort(keys[::-1])
    assert order_by(*keys).tolist() == plain.tolist()
    assert [column.tolist() for column in sorted_rows(*keys)] == [key[plain].tolist() for key in keys]
    nothing = np.zeros(0, dtype=np.int64)
    assert not len(order_by(nothing)) and [len(c) for c in sorted_rows(nothing, nothing)] == [0, 0]


def test_the_three_strongest_drivers_are_those_of_the_whole_table_in_its_order() -> None:
    """Against all contributions of everybody, sorted; ties go to what stands first in the table."""
    rng = np.random.default_rng(5)
    rules, people = ChurnRules(), 3000
    weights = tuple(float(w) for w in rng.choice([0.9, -0.9, 0.5, 0.04, -0.3, 0.0], len(rules.codes)))
    on = rng.random((len(weights), people)) < 0.3
    ages = np.where(on, rng.integers(0, 90, on.shape), -1)
    shown = rng.random(people) < 0.7
    odds = rng.choice([-1.4, -0.9, -0.04, 0.0, 0.0, 0.0, 0.04, 0.3, 0.9, 2.0], people)
    since, usual = rng.integers(0, 200, people), rng.integers(0, 40, people)
    found = strongest(odds, shown, since, usual, on, ages, rules, weights)
    table = np.stack([np.round(odds - np.median(odds[shown]), 6), *(w * o for w, o in zip(weights, on, strict=True))])
    days = np.stack([since, *ages])
    told = 0
    for k in range(people):
        best = sorted(range(len(table)), key=lambda c, k=k: (-abs(table[c, k]), c))[:3]
        best = [c for c in best if shown[k] and abs(table[c, k]) >= WORTH_SAYING]
        told += len(best)
        assert found.code[k].tolist() == best + [-1] * (3 - len(best))
        assert found.contribution[k, : len(best)].tolist() == [table[c, k] for c in best]
        assert found.days[k, : len(best)].tolist() == [days[c, k] for c in best]
        assert found.usual[k].tolist() == [usual[k] if c == 0 else 0 for c in found.code[k]]
    assert told > people


def test_histories_that_many_share_are_counted_once_and_forecast_as_if_alone() -> None:
    rng = np.random.default_rng(6)
    x = rng.integers(0, 4, 2000).astype(float)
    end = rng.integers(10, 15, 2000) / 7.0
    last = np.where(x > 0, rng.integers(1, 10, 2000) / 7.0, 0.0)
    found = collapse(x, last, end)
    rows = [tuple(row) for row in np.stack([x, last, end], axis=1).tolist()]
    assert list(zip(found.x.tolist(), found.t_x.tolist(), found.T.tolist(), strict=True)) == sorted(set(rows))
    assert found.customers.tolist() == [rows.count(row) for row in sorted(set(rows))]
    forecast = PurchaseForecast(BgNbd(0.6, 6.0, 0.9, 3.0, leave_after_first=True), 52.0)
    alone = [float(forecast.expected([a], [b], [c])[0]) for a, b, c in rows[:200]]
    assert forecast.expected(x, last, end)[:200].tolist() == alone
