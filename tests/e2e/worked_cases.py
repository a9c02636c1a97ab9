"""Worked cases of the real test data: what the published marts say, and the answer that stands beside the case.

The queries rename, filter and order; no KPI is computed in them. A customer's own number is looked up in the build, as
whoever holds the source's list would do it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def keys_of(company: Any, source: str) -> dict[str, str]:
    """The customer numbers of a source by customer_id."""
    return dict(company.build(f"SELECT customer_id, record_key FROM identity.customer_map WHERE source = '{source}'"))


def classes_by_year(company: Any, cases: Path) -> tuple[Any, Any]:
    """Case 160, row by row: an input row per order line of the year, one row for a year without an order."""
    case, customer = cases / "case_160", keys_of(company, "mapped.superstore")
    lines: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows_of(case / "inputs" / "input_01.csv"):
        lines[row["Customer ID"], row["Order Date"][:4]].append(row["Row ID"])
    found = [
        (label, change, order, year, first, row, customer[who])
        for who, label, change, order, year, first in company.published("""
            SELECT years.customer_id, upper(customer_class[1]) || customer_class[2:],
                coalesce(returned_change::VARCHAR, ''), has_ordered::INT::VARCHAR,
                calendar_year::VARCHAR, first_year::VARCHAR
            FROM marts.customer_years AS years
            JOIN marts.retention_by_segment AS cohorts
                ON year(cohort) = first_year AND year(period) = calendar_year AND segment = first_channel
            WHERE definition = 'first_order_year' AND segment_type = 'first_channel'
                AND segment = 'superstore' AND calendar_year <= 2021
        """)
        for row in lines.get((customer[who], year), [""])
    ]
    names = ("Customer Classification", "YoY Difference", "Order?", "Year", "First Purchase", "Row ID", "Customer ID")
    expected = [tuple(row[name] for name in names) for row in rows_of(case / "gt" / "output_01.csv")]
    return sorted(found), sorted(expected)


def four_fifths_of_the_sales(company: Any, cases: Path) -> tuple[Any, Any]:
    """Case 164: shares to nine decimals in the order of the curve, and the sentence."""
    case, customer = cases / "case_164", keys_of(company, "mapped.sales_list")
    found = [
        (customer[who], net / 10_000, share, running)
        for who, net, share, running in company.published("""
            SELECT customer_id, net, round(100 * net_share, 9), round(100 * net_share_cumulative, 2) AS running
            FROM marts.customer_value_ranks
            WHERE segment_type = 'first_channel' AND segment = 'sales_list' AND running <= 80
            ORDER BY net_rank
        """)
    ]
    sentence = company.published("""
        SELECT round(100 * share_of_buyers_of_80_percent)::INT || '% of Customers account for 80% of Sales'
        FROM marts.ltv_by_segment WHERE segment_type = 'first_channel' AND segment = 'sales_list'
    """)
    expected = [
        (row["Customer ID"], Decimal(row["Sales"]), float(row["% of Total"]), float(row["Running % of Total Sales"]))
        for row in rows_of(case / "gt" / "output_01.csv")
    ]
    return (found, sentence), (expected, [(rows_of(case / "gt" / "output_02.csv")[0]["Result"],)])


def days_from_order_to_review(company: Any, cases: Path) -> tuple[Any, Any]:
    """Case 031, its four outputs; the order of rows is not part of them."""
    answers, customer = cases / "case_031" / "gt", keys_of(company, "mapped.order_steps")
    means = company.published(
        "SELECT segment, days_to_ship_avg, days_to_review_avg FROM marts.fulfilment_by_segment "
        "WHERE segment_type = 'customer'"
    )
    means = [(customer[who], *days) for who, *days in means if who in customer]
    missing = company.published("""
        SELECT place, 'Not Sent', strftime(placed_on, '%d/%m/%Y'), '', split_part(order_id, ':', 2), customer_id
        FROM marts.order_fulfilment WHERE source = 'order_steps' AND NOT is_shipped
    """)
    cities = company.published(
        "SELECT segment, round(100 * share_in_time, 9), shipped_in_time, orders FROM marts.fulfilment_by_segment "
        "WHERE segment_type = 'place'"
    )
    found = (
        {who: days for who, days, _ in means},
        {who: days for who, _, days in means if days is not None},
        [(*row, customer[who]) for *row, who in missing],
        sorted(cities),
    )
    outputs = [rows_of(answers / f"output_0{number}.csv") for number in range(1, 5)]
    sent, reviewed, unsent, places = ([tuple(row.values()) for row in rows] for rows in outputs)
    expected = (
        {who: float(days) if days else None for days, who in sent},
        {who: float(days) for days, who in reviewed},
        unsent,
        sorted((city, *map(float, numbers)) for city, *numbers in places),
    )
    return found, expected


CASES = (classes_by_year, four_fifths_of_the_sales, days_from_order_to_review)
