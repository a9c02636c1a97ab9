"""Core's bands: new days of each source beside its own days, harmed one way at a time.

Two sources of every fact: `shop` with 240 rows a day, `app` with 12. Harm to the small one moves the sum of both by
little, which is what rules on KPIs see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from expectations.context import GateContext, GateLimits
from expectations.registry import GATES
from expectations.report import RelationVerdict
from expectations.rules import Rule, Writer
from expectations.runner import run_gate

AS_OF = date(2026, 6, 30)
CONTEXT = GateContext(as_of=AS_OF, previous_as_of=date(2026, 6, 29))
RULES = (
    "no_day_of_a_source_holds_other_days", "days_of_a_source_move_as_days_do", "shares_of_a_source_do_not_leap",
    "shares_of_a_source_move_as_days_do",
)  # fmt: skip
SIZE, SMALL_SIZE, LEAP, SMALL_LEAP = RULES


@dataclass(frozen=True)
class Fact:
    """A fact, its day, its source, and a share that is asked of its rows: the column, and a value that says no."""

    relation: str
    day: str
    source: str = "source"
    asked: str = "customer_id"
    no: str = "NULL"


ORDERS = Fact("core.fct_orders", "ordered_on")
REFUNDS = Fact("core.fct_refunds", "refunded_on", asked="order_id")
VISITS = Fact("core.fct_sessions", "started_on", "event_source")
CALLS = Fact("core.fct_interactions", "opened_on")
ANSWERS = Fact("core.fct_survey_responses", "submitted_on")
FACTS = (
    ORDERS,
    replace(ORDERS, asked="is_counted", no="false"),
    REFUNDS,
    VISITS,
    CALLS,
    ANSWERS,
    replace(ANSWERS, asked="is_valid", no="false"),
)
EACH = pytest.mark.parametrize("fact", FACTS, ids=[f"{fact.relation[9:]}-{fact.asked}" for fact in FACTS])
EACH_ONCE = pytest.mark.parametrize(
    "fact", {fact.relation: fact for fact in FACTS}.values(), ids=lambda fact: fact.relation[9:]
)

_COMPANY = """
create schema core;
create table core.int_kpi_reach as select unnest(['orders', 'web', 'support', 'survey']) as family,
    date '2026-06-30' as complete_until;
create table {relation} as
    select date '2026-06-30' - d::int as {day}, part as {source}, 'o' || i as order_id, true as is_counted,
        true as is_valid, case when i % 10 < 8 then 'c' || i end as customer_id
    from range(100) as days(d), (values ('shop', 240), ('app', 12)) as parts(part, n),
        lateral (select unnest(range((n * (1 + d % 7 / 10.0))::bigint)) as i) as rows_of_a_day;
"""


def judged(folder: Path, fact: Fact, harm: str = "", context: GateContext = CONTEXT) -> RelationVerdict:
    """The verdict of core's bands on `fact`, after `harm` was done ($day, $source, $table, $asked)."""
    path = folder / "build.duckdb"
    path.unlink(missing_ok=True)
    names = {"$table": fact.relation, "$day": fact.day, "$source": fact.source, "$asked": fact.asked, "$no": fact.no}
    for name, column in names.items():
        harm = harm.replace(name, column)
    with duckdb.connect(str(path)) as con:
        con.execute(_COMPANY.format(relation=fact.relation, day=fact.day, source=fact.source))
        con.execute(harm)
    row = next(row for row in GATES if row.relation == fact.relation)

    def bands(ctx: GateContext, relation: str) -> list[Rule]:
        # The rest of a suite can always be judged.
        rest = Writer(owner="test").no_rows("the_rest", "select 1 where false", "")
        return [rest, *(rule for rule in row.suite(ctx, relation) if rule.name in RULES)]

    verdict = run_gate("core", path, context=context, rows=[replace(row, suite=bands)]).verdicts[0]
    assert verdict.problems == ()
    return verdict


def failed(verdict: RelationVerdict) -> set[str]:
    return {found.name for found in (*verdict.failed, *verdict.warnings)}


@EACH_ONCE
def test_usual_days_pass_and_all_four_rules_judge(tmp_path: Path, fact: Fact) -> None:
    verdict = judged(tmp_path, fact)
    assert (verdict.outcome, failed(verdict), verdict.unjudged) == ("passed", set(), ())


@pytest.mark.parametrize("fact", (ORDERS, REFUNDS, VISITS, CALLS), ids=lambda fact: fact.relation[9:])
def test_rows_of_other_days_dated_on_the_new_one_stop_the_build(tmp_path: Path, fact: Fact) -> None:
    """Seven weeks of the small source: its day has thirty times its rows, the sum of both not even three times."""
    harm = "update $table set $day = date '2026-06-30' where $source = 'app' and order_id in ('o0', 'o1', 'o2', 'o3',"
    verdict = judged(tmp_path, fact, f"{harm} 'o4', 'o5', 'o6') and $day > date '2026-05-05'")
    (stopped,) = verdict.failed
    assert stopped.name == SIZE
    assert stopped.sample == ({"day": "2026-06-30", "from_source": "app"},), "whose rows they are"


