"""Amounts of vendors' exports: a currency that does not exist and half a yen are rejected by name, or rounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

SHOPIFY = "Name,Financial Status,Currency,Subtotal,Total,Created at,Lineitem quantity,Lineitem price\n"
STRIPE = "id,Created date (UTC),Amount,Currency,Converted Amount,Fee,Converted Currency,Status\n"
SALESFORCE = "Id,StageName,Amount,CurrencyIsoCode,CreatedDate\n"
HUBSPOT = "Record ID,Deal Name,Amount,Currency\n"
RATES = "rate_on,currency,rate\n"

SHOPIFY_ROW = "#{0},paid,{1},1000,{2},2026-01-02 03:04:05 +0900,1,{2}\n"
STRIPE_ROW = "ch_{0},2026-01-02 03:04:05,{2},{1},{2},0,{1},Paid\n"
SALESFORCE_ROW = "006{0},Won,{2},{1},2026-01-02T03:04:05.000Z\n"
HUBSPOT_ROW = "{0},Deal {0},{2},{1}\n"

CASES = {
    "shopify/orders_export_1.csv": (SHOPIFY, SHOPIFY_ROW, "currency", "total"),
    "stripe/payments_1.csv": (STRIPE, STRIPE_ROW, "currency", "amount"),
    "salesforce/Opportunity.csv": (SALESFORCE, SALESFORCE_ROW, "currency_iso_code", "amount"),
}


@pytest.mark.parametrize("path", CASES)
def test_an_unknown_currency_and_half_a_yen_are_rejected(shop: Any, path: str) -> None:
    header, row, currency, amount = CASES[path]
    rows = [("JPY", "1000"), ("JPY", "1000.00"), ("EUR", "10.55"), ("", "7"), ("XQZ", "5"), ("JPY", "10.5")]
    if path.startswith("stripe"):
        rows[3] = ("USD", "7")
    record = shop.load(path, header + "".join(row.format(n, *values) for n, values in enumerate(rows)))
    assert (record.status, record.accepted, record.quarantined) == ("accepted", 4, 2)
    assert [entry[:3] for entry in shop.rejected(record)] == [
        (6, currency, "value.currency"), (7, amount, "value.minor_units"),
    ]  # fmt: skip


def test_what_a_payment_was_settled_in_is_checked_by_its_own_currency(shop: Any) -> None:
    rows = [
        "ch_1,2026-01-02 03:04:05,10.50,USD,1500,54,JPY,Paid\n",
        "ch_2,2026-01-02 03:04:05,10.50,USD,1500,54.5,JPY,Paid\n",
        "ch_3,2026-01-02 03:04:05,10.50,USD,1500,54,JPX,Paid\n",
    ]
    record = shop.load("stripe/payments_1.csv", STRIPE + "".join(rows))
    assert [entry[:3] for entry in shop.rejected(record)] == [
        (3, "fee", "value.minor_units"), (4, "converted_currency", "value.currency"),
    ]  # fmt: skip


def test_where_the_contract_rounds_half_a_yen_is_a_yen(shop: Any) -> None:
    rows = [("JPY", "1000.5"), ("EUR", "10.55"), ("XQZ", "5")]
    record = shop.load(
        "hubspot/deals.csv", HUBSPOT + "".join(HUBSPOT_ROW.format(n, *values) for n, values in enumerate(rows))
    )
    assert [entry[:3] for entry in shop.rejected(record)] == [(4, "currency", "value.currency")]
    assert shop.rows("hubspot__deals", "amount") == [(Decimal("1001.00"),), (Decimal("10.55"),)]


def test_a_rate_of_a_currency_that_does_not_exist_is_rejected(shop: Any) -> None:
    record = shop.load("reference/exchange_rates.csv", RATES + "2026-01-01,USD,150\n2026-01-01,USX,1\n")
    assert [entry[:3] for entry in shop.rejected(record)] == [(3, "currency", "value.currency")]
