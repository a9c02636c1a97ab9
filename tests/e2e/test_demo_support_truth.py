"""Support of the demo company, contact by contact, against what was planted."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from demo_day import CENT, MINUTE, Day, day, differences

__all__ = ["day"]


def test_first_responses_are_exact_per_interaction(day: Day) -> None:
    planted: dict[str, tuple[Any, ...]] = {}
    for row in day.truth("interactions"):
        seconds = row["first_response_seconds"] or (
            int(row["first_response_minutes"]) * 60 if row["first_response_minutes"] else None
        )
        minutes = None if seconds is None else (int(seconds) / MINUTE).quantize(CENT, ROUND_HALF_UP)
        customer = day.customer[row["component"]] if row["component"] else None
        opened = datetime.fromisoformat(row["opened_at"])
        csat = {"good": 5, "bad": 1, "": None}[row["rating"]]
        planted[f"{row['source']}:{row['interaction']}"] = (customer, opened, minutes, csat)
    found = {
        interaction: tuple(values)
        for interaction, *values in day.published(
            "SELECT interaction_id, customer_id, opened_at, first_response_minutes, csat "
            "FROM marts.support_interactions WHERE source IN ('zendesk', 'amazon_connect')"
        )
    }
    assert differences(planted, found) == []
    assert sum(minutes is not None for _, _, minutes, _ in planted.values()) > 2000


def test_abandoned_calls_are_the_planted_ones(day: Day) -> None:
    planted = {
        f"amazon_connect:{row['interaction']}": row["status"] == "abandoned"
        for row in day.truth("interactions")
        if row["source"] == "amazon_connect"
    }
    found = dict(
        day.published(
            "SELECT interaction_id, abandoned FROM marts.support_interactions WHERE source = 'amazon_connect'"
        )
    )
    assert differences(planted, found) == []


SUPPORT_COLUMNS = (
    "first_response_minutes, first_response_business_minutes, first_resolution_minutes, "
    "first_resolution_business_minutes, resolution_minutes, resolution_business_minutes, reopens, handoffs, "
    "is_resolved, is_open, is_sla_met, is_fcr, is_fcr_proxy, abandoned, queue_seconds, talk_seconds, hold_seconds, "
    "acw_seconds"
)


def test_what_support_measures_is_exact_per_contact(day: Day) -> None:
    """Tickets, calls and cases: durations by clock and by business hours, SLA, first-contact resolution, telephony."""

    def minutes(seconds: str) -> Decimal | None:
        return (int(seconds) / MINUTE).quantize(CENT, ROUND_HALF_UP) if seconds else None

    def number(text: str) -> int | None:
        return int(text) if text else None

    def flag(text: str) -> bool | None:
        return text == "1" if text else None

    spans = ("first_response", "first_resolution", "resolution")
    planted = {
        row["interaction"]: (
            day.customer[row["component"]] if row["component"] else None,
            row["topic"] or None,
            *(minutes(row[f"{span}{clock}"]) for span in spans for clock in ("", "_business")),
            *(number(row[name]) for name in ("reopens", "handoffs")),
            *(flag(row[name]) for name in ("resolved", "open", "sla_met", "fcr", "fcr_proxy", "abandoned")),
            *(number(row[name]) for name in ("queue", "talk", "hold", "acw")),
        )
        for row in day.truth("support")
    }
    found = {
        interaction: tuple(values)
        for interaction, *values in day.published(
            f"SELECT interaction_id, customer_id, topic, {SUPPORT_COLUMNS} FROM marts.support_interactions "
            "WHERE is_owner"
        )
    }
    assert differences(planted, found) == []
    # Each judgement is met in each way, else its test would prove nothing.
    for place in (12, 13, 14):
        assert {values[place] for values in planted.values()} == {True, False, None}


#: Share or mean per day: the truth's column above the line, and which contacts lie below it.
DAILY = {
    "fcr_share": "fcr",
    "fcr_share_proxy": "fcr_proxy",
    "sla_met_share": "sla_met",
    "handle_seconds_mean": "handled",
    "acw_seconds_mean": "acw",
    "resolution_mean_minutes": "resolution",
    "reopen_share": "reopened",
}


def test_daily_support_kpis_are_those_of_the_contacts(day: Day) -> None:
    """Over all shown days: what lies above and below the line of each, from the planted contacts."""
    counted = dict(
        day.build(
            f"SELECT interaction_id, opened_on > DATE '{day.as_of}' - 182 FROM core.fct_interactions "
            "WHERE continues_interaction_id IS NULL AND direction = 'inbound'"
        )
    )
    planted: dict[str, tuple[Decimal, Decimal]] = dict.fromkeys(DAILY, (Decimal(0), Decimal(0)))
    for row in day.truth("support"):
        parts = [row[name] for name in ("talk", "hold", "acw")]
        row["handled"] = str(sum(int(part or 0) for part in parts)) if any(parts) else ""
        solved = row["resolved"] == "1" or int(row["reopens"] or 0) > 0
        row["reopened"] = str(int(int(row["reopens"] or 0) > 0)) if solved else ""
        for kpi, name in DAILY.items():
            if row[name] and counted.get(row["interaction"]):
                value = Decimal(row[name])
                value = (value / MINUTE).quantize(CENT, ROUND_HALF_UP) if name == "resolution" else value
                planted[kpi] = (planted[kpi][0] + value, planted[kpi][1] + 1)
    found = {
        kpi: parts
        for kpi, *parts in day.published(
            "SELECT kpi, sum(numerator), sum(denominator) FROM marts.kpi_daily "
            "WHERE segment_type = 'overall' GROUP BY kpi"
        )
        if kpi in DAILY
    }
    assert differences(planted, {kpi: tuple(parts) for kpi, parts in found.items()}) == []
    assert all(below > 100 for _, below in planted.values())