@EACH_ONCE
def test_a_source_that_lost_its_rows_stops_the_build_once_its_files_have_reached_the_day(
    tmp_path: Path, fact: Fact
) -> None:
    harm = "delete from $table where $source = 'app' and $day = date '2026-06-30'"
    assert {found.name for found in judged(tmp_path, fact, harm).failed} == {SIZE}
    late = f"{harm}; update core.int_kpi_reach set complete_until = date '2026-06-29'"
    assert failed(judged(tmp_path, fact, late)) == set()
    unknown = f"{harm}; delete from core.int_kpi_reach"
    assert failed(judged(tmp_path, fact, unknown)) == set()


@EACH
def test_a_source_whose_rows_lose_what_they_had_stops_the_build(tmp_path: Path, fact: Fact) -> None:
    harm = "update $table set $asked = $no where $source = 'shop' and $day = date '2026-06-30'"
    verdict = judged(tmp_path, fact, harm)
    assert failed(verdict) == {LEAP, SMALL_LEAP}
    # A third of them is worth a look.
    verdict = judged(tmp_path, fact, f"{harm} and hash(order_id) % 3 = 0")
    assert (verdict.outcome, failed(verdict)) == ("passed", {SMALL_LEAP})


def test_few_rows_prove_nothing(tmp_path: Path) -> None:
    """The twelve orders of the small source may all be of guests on one day."""
    harm = "update $table set $asked = $no where $source = 'app' and $day = date '2026-06-30'"
    assert failed(judged(tmp_path, ORDERS, harm)) == set()


@pytest.mark.parametrize(("fact", "outcome"), [(ORDERS, "failed"), (CALLS, "passed")], ids=["orders", "contacts"])
def test_a_rush_of_strangers_is_news_where_people_call_and_a_fault_where_they_buy(
    tmp_path: Path, fact: Fact, outcome: str
) -> None:
    """Twelve times the busiest day, nearly all of them by nobody we know: parcels were lost."""
    crowd = (
        "insert into $table by name select date '2026-06-30' as $day, 'shop' as $source, 'o' || i as order_id,"
        " true as is_counted, true as is_valid from range(12 * 384) r(i)"
    )
    verdict = judged(tmp_path, fact, crowd)
    assert verdict.outcome == outcome
    assert {SMALL_SIZE, SMALL_LEAP} <= failed(verdict)


def test_a_survey_that_everybody_is_sent_on_one_day_is_a_look_worth_and_no_fault(tmp_path: Path) -> None:
    """Forty times the answers of the busiest day: the wave of a quarter."""
    wave = (
        "insert into $table by name select date '2026-06-30' as $day, 'shop' as $source, 'o' || i as order_id,"
        " true as is_counted, true as is_valid, 'c' || i as customer_id from range(40 * 384) r(i)"
    )
    verdict = judged(tmp_path, ANSWERS, wave)
    assert (verdict.outcome, failed(verdict)) == ("passed", {SMALL_SIZE, SMALL_LEAP})


def test_a_source_that_rests_may_rest_again(tmp_path: Path) -> None:
    """No orders on some days, and none today."""
    harm = "delete from $table where $source = 'app' and ($day = date '2026-06-30' or dayofyear($day) % 5 = 0)"
    assert failed(judged(tmp_path, ORDERS, harm)) == set()


def test_all_days_since_the_last_version_are_judged(tmp_path: Path) -> None:
    harm = "delete from $table where $source = 'app' and $day = date '2026-06-28'"
    assert failed(judged(tmp_path, ORDERS, harm)) == set()
    missed = replace(CONTEXT, previous_as_of=date(2026, 6, 26))
    assert failed(judged(tmp_path, ORDERS, harm, missed)) == {SIZE, SMALL_SIZE}


def test_without_a_month_of_days_there_is_no_verdict_and_it_says_why(tmp_path: Path) -> None:
    verdict = judged(tmp_path, ORDERS, "delete from $table where $day < date '2026-06-10'")
    assert failed(verdict) == set()
    reasons = dict(verdict.unjudged)
    assert set(reasons) == set(RULES)
    assert reasons[SIZE] == "no source with rows on 28 days before the new ones"


def test_a_company_can_let_a_change_through(tmp_path: Path) -> None:
    harm = "update $table set $asked = $no where $source = 'shop' and $day = date '2026-06-30'"
    meant = replace(CONTEXT, limits=GateLimits(max_ratio_step=0.9))
    assert {found.name for found in judged(tmp_path, ORDERS, harm, meant).failed} == set()


@pytest.mark.parametrize(("regions", "stops"), [(101, True), (100, False)])
def test_names_that_a_contract_maps_to_region_stop_the_build_and_are_not_shown(
    harmed: Callable[[str], Path], context: GateContext, regions: int, stops: bool
) -> None:
    named = (
        "update core.dim_customers set region = null; insert into core.dim_customers by name"
        f" select 'N' || i as customer_id, true as is_known, '佐藤' || (i % {regions}) as region from range(900) r(i)"
    )
    row = next(row for row in GATES if row.relation == "core.dim_customers")
    verdict = run_gate("core", harmed(named), context=context, rows=[row]).verdicts[0]
    found = [failed for failed in verdict.failed if failed.name == "regions_are_groups_of_customers"]
    assert bool(found) is stops
    assert "佐藤" not in str(found)
    many = named.replace("range(900)", "range(1100)")
    rules = {failed.name for failed in run_gate("core", harmed(many), context=context, rows=[row]).verdicts[0].failed}
    assert "regions_are_groups_of_customers" not in rules, "a tenth of the customers and no more: towns"
