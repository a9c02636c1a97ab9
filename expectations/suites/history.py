"""Rules that compare with what was published before: units, clocks, volume, silence, mix, and movement of KPIs.

The history is the published version the build began from, copied into schema `state`, so it goes back with a rollback.
Each rule says how much of it it needs (`Rule.needs`); with less there is no verdict, and the gate says so.
"""

from __future__ import annotations

from dataclasses import replace

from expectations.context import GateContext
from expectations.rules import NEVER, Rule, Writer

#: Rows on either side before a ratio of typical amounts says anything: one large order among ten is no new unit.
MIN_ROWS = 30
#: Rows before a profile over 24 hours says anything: with 300, chance alone moves it by a tenth.
MIN_NEW_HOURS, MIN_OLD_HOURS = 300, 1000
#: Deliveries, and days between the first and the last, before their size or rhythm is known: two whole weeks, so that
#: weekends have been seen.
MIN_DELIVERIES, MIN_DAYS = 8, 14
#: Deliveries looked back on.
LOOK_BACK = 28
#: A delivery of fewer rows than this varies by half all by itself.
MIN_DELIVERED = 100
#: Customers before shares of them are compared.
MIN_CUSTOMERS = 200
#: Days a KPI is looked back on, and days with a value it needs of them.
KPI_DAYS, MIN_KPI_DAYS = 56, 28
RESTATED_DAYS, MIN_RESTATED_DAYS = 28, 20

_PUBLISHED = "_batch in (select batch_id from state.published_batches)"


def _dated(ctx: GateContext, *rules: Rule) -> list[Rule]:
    """The rules, each without a verdict where nothing was published or a day before it is built again."""
    if ctx.previous_as_of is None:
        return [replace(rule, needs=NEVER, needs_what="nothing was published before") for rule in rules]
    if ctx.goes_back:
        return [replace(rule, needs=NEVER, needs_what="a day before the published one is built") for rule in rules]
    return list(rules)


def _rows_on_both_sides(relation: str, old: int, new: int) -> str:
    short = relation.split(".", 1)[1]
    published = "batch_id in (select batch_id from state.published_batches)"
    return (
        f"select coalesce(sum(accepted) filter ({published}), 0) >= {old}"
        f" and coalesce(sum(accepted) filter (not {published}), 0) >= {new}"
        f" from raw.batches where relation in ('{relation}', '{short}')"
    )


def same_unit(
    writer: Writer, ctx: GateContext, relation: str, columns: tuple[str, ...], per: str | None = None
) -> list[Rule]:
    """New rows' amounts are of the size of the published ones: by their geometric means, within each `per`."""
    if not columns:
        return []
    factor = ctx.limits.max_unit_factor
    keys = f"{per}, " if per else ""
    parts = [
        f"select '{column}' as what from (select {keys}"
        f" avg(ln({column})) filter (published) as before, avg(ln({column})) filter (not published) as now,"
        f" count(*) filter (published) as old_rows, count(*) filter (not published) as new_rows"
        f" from (select {keys}{column}, {_PUBLISHED} as published from {{batch}} where {column} > 0) as marked"
        f" group by {per or 'all'}) as sizes where least(old_rows, new_rows) >= {MIN_ROWS}"
        f" and abs(now - before) > ln({factor})"
        for column in columns
    ]
    rule = writer.no_rows(
        "amounts_keep_their_unit",
        " union all ".join(parts),
        f"new amounts that are typically more than {factor:g} times, or less than one in {factor:g} of, the published"
        " ones are in another unit or currency (gates.max_unit_factor)",
    )
    needs = _rows_on_both_sides(relation, MIN_ROWS, MIN_ROWS)
    return _dated(ctx, replace(rule, needs=needs, needs_what=f"fewer than {MIN_ROWS} new or published rows"))


def same_clock(writer: Writer, ctx: GateContext, relation: str, column: str) -> list[Rule]:
    """The hours of the day at which new rows happened fit the published ones as they are, not moved by hours.

    A campaign at 8 in the evening adds a peak; it does not fit better when the whole day is moved. A changed time zone
    does. Compared is the total variation distance, unmoved and moved by 2 to 22 hours.
    """
    rule = writer.no_rows(
        f"{column}_keeps_its_clock",
        f"select least_moved from (with counted as (select hour({column}) as h, count(*) filter (published) as o,"
        f" count(*) filter (not published) as n from (select {column}, {_PUBLISHED} as published from {{batch}}"
        f" where {column} is not null) as marked group by all),"
        " shares as (select g.h, coalesce(o, 0) / sum(o) over ()::double as p, coalesce(n, 0) / sum(n) over ()::double"
        f" as q, sum(o) over () as old_rows, sum(n) over () as new_rows from range(24) as g(h) left join counted"
        " on counted.h = g.h), apart as (select k, min(a.old_rows) as old_rows, min(a.new_rows) as new_rows,"
        " sum(abs(a.p - b.q)) / 2 as distance from range(24) as moved(k) cross join shares as a join shares as b"
        " on b.h = (a.h + k) % 24 group by k)"
        " select min(distance) filter (k between 2 and 22) as least_moved, min(distance) filter (k = 0) as unmoved"
        f" from apart where old_rows >= {MIN_OLD_HOURS} and new_rows >= {MIN_NEW_HOURS}) as fits"
        " where unmoved > 0.2 and least_moved < 0.5 * unmoved",
        "the day of the new rows looks like the published one, moved by hours: the export changed its time zone",
        column=column,
    )
    needs = _rows_on_both_sides(relation, MIN_OLD_HOURS, MIN_NEW_HOURS)
    what = f"fewer than {MIN_NEW_HOURS} new or {MIN_OLD_HOURS} published rows"
    return _dated(ctx, replace(rule, needs=needs, needs_what=what))


