"""Core's own bands: new days of each source beside the days before them, in number and in what ties them to people.

A KPI adds the sources up. Of three shops one may lose its buyers, or date its whole history on one day, and the sum
still moves as days do; here every source is held to its own days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from expectations.context import GateContext
from expectations.rules import Rule, Writer
from expectations.suites.history import KPI_DAYS, MIN_KPI_DAYS
from expectations.suites.movement import MIN_NOTED, MIN_STOPPED, RUSH

#: A day of fewer rows moves by a factor all by itself.
MIN_DAY = 10


@dataclass(frozen=True)
class Days:
    """How a fact is counted by days.

    `family`: whose files must have reached a day before it can hold too little (core.int_kpi_reach). `shares`: what is
    asked of each row, by a name for it. `rush_is_news`: a day may bring strangers in crowds; then the number may go
    twice as far as `gates.max_kpi_factor`, and shares of a day of more than twice the busiest stop nothing.
    `comes_in_waves`: everybody may be asked on one day; then no number is too high, and a high one is worth a look.
    """

    day: str
    family: str
    shares: Mapping[str, str] = field(default_factory=dict)
    source: str = "source"
    rush_is_news: bool = False
    comes_in_waves: bool = False


def move_as_days_do(writer: Writer, ctx: GateContext, days: Days) -> list[Rule]:
    """Two rules on numbers of rows and two on shares of them, by source; the band is that of the 56 days before."""
    return [*_numbers(writer, ctx, days), *_shares(writer, ctx, days)]


def _numbers(writer: Writer, ctx: GateContext, days: Days) -> list[Rule]:
    first, as_of = (f"date '{day.isoformat()}'" for day in (ctx.first_new_day, ctx.as_of))
    judged = (
        f"(with counted as (select {days.source} as from_source, {days.day} as day, count(*) as n from {{batch}}"
        f" where {days.day} between {first} - {KPI_DAYS} and {as_of} group by all),"
        # A day without a row is a day of none.
        " band as (select from_source, max(n) as most, case when count(*) ="
        f" date_diff('day', min(day), {first}) then min(n) else 0 end as fewest from counted where day < {first}"
        f" group by from_source having count(*) >= {MIN_KPI_DAYS})"
        " select band.from_source, new_day, coalesce(n, 0) as n, most, fewest, new_day <= (select max(complete_until)"
        f" from core.int_kpi_reach where family = '{days.family}') as is_delivered from band"
        f" cross join (select unnest(range({first}, {as_of} + 1, interval 1 day))::date as new_day) as news"
        " left join counted on counted.from_source = band.from_source and counted.day = new_day) as judged"
    )

    def outside(times: float, *, is_high_end: bool = True) -> str:
        high = f"n > {times} * greatest(most, {MIN_DAY}) or " if is_high_end else ""
        low = f"coalesce(is_delivered, false) and fewest >= {MIN_DAY} and n * {times} < fewest"
        return f"select from_source, new_day as day from {judged} where {high}({low})"

    factor = ctx.limits.max_kpi_factor * (RUSH if days.rush_is_news else 1)
    rules = (
        writer.no_rows(
            "no_day_of_a_source_holds_other_days",
            outside(factor, is_high_end=not days.comes_in_waves),
            ("" if days.comes_in_waves else f"more than {factor:g} times the most, or ")
            + f"less than one in {factor:g} of the least, of the {KPI_DAYS} days before it: rows dated on the day of an"
            " export, or a source that lost its rows (gates.max_kpi_factor)",
            column=days.day,
        ),
        writer.no_rows(
            "days_of_a_source_move_as_days_do",
            outside(3),
            f"outside three times the span of the {KPI_DAYS} days before it: a campaign, a rush, or a fault",
            severity="warning",
            column=days.day,
        ),
    )
    needs = f"select count(*) > 0 from {judged}"
    what = f"no source with rows on {MIN_KPI_DAYS} days before the new ones"
    return [replace(rule, needs=needs, needs_what=what) for rule in rules]


def _shares(writer: Writer, ctx: GateContext, days: Days) -> list[Rule]:
    first, as_of = (f"date '{day.isoformat()}'" for day in (ctx.first_new_day, ctx.as_of))
    limit = ctx.limits.max_ratio_step

    def judged(least: int) -> str:
        each = " union all ".join(
            f"select {days.source} as from_source, '{name}' as what, {days.day} as day, count(*) as n,"
            f" count_if({asked}) / count(*) as share from {{batch}}"
            f" where {days.day} between {first} - {KPI_DAYS} and {as_of} group by all having n >= {least}"
            for name, asked in days.shares.items()
        )
        return (
            f"(with counted as ({each}), band as (select from_source, what, max(share) as most, min(share) as fewest,"
            f" max(n) as busiest from counted where day < {first} group by all having count(*) >= {MIN_KPI_DAYS})"
            " select from_source, what, day, greatest(share - most, fewest - share) as step, most - fewest as span,"
            f" n > {RUSH} * busiest as is_rush from counted join band using (from_source, what) where day >= {first})"
            " as judged"
        )

    names = " or ".join(days.shares)
    rules = (
        (
            MIN_STOPPED,
            writer.no_rows(
                "shares_of_a_source_do_not_leap",
                f"select from_source, what, day from {judged(MIN_STOPPED)} where step > {limit}"
                + (" and not is_rush" if days.rush_is_news else ""),
                f"the share of rows that are {names} is {limit:.0%} beyond that of the {KPI_DAYS} days before: an id, a"
                " state or a mapping of this source broke (gates.max_ratio_step)",
            ),
        ),
        (
            MIN_NOTED,
            writer.no_rows(
                "shares_of_a_source_move_as_days_do",
                f"select from_source, what, day from {judged(MIN_NOTED)} where step > greatest(span, 0.1)",
                f"the share of rows that are {names} is further outside the {KPI_DAYS} days before than they are apart",
                severity="warning",
            ),
        ),
    )
    return [
        replace(
            rule,
            needs=f"select count(*) > 0 from {judged(least)}",
            needs_what=f"no source with {least} rows on {MIN_KPI_DAYS} days before the new ones and on one of them",
        )
        for least, rule in rules
    ]
