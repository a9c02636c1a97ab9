"""What support and surveys say about a customer, as intervals of days.

A signal is on for every day with start_on <= day < end_on (no end: still on). Intervals are made from dated facts
only, so that the picture of a past day never contains what was learnt later; counters without a date (reopens,
replies) are left out for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.churn.frames import (
    NEVER,
    Ints,
    codes_in,
    days_of,
    flags_of,
    ids_of,
    need_columns,
    numbers_of,
    order_by,
    sorted_rows,
)

SIGNALS_SCHEMA = pa.schema([
    ("customer_id", pa.string()), ("signal", pa.string()), ("start_on", pa.date32()), ("end_on", pa.date32()),
])  # fmt: skip

STALE_AFTER_DAYS = 7
CSAT_DAYS = 90
NPS_DAYS = 180
CONTACT_DAYS, MANY_CONTACTS = 30, 3
ABANDONED_DAYS = 30
REFUND_DAYS = 30
LATE_DAYS = 60
URGENT_DAYS = 180
VISIT_DAYS = 30
TEXT_DAYS = 90
# Scores of texts are -1 to 1 (analytics.sentiment), of four decimals.
NEGATIVE_TEXT = -0.5
TONE = 0.25
# One text is a mood; from two on their mean is a tone that the worst of them does not tell already.
TONE_TEXTS = 2
# CSAT is 1 to 5 in fct_interactions and fct_survey_responses.
NEGATIVE_CSAT = 2.0


@dataclass(frozen=True)
class _Intervals:
    signal: str
    customer: Ints
    start: Ints
    end: Ints


def signals_from_facts(
    interactions: pa.Table | None = None,
    surveys: pa.Table | None = None,
    refunds: pa.Table | None = None,
    *,
    visits: pa.Table | None = None,
    deliveries: pa.Table | None = None,
    consents: pa.Table | None = None,
    texts: pa.Table | None = None,
) -> pa.Table:
    """Signal intervals (SIGNALS_SCHEMA, sorted) of all customers; a source that a company lacks is None.

    interactions: customer_id, opened_on, resolved_on (local dates); optional is_open, priority, csat_score (1..5),
      is_abandoned. Closed without a date of closing (is_open false, resolved_on NULL) is no open request.
      A CSAT score without a date of its own counts from the day of resolution, else of opening.
    surveys: customer_id, kind (nps | csat | ...), score, submitted_on; optional is_valid.
    refunds: customer_id, refunded_on; optional refund_date_known: a refund booked on its order's day is no signal.
    visits: customer_id, visited_on.
    deliveries: customer_id, late_on (the day on which it should have been sent and was not).
    consents: customer_id, stated_on, is_granted, about mail; a later statement ends an earlier one.
    texts: customer_id, written_on, score (-1 to 1, NULL: no known word), is_leaving.
    Rows without a customer or without the date are left out.
    """
    found: list[_Intervals] = []
    given = {"interactions": interactions, "surveys": surveys, "refunds": refunds, "visits": visits,
             "deliveries": deliveries, "consents": consents, "texts": texts}  # fmt: skip
    tables = {name: table for name, table in given.items() if table is not None}
    if not tables:
        return SIGNALS_SCHEMA.empty_table()
    customers, codes = ids_of(*(table["customer_id"] for table in tables.values()))
    order = pc.sort_indices(customers)
    customers, rank = customers.take(order), np.full(len(customers) + 1, -1, dtype=np.int64)
    rank[order.to_numpy()] = np.arange(len(customers))
    who_in = {name: rank[code] for name, code in zip(tables, codes, strict=True)}
    if interactions is not None:
        found += _from_interactions(interactions, who_in["interactions"])
    if surveys is not None:
        found += _from_surveys(surveys, who_in["surveys"])
    if refunds is not None:
        need_columns("refunds", refunds, ("customer_id", "refunded_on"))
        start = days_of(refunds["refunded_on"])
        known = flags_of(refunds, "refund_date_known", True)
        found.append(_kept("refund", who_in["refunds"], start, start + REFUND_DAYS, known))
    for name, source, table, day, length in (
        ("recent_visit", "visits", visits, "visited_on", VISIT_DAYS),
        ("late_delivery", "deliveries", deliveries, "late_on", LATE_DAYS),
    ):
        if table is not None:
            need_columns(name, table, ("customer_id", day))
            start = days_of(table[day])
            found.append(_kept(name, who_in[source], start, start + length, start < NEVER))
    if consents is not None:
        found.append(_from_consents(consents, who_in["consents"]))
    if texts is not None:
        found += _from_texts(texts, who_in["texts"])
    return _table(found, customers)


def _from_texts(table: pa.Table, who: Ints) -> list[_Intervals]:
    """The worst text and the mean of all over a window of 90 days, and who speaks of leaving."""
    need_columns("texts", table, ("customer_id", "written_on", "score", "is_leaving"))
    day = days_of(table["written_on"])
    score, leaves = numbers_of(table, "score"), flags_of(table, "is_leaving", False)
    known = (who >= 0) & (day < NEVER) & ~np.isnan(score)
    kept = [
        _kept("negative_text", who, day, day + TEXT_DAYS, known & (score <= NEGATIVE_TEXT)),
        _kept("speaks_of_leaving", who, day, day + TEXT_DAYS, leaves),
    ]
    who, day, size = who[known], day[known], np.rint(score[known] * 10_000).astype(np.int64)
    # A text enters the window on its day and leaves it 90 days later; between two such days nothing changes.
    one = np.ones_like(who)
    who, day = np.concatenate([who, who]), np.concatenate([day, day + TEXT_DAYS])
    size, count = np.concatenate([size, -size]), np.concatenate([one, -one])
    order = order_by(who, day)
    who, day = who[order], day[order]
    # Each customer's steps add up to nothing, so sums run on over all of them.
    total, texts = np.cumsum(size[order]), np.cumsum(count[order])
    until = np.append(day[1:], NEVER)
    mean = total / np.maximum(texts, 1) / 10_000
    return [
        *kept,
        _kept("negative_tone", who, day, until, (texts >= TONE_TEXTS) & (mean <= -TONE)),
        _kept("positive_tone", who, day, until, (texts >= 1) & (mean >= TONE)),
    ]


def _from_consents(table: pa.Table, who: Ints) -> _Intervals:
    """Off from a refusal until the next statement; of one day's statements the refusal counts."""
    need_columns("consents", table, ("customer_id", "stated_on", "is_granted"))
    day = days_of(table["stated_on"])
    refused = ~flags_of(table, "is_granted", False)
    order = np.lexsort((refused, day, who))
    who, day, refused = who[order], day[order], refused[order]
    end = np.full(len(day), NEVER, dtype=np.int64)
    if len(who) > 1:
        end[:-1] = np.where(who[1:] == who[:-1], day[1:], NEVER)
    return _kept("opted_out", who, day, end, refused)