#: Deliveries: what one load brought of one source's relation. `age` 1 is the newest. Of tables that are only kept no
#: number depends: a list of tags that halves must not hold back everybody's numbers.
_DELIVERIES = (
    "with sent as (select *, batch_id in (select batch_id from state.published_batches) as published from {batch}"
    " where not starts_with(relation, 'raw.kept__')),"
    " loads as (select source, relation, loaded_at, sum(rows_in) as n,"
    " max(coalesce(last_event_at, loaded_at))::date as reached from sent where published group by all),"
    " deliveries as (select *, row_number() over (partition by source, relation order by loaded_at desc) as age"
    " from loads),"
    " usual as (select source, relation, count(*) as times, min(n) as smallest,"
    " date_diff('day', min(loaded_at), max(loaded_at)) as days from deliveries"
    f" where age <= {LOOK_BACK} group by all having times >= {MIN_DELIVERIES} and days >= {MIN_DAYS}),"
    " news as (select source, relation, sum(rows_in) as n from sent where not published group by all),"
    " days as (select distinct source, relation, reached as day from deliveries"
    f" where age <= {LOOK_BACK}),"
    " gaps as (select *, date_diff('day', lag(day) over (partition by source, relation order by day), day) as gap"
    " from days),"
    " rhythm as (select source, relation, max(gap) as longest, max(day) as last_published from gaps"
    " join usual using (source, relation) group by all),"
    " ends as (select source, relation, max(coalesce(last_event_at, loaded_at))::date as last_day from sent"
    " group by all) "
)


def deliveries(writer: Writer, ctx: GateContext) -> list[Rule]:
    """raw.batches: new deliveries are as large as they are, and sources that come regularly still come."""
    limits = ctx.limits
    share, times = 1 - limits.max_volume_drop, limits.max_silence
    as_of = f"date '{ctx.as_of.isoformat()}'"
    before = f"date '{(ctx.previous_as_of or ctx.as_of).isoformat()}'"
    late = f"date_diff('day', last_day, {as_of})"
    needs = _DELIVERIES.replace("{batch}", "raw.batches") + "select count(*) > 0 from usual"
    what = f"no source with {MIN_DELIVERIES} published deliveries over {MIN_DAYS} days"
    small = (
        _DELIVERIES + "select relation from news join usual using (source, relation)"
        f" where smallest >= {MIN_DELIVERED} and news.n < {{share}} * smallest"
    )
    rules = (
        writer.no_rows(
            "deliveries_are_not_half_of_what_they_were",
            small.replace("{share}", str(round(share, 6))),
            f"a delivery below {share:.0%} of the smallest of the last {LOOK_BACK} was cut off on its way"
            " (gates.max_volume_drop)",
        ),
        writer.no_rows(
            "deliveries_are_of_their_usual_size",
            small.replace("{share}", "0.75"),
            f"a delivery below three quarters of the smallest of the last {LOOK_BACK} deserves a look",
            severity="warning",
        ),
        writer.no_rows(
            "sources_that_came_regularly_still_come",
            _DELIVERIES + "select relation from rhythm join ends using (source, relation)"
            f" where {late} > {times} * longest + 1"
            # Whoever was silent when the last version went out was known to be.
            f" and date_diff('day', last_published, {before}) <= {times} * longest + 1",
            f"silent for more than {times:g} times its longest gap: its export stopped, or sends an old file again"
            " (gates.max_silence)",
        ),
        writer.no_rows(
            "no_source_is_late",
            _DELIVERIES + "select relation from rhythm join ends using (source, relation)"
            f" where {late} > longest + 1 and {late} <= {times} * longest + 1",
            "later than its longest gap so far; data_state tells readers how far each source reaches",
            severity="warning",
        ),
    )
    return _dated(ctx, *(replace(rule, needs=needs, needs_what=what) for rule in rules))


