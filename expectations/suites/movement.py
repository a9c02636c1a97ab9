"""Rules on how columns fill and ratios move against what was published: what rows and sums alone do not show."""

from __future__ import annotations

from dataclasses import replace

from expectations.context import GateContext
from expectations.rules import NEVER, Rule, Writer
from expectations.suites.history import KPI_DAYS, LOOK_BACK, MIN_DAYS, MIN_DELIVERIES, MIN_KPI_DAYS

#: Rows of a load before the share of empty cells in it says anything: with 100, chance alone moves it by a tenth.
MIN_FILLED_ROWS = 100
#: A rise of the share of empty cells that deserves a look.
NOTABLE_RISE = 0.2
#: Answers, contacts or customers behind a day's ratio: below 30 it moves by itself, and below 200 a bad day of the
#: business can look like a fault (32 answers of customers whose parcels were lost).
MIN_NOTED, MIN_STOPPED = 30, 200
#: So many times the answers of the busiest day before: what moves a ratio then is what happened to the customers. A
#: failed delivery brings ten times the contacts, most of them answered late; that day must be seen, not stopped.
RUSH = 2
#: From the worst to the best value of a unit; minutes have no end and are judged by a factor.
_SCALE = "case unit when 'share' then 1 when 'score' then 4 when 'nps' then 200 end"
_RATIO = "segment_type = 'overall' and denominator is not null and value is not null"


def filled_as_before(writer: Writer, ctx: GateContext, relation: str) -> list[Rule]:
    """Columns of new rows are as often empty as in the loads before: in every load of a source, not on the average.

    A ticket is solved later and an account closed later, so old rows as a whole are fuller than new ones; but each load
    is kept as it came, and loads of the same source are alike.
    """
    short = relation.split(".", 1)[1]
    told = (
        "select batch_id, source, loaded_at, accepted, batch_id in (select batch_id from state.published_batches)"
        f" as published from raw.batches where relation in ('{relation}', '{short}')"
    )
    loads = (
        f"with told as ({told}), large as (select source, loaded_at, published from told group by all"
        f" having sum(accepted) >= {MIN_FILLED_ROWS}), loads as (select *, row_number() over"
        " (partition by source, published order by loaded_at desc) as age from large),"
        f" recent as (select * from loads where not published or age <= {LOOK_BACK}),"
        " known as (select source from recent group by source having count_if(not published) > 0"
        f" and count_if(published) >= {MIN_DELIVERIES}"
        f" and date_diff('day', min(loaded_at) filter (published), max(loaded_at) filter (published)) >= {MIN_DAYS})"
    )
    rises = (
        f"{loads}, counted as (select told.source as _from, told.loaded_at as _at, told.published as _was,"
        " count(*) as _all, count(columns(filled.* exclude (_batch))) from {batch} as filled join told on"
        " filled._batch = told.batch_id join recent using (source, loaded_at, published) join known using (source)"
        " group by 1, 2, 3), shares as (select *, 1 - cells / _all as empty from (unpivot counted on"
        " columns(* exclude (_from, _at, _was, _all)) into name what value cells))"
        # `_extra` holds what no contract asks for.
        " select _from as from_source, what from shares where not starts_with(what, '_') group by all"
        " having max(empty) filter (not _was)"
        " > max(empty) filter (_was) + {share}"
    )
    limit = ctx.limits.max_null_rise
    rules = [
        writer.no_rows(
            "columns_are_filled_as_before",
            rises.replace("{share}", str(limit)),
            f"a column that is empty in {limit:.0%} more of the new rows than in any of the last {LOOK_BACK} loads is"
            " no longer exported, or renamed (gates.max_null_rise)",
        ),
        writer.no_rows(
            "columns_are_filled_about_as_before",
            rises.replace("{share}", str(NOTABLE_RISE)),
            f"empty in {NOTABLE_RISE:.0%} more of the new rows than in any of the last {LOOK_BACK} loads: a form or an"
            " export changed",
            severity="warning",
        ),
    ]
    what = f"no source with {MIN_DELIVERIES} published loads of {MIN_FILLED_ROWS} rows over {MIN_DAYS} days"
    return _dated(
        ctx, [replace(rule, needs=f"{loads} select count(*) > 0 from known", needs_what=what) for rule in rules]
    )


def ratios_move_as_days_do(writer: Writer, ctx: GateContext) -> list[Rule]:
    """marts.kpi_daily: averages, shares and scores of new days against the span of the days before them."""
    first = f"date '{ctx.first_new_day.isoformat()}'"

    def judged(least: int) -> str:
        known = f"{_RATIO} and denominator >= {least}"
        return (
            "(select news.kpi, news.value as now, news.unit, band.most, band.fewest,"
            f" greatest(news.value - most, fewest - news.value) / ({_SCALE}) as step,"
            f" (most - fewest) / ({_SCALE}) as span, news.denominator > {RUSH} * busiest as is_rush"
            f" from (select * from {{batch}} where {known}"
            f" and day between {first} and date '{ctx.as_of.isoformat()}') as news"
            " join (select kpi, max(value) as most, min(value) as fewest, max(denominator) as busiest"
            f" from {{batch}} where {known} and day < {first} and day >= {first} - {KPI_DAYS} group by kpi"
            f" having count(*) >= {MIN_KPI_DAYS}) as band using (kpi)) as judged"
        )

    limit, factor = ctx.limits.max_ratio_step, ctx.limits.max_kpi_factor
    rules = (
        (
            MIN_STOPPED,
            writer.no_rows(
                "ratios_do_not_leap",
                f"select kpi from {judged(MIN_STOPPED)} where not is_rush and (step > {limit} or (unit = 'minutes'"
                f" and (now > {factor} * most or now * {factor} < fewest)))",
                f"{limit:.0%} of its whole scale (or {factor:g} times, of minutes) beyond the {KPI_DAYS} days before"
                f" it, with {MIN_STOPPED} answers or more: a scale turned round, a lost half of the rows, another unit"
                " (gates.max_ratio_step)",
            ),
        ),
        (
            MIN_NOTED,
            writer.no_rows(
                "ratios_move_as_days_do",
                f"select kpi from {judged(MIN_NOTED)} where step > greatest(span, 0.05) or (unit = 'minutes'"
                " and (now > 3 * most or now * 3 < fewest))",
                f"further outside the {KPI_DAYS} days before it than those are apart: a bad day, or a fault",
                severity="warning",
            ),
        ),
    )
    return [
        replace(
            rule,
            needs=f"select count(*) > 0 from {judged(least)}",
            needs_what=f"no ratio with {MIN_KPI_DAYS} days of {least} behind each before the new ones",
        )
        for least, rule in rules
    ]


def _dated(ctx: GateContext, rules: list[Rule]) -> list[Rule]:
    if ctx.previous_as_of is not None and not ctx.goes_back:
        return rules
    what = "a day before the published one is built" if ctx.goes_back else "nothing was published before"
    return [replace(rule, needs=NEVER, needs_what=what) for rule in rules]
