"""NPS, CSAT and CES of a month: who counts, intervals, response rates, and whether a change means anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from math import sqrt
from statistics import fmean, variance
from typing import Any

import duckdb
import pytest

VARIABLES = {"as_of": "2026-06-30", "timezone": "Asia/Tokyo", "survey_trend_min": 10}
TABLES = """
create schema identity;
create table fct_survey_responses(response_id varchar, customer_id varchar, kind varchar, survey_kind varchar,
    touchpoint varchar, score bigint, submitted_at timestamp, submitted_on date, is_valid boolean);
create table dim_customers(customer_id varchar, region varchar);
create table stg_medallia__feedback(touchpoint varchar, sent_on date, is_sent boolean, is_answered boolean,
    person_source varchar, person_record_key varchar);
create table identity.customer_map(source varchar, record_key varchar, customer_id varchar);
"""
Z = 1.959964


def rounded(value: float) -> Any:
    """Equal to six decimals, as figures are published."""
    return pytest.approx(value, abs=1e-6)


class Surveys:
    """Answers are put in by month; figures are read from the two marts."""

    def __init__(self, db: duckdb.DuckDBPyConnection, render: Callable[..., str]) -> None:
        self.db, self.render, self.answers = db, render, 0

    def answer(
        self, kind: str, score: int, on: str = "2026-06-10", who: str | None = None, touchpoint: str | None = None
    ) -> None:
        self.answers += 1
        asked = "transactional" if touchpoint else "relational"
        key = f"r{self.answers:04}"
        row = (key, who or f"c{self.answers}", kind, asked, touchpoint, score, f"{on} 12:00:00", on, True)
        self.db.execute("insert into fct_survey_responses values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def figures(self, mart: str, columns: str, where: str = "segment_type = 'overall'", **others: Any) -> list[Any]:
        for model in ("int_survey_periods", mart):
            sql = self.render(model, **(VARIABLES | others))
            self.db.execute(f"create or replace table {model} as {sql}")
        return self.db.execute(f"select {columns} from {mart} where {where} order by all").fetchall()


@pytest.fixture
def surveys(render: Callable[..., str]) -> Iterator[Surveys]:
    with duckdb.connect() as db:
        db.execute(TABLES)
        yield Surveys(db, render)


def test_the_interval_of_nps_is_that_of_its_formula_and_stays_on_the_scale(surveys: Surveys) -> None:
    """p + d - (p - d)^2 over n, on both sides; of a few who all agree nothing is left of it."""
    scores = [10] * 5 + [8] * 3 + [2] * 12
    for score in scores:
        surveys.answer("nps", score)
    for score in (9, 9, 9, 9, 7):
        surveys.answer("nps", score, touchpoint="delivery")
    p, d, n = 5 / 20, 12 / 20, 20
    half = 100 * Z * sqrt((p + d - (p - d) ** 2) / n)
    found = surveys.figures("nps_by_period", "survey_kind, promoters, passives, detractors, nps, ci_low, ci_high")
    assert found[0] == ("relational", 5, 3, 12, -35.0, rounded(-35 - half), rounded(-35 + half))
    few = 100 * Z * sqrt((0.8 - 0.8**2) / 5)
    assert found[1] == ("transactional", 4, 1, 0, 80.0, rounded(80 - few), 100.0)
    assert 80 + few > 100


@pytest.mark.parametrize(("kind", "satisfied", "top"), [("csat", 4, 5), ("ces", 5, 7)])
def test_mean_interval_and_satisfied_share_follow_the_scale(
    surveys: Surveys, kind: str, satisfied: int, top: int
) -> None:
    scores = [1, 2, 3, 4, 4, 5, top, top]
    for score in scores:
        surveys.answer(kind, score)
    half = Z * sqrt(variance(scores) / len(scores))
    content = sum(score >= satisfied for score in scores)
    columns = "respondents, satisfied, satisfied_share, mean_score, ci_low, ci_high, is_complete"
    (found,) = surveys.figures("survey_scores_by_period", f"kind, {columns}")
    mean = fmean(scores)
    assert found == (kind, 8, content, content / 8, mean, *map(rounded, (mean - half, mean + half)), True)


@pytest.mark.parametrize(("kind", "top"), [("csat", 5), ("ces", 7)])
def test_an_interval_ends_with_the_scale_and_one_answer_has_none(surveys: Surveys, kind: str, top: int) -> None:
    for score in (top, top, top - 1):
        surveys.answer(kind, score)
    for score in (1, 1, 2):
        surveys.answer(kind, score, touchpoint="call")
    surveys.answer(kind, 3, on="2026-05-10")
    found = surveys.figures("survey_scores_by_period", "period, survey_kind, ci_low, ci_high")
    may, high, low = found
    assert may == (date(2026, 5, 1), "relational", None, None)
    assert high[3] == top and low[2] == 1
    assert 1 < high[2] < top and 1 < low[3] < top


def test_one_answer_of_a_customer_counts_in_a_month_the_latest_or_the_first(surveys: Surveys) -> None:
    """Also within a touchpoint, where another one of the same customer counts for itself."""
    for score, on, touchpoint in ((1, "2026-06-01", "call"), (4, "2026-06-20", "call"), (2, "2026-06-25", "delivery")):
        surveys.answer("csat", score, on, "aya", touchpoint)
    surveys.answer("csat", 5, "2026-05-31", "aya", "call")
    columns = "period, segment, respondents, mean_score"
    may, june = date(2026, 5, 1), date(2026, 6, 1)
    shown = {"where": "segment_type <> 'region'"}
    assert surveys.figures("survey_scores_by_period", columns, **shown) == [
        (may, "all", 1, 5.0),
        (may, "call", 1, 5.0),
        (june, "all", 1, 2.0),
        (june, "call", 1, 4.0),
        (june, "delivery", 1, 2.0),
    ]
    first = surveys.figures("survey_scores_by_period", columns, survey_answer="first", **shown)
    assert [row for row in first if row[0] == june] == [
        (june, "all", 1, 1.0),
        (june, "call", 1, 1.0),
        (june, "delivery", 1, 2.0),
    ]


def test_the_response_rate_is_of_those_who_were_asked_and_says_where_nobody_lists_them(surveys: Surveys) -> None:
    surveys.db.execute("insert into identity.customer_map values ('m', '1', 'aya')")
    surveys.db.execute("insert into dim_customers values ('aya', '関東')")
    for key, is_sent, is_answered in (("1", True, True), ("2", True, False), ("3", True, False), ("4", False, False)):
        row = ("call", "2026-06-03", is_sent, is_answered, "m", key)
        surveys.db.execute("insert into stg_medallia__feedback values (?, ?, ?, ?, ?, ?)", row)
    surveys.answer("csat", 5, who="aya", touchpoint="call")
    surveys.answer("ces", 5, touchpoint="call")
    columns = "segment_type, segment, kind, respondents, asked, response_rate, response_rate_reason"
    assert surveys.figures("survey_scores_by_period", columns, "kind = 'csat'") == [
        ("overall", "all", "csat", 1, 3, 0.333333, None),
        ("region", "unknown", "csat", 0, 2, 0.0, None),
        ("region", "関東", "csat", 1, 1, 1.0, None),
        ("touchpoint", "call", "csat", 1, 3, 0.333333, None),
    ]
    ces = surveys.figures("survey_scores_by_period", columns, "kind = 'ces' and segment = 'call'")
    assert ces == [("touchpoint", "call", "ces", 1, None, None, "requests_not_listed")]


def test_a_change_of_csat_is_told_from_chance(surveys: Surveys) -> None:
    """Two independent samples; nothing is compared with few answers or after a month without any."""
    months = {
        "2026-03-10": [5] * 9,
        "2026-04-10": [1, 2, 3] * 4,
        "2026-05-10": [3, 4, 5] * 4,
        "2026-06-10": [3, 4, 5] * 3 + [4, 4, 5],
    }
    for day, scores in months.items():
        for score in scores:
            surveys.answer("csat", score, day)
    columns = "previous_value, previous_respondents, change, change_low, change_high, change_z, is_change_significant"
    march, april, may, june = surveys.figures("survey_scores_by_period", f"period, {columns}")
    assert march[1:] == april[1:] == (None,) * 7, "nine answers are too few to compare with"
    before, now = months["2026-04-10"], months["2026-05-10"]
    error = sqrt(variance(now) / 12 + variance(before) / 12)
    assert may[1:] == (2.0, 12, 2.0, *map(rounded, (2 - Z * error, 2 + Z * error, 2 / error)), True)
    later = months["2026-06-10"]
    error, change = sqrt(variance(later) / 12 + variance(now) / 12), fmean(later) - fmean(now)
    assert june[3:] == (*map(rounded, (change, change - Z * error, change + Z * error, change / error)), False)


def test_a_month_that_has_not_ended_and_one_after_a_gap_are_compared_with_nothing(surveys: Surveys) -> None:
    for day in ("2026-03-10", "2026-05-10", "2026-06-10"):
        for score in [1, 5] * 6:
            surveys.answer("csat", score, day)
    columns = "period, change is not null, is_complete"
    may, june = date(2026, 5, 1), date(2026, 6, 1)
    assert surveys.figures("survey_scores_by_period", columns)[1:] == [(may, False, True), (june, True, True)]
    early = surveys.figures("survey_scores_by_period", columns, as_of="2026-06-29")
    assert early[1:] == [(may, False, True), (june, False, False)]