def same_mix(writer: Writer, ctx: GateContext, *columns: str) -> list[Rule]:
    """Customers spread over `columns` as they did in the published customer_360; total variation distance."""
    limit = ctx.limits.max_mix_change
    parts = [
        f"select '{column}' as what from (select coalesce({column}, '') as value,"
        " count(*) / sum(count(*)) over ()::double as share from {batch} group by all) as now full join"
        f" (select coalesce({column}, '') as value, count(*) / sum(count(*)) over ()::double as share"
        " from state.customer_360 group by all) as before using (value)"
        f" having sum(abs(coalesce(now.share, 0) - coalesce(before.share, 0))) / 2 > {limit}"
        for column in columns
    ]
    rule = writer.no_rows(
        "customers_are_mixed_as_published",
        " union all ".join(parts),
        f"more than {limit:.0%} of the customers in another {' or '.join(columns)} than in the version before is a"
        " broken mapping, not a day's news (gates.max_mix_change)",
    )
    needs = (
        f"select (select count(*) from state.customer_360) >= {MIN_CUSTOMERS} and count(*) >= {MIN_CUSTOMERS}"
        " from {batch}"
    )
    return _dated(ctx, replace(rule, needs=needs, needs_what=f"fewer than {MIN_CUSTOMERS} customers"))


#: Sums of a day over the whole company: what a factor can be told of.
_ADDED = "segment_type = 'overall' and denominator is null and unit in ('money', 'count')"


def kpi_movement(writer: Writer, ctx: GateContext) -> list[Rule]:
    """marts.kpi_daily: published days stay about what they were, and new days stay in the band of those before."""
    limits = ctx.limits
    return [*_restated(writer, ctx, limits.max_restatement), *_bands(writer, ctx, limits.max_kpi_factor)]


def _restated(writer: Writer, ctx: GateContext, share: float) -> list[Rule]:
    before = f"date '{(ctx.previous_as_of or ctx.as_of).isoformat()}'"
    compared = (
        "(select n.kpi, sum(n.numerator) as now, sum(b.numerator) as before,"
        f" count_if(b.numerator <> 0) as days from (select * from {{batch}} where {_ADDED}) as n"
        " join state.kpi_daily as b using (kpi, segment_type, segment, day)"
        f" where day >= {before} - {RESTATED_DAYS} and day < {before} group by n.kpi"
        f" having days >= {MIN_RESTATED_DAYS}) as compared"
    )
    rule = writer.no_rows(
        "published_days_are_not_rewritten",
        f"select kpi from {compared} where abs(now - before) > {share} * before",
        f"the last {RESTATED_DAYS} published days now add up to something more than {share:.0%} away: rows lost,"
        " doubled or in another unit; late rows move them by little (gates.max_restatement)",
    )
    needs = f"select count(*) > 0 from {compared}"
    return _dated(ctx, replace(rule, needs=needs, needs_what=f"no KPI with {MIN_RESTATED_DAYS} published days"))


def _bands(writer: Writer, ctx: GateContext, factor: float) -> list[Rule]:
    first, as_of = (f"date '{day.isoformat()}'" for day in (ctx.first_new_day, ctx.as_of))
    judged = (
        "(select news.kpi, news.numerator as now, band.* exclude (kpi),"
        " coalesce(news.day <= reach.complete_until, false) as is_delivered"
        f" from (select * from {{batch}} where {_ADDED} and day between {first} and {as_of}) as news"
        " join marts.kpi_definitions using (kpi) left join core.int_kpi_reach as reach using (family)"
        " join (select kpi, max(numerator) as most, min(numerator) as least_of_all, unit = 'count' as counts"
        f" from {{batch}} where {_ADDED} and day < {first} and day >= {first} - {KPI_DAYS}"
        f" group by kpi, unit having count_if(numerator > 0) >= {MIN_KPI_DAYS})"
        " as band using (kpi)) as judged"
    )

    def outside(times: float) -> str:
        # A low end only for counts of ten and more: a small shop sells nothing on some days. And only where the files
        # reach: a day that has not come yet is late, which the raw gate tells and data_state shows, and no fault.
        low = f"counts and is_delivered and least_of_all >= 10 and now * {times} < least_of_all"
        return f"now > {times} * most or ({low})"

    needs, what = f"select count(*) > 0 from {judged}", f"no KPI with {MIN_KPI_DAYS} days before the new ones"
    rules = (
        writer.no_rows(
            "new_days_are_no_other_unit",
            f"select kpi from {judged} where {outside(factor)}",
            f"a day of more than {factor:g} times the most, or less than one in {factor:g} of the least, of the"
            f" {KPI_DAYS} days before it is a unit, a doubled or a lost file (gates.max_kpi_factor)",
        ),
        writer.no_rows(
            "new_days_move_as_days_do",
            f"select kpi from {judged} where {outside(3)}",
            f"outside three times the span of the {KPI_DAYS} days before it: a campaign, or a fault",
            severity="warning",
        ),
    )
    return [replace(rule, needs=needs, needs_what=what) for rule in rules]


def rates_move_by_little(writer: Writer, ctx: GateContext) -> Rule:
    """raw.reference__exchange_rates: a new rate is near the one before it; old ones are history."""
    since = ctx.previous_as_of if ctx.previous_as_of is not None and not ctx.goes_back else ctx.as_of
    return writer.no_rows(
        "rates_move_by_little",
        "select currency from (select *, lag(rate) over (partition by currency order by rate_on, _loaded_at) as before"
        f" from {{batch}}) as told where rate_on > date '{since.isoformat()}' - 7 and before > 0 and rate > 0"
        " and greatest(rate / before, before / rate) > 1.5",
        "a rate that moves by half from one day to the next is upside down or of another unit",
        column="rate",
    )