def _from_interactions(table: pa.Table, who: Ints) -> list[_Intervals]:
    need_columns("interactions", table, ("customer_id", "opened_on", "resolved_on"))
    opened, resolved = days_of(table["opened_on"]), days_of(table["resolved_on"])
    closed_undated = (resolved == NEVER) & ~flags_of(table, "is_open", True)
    end = np.where(closed_undated, opened, resolved)
    urgent = np.zeros(table.num_rows, dtype=bool)
    if "priority" in table.column_names:
        lowered = pc.utf8_lower(pc.cast(table["priority"], pa.string()))
        urgent = codes_in(lowered, pa.array(["urgent", "high"])) >= 0
    rated = numbers_of(table, "csat_score")
    rated_on = np.where(resolved == NEVER, opened, resolved)
    contact_who, contact_start, contact_end = _many_contacts(who, opened)
    return [
        _kept("urgent_open", who, opened, end, urgent),
        _kept("urgent_lately", who, opened, opened + URGENT_DAYS, urgent),
        _kept("open_interaction", who, opened, end, ~urgent),
        _kept("stale_interaction", who, opened + STALE_AFTER_DAYS, end, opened < NEVER),
        _kept("negative_csat", who, rated_on, rated_on + CSAT_DAYS, rated <= NEGATIVE_CSAT),
        _kept("abandoned_contact", who, opened, opened + ABANDONED_DAYS, flags_of(table, "is_abandoned", False)),
        _kept("frequent_contacts", contact_who, contact_start, contact_end, np.ones(len(contact_who), dtype=bool)),
    ]


def _many_contacts(who: Ints, opened: Ints) -> tuple[Ints, Ints, Ints]:
    """From the third contact within 30 days until the first of the three is 30 days old."""
    usable = (who >= 0) & (opened < NEVER)
    who, opened = who[usable], opened[usable]
    order = order_by(who, opened)
    who, opened = who[order], opened[order]
    back = MANY_CONTACTS - 1
    if len(who) <= back:
        return who[:0], opened[:0], opened[:0]
    first, last = opened[:-back], opened[back:]
    many = (who[:-back] == who[back:]) & (last - first < CONTACT_DAYS)
    return who[back:][many], last[many], first[many] + CONTACT_DAYS


def _from_surveys(table: pa.Table, who: Ints) -> list[_Intervals]:
    need_columns("surveys", table, ("customer_id", "kind", "score", "submitted_on"))
    day = days_of(table["submitted_on"])
    score, valid = numbers_of(table, "score"), flags_of(table, "is_valid", True)
    kind = codes_in(pc.utf8_lower(pc.cast(table["kind"], pa.string())), pa.array(["nps", "csat"]))
    csat = _kept("negative_csat", who, day, day + CSAT_DAYS, valid & (kind == 1) & (score <= NEGATIVE_CSAT))
    nps = valid & (kind == 0) & (score >= 0) & (score <= 10) & (who >= 0) & (day < NEVER)
    who, day, score = who[nps], day[nps], score[nps]
    # Two answers of one day have no order here: the lower one counts.
    order = np.lexsort((-score, day, who))
    who, day, score = who[order], day[order], score[order]
    end = day + NPS_DAYS
    if len(who) > 1:
        same = who[1:] == who[:-1]
        end[:-1] = np.where(same, np.minimum(end[:-1], day[1:]), end[:-1])
    return [csat, _kept("nps_detractor", who, day, end, score <= 6), _kept("nps_promoter", who, day, end, score >= 9)]


def _kept(signal: str, who: Ints, start: Ints, end: Ints, chosen: npt.NDArray[np.bool_]) -> _Intervals:
    keep = chosen & (who >= 0) & (start < NEVER) & (end > start)
    return _Intervals(signal, who[keep], start[keep], np.minimum(end[keep], NEVER))


def _table(found: list[_Intervals], customers: pa.Array) -> pa.Table:
    names = sorted({f.signal for f in found})
    who = np.concatenate([f.customer for f in found])
    signal = np.concatenate([np.full(len(f.customer), names.index(f.signal)) for f in found])
    start, end = np.concatenate([f.start for f in found]), np.concatenate([f.end for f in found])
    # No end is the day after all others: the smaller the numbers, the faster they are sorted.
    never = int(np.max(end, where=end < NEVER, initial=0)) + 1
    who, signal, start, end = sorted_rows(who, signal, start, np.minimum(end, never))
    return pa.table(
        {
            "customer_id": customers.take(pa.array(who)),
            "signal": pa.array(names, pa.string()).take(pa.array(signal)),
            "start_on": pa.array(start.astype(np.int32)).cast(pa.date32()),
            "end_on": pa.array(end.astype(np.int32), mask=end == never).cast(pa.date32()),
        },
        schema=SIGNALS_SCHEMA,
    )
